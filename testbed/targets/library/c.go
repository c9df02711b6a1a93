//go:build c

package main

import "C"

// ServeForC is Serve for a program in C.
//
//export ServeForC
func ServeForC() *C.char { return C.CString(Serve()) }
