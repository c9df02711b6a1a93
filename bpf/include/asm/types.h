/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* Stands for the host's own header, so that the objects do not depend on the
 * architecture of the machine that compiles them. */
#pragma once

#include <asm-generic/int-ll64.h>
