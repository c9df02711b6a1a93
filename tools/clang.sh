#!/usr/bin/env bash
# Makes sure that the one clang is there that the committed BPF objects are made
# with: another one makes other objects, and `make check-generated` fails.
set -euo pipefail

major=19
pinned=19.1.7
programs=("clang-$major" "llvm-strip-$major")

missing=()
for program in "${programs[@]}"; do
  command -v "$program" >/dev/null || missing+=("$program")
done
for header in bpf/bpf_helpers.h linux/bpf.h; do
  [[ -e /usr/include/$header ]] || missing+=("$header")
done

if ((${#missing[@]} > 0)); then
  if ! command -v apt-get >/dev/null; then
    echo "Missing: ${missing[*]}. Install clang $major, llvm $major, and the headers of libbpf and of Linux." >&2
    exit 1
  fi
  as_root=()
  if ((EUID != 0)); then
    echo "Missing: ${missing[*]}. Installing packages with apt-get needs root: sudo asks for it." >&2
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -qq -y --no-install-recommends "clang-$major" "llvm-$major" libbpf-dev linux-libc-dev
fi

found=$("clang-$major" -dumpversion)
if [[ $found != "$pinned" ]]; then
  echo "The committed objects are made with clang $pinned; this is $found, whose objects may differ." >&2
fi
