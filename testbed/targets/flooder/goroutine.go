package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"
)

// gOf makes a function that returns the runtime.g of the goroutine that calls it. Go has its
// address in a register (src/cmd/compile/abi-internal.md).
func gOf() func() unsafe.Pointer {
	code := map[string]string{
		"amd64": "\x4c\x89\xf0\xc3",                 // MOVQ R14, AX; RET
		"arm64": "\xe0\x03\x1c\xaa\xc0\x03\x5f\xd6", // MOVD R28, R0; RET
	}[runtime.GOARCH]
	page, err := syscall.Mmap(
		-1, 0, pageSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	copy(page, code)
	if err := syscall.Mprotect(page, syscall.PROT_READ|syscall.PROT_EXEC); err != nil {
		panic(err)
	}
	// A func is the address of a struct that begins with the address of the code, as a slice does.
	function := &page
	return *(*func() unsafe.Pointer)(unsafe.Pointer(&function))
}

// id finds the id of the running goroutine in its runtime.g.
func id(g unsafe.Pointer) *int64 {
	var own int64
	if _, err := fmt.Sscanf(string(debug.Stack()), "goroutine %d", &own); err != nil {
		panic(err)
	}
	for *(*int64)(g) != own {
		g = unsafe.Add(g, 8)
	}
	return (*int64)(g)
}

const pageSize = 4096

// hide has every read of the page of a variable wait for an answer that nobody gives. The test has
// opened /dev/userfaultfd as descriptor 3. Otherwise the kernel gives an unprivileged user nothing
// that holds up reads of the kernel's own (vm.unprivileged_userfaultfd). The constants are those of
// its include/uapi/linux/userfaultfd.h.
func hide(variable *int64) {
	const create, enable, register = 0xaa00, 0xc018aa3f, 0xc020aa00
	page := uintptr(unsafe.Pointer(variable)) &^ (pageSize - 1)
	faults := control(3, create, 0)
	control(faults, enable, uintptr(unsafe.Pointer(&[3]uint64{0xaa})))
	control(faults, register, uintptr(unsafe.Pointer(&[4]uint64{uint64(page), pageSize, 1})))
	call(syscall.SYS_MADVISE, page, pageSize, syscall.MADV_DONTNEED)
}

func control(descriptor, request, argument uintptr) uintptr {
	return call(syscall.SYS_IOCTL, descriptor, request, argument)
}

func call(number, a, b, c uintptr) uintptr {
	result, _, errno := syscall.Syscall(number, a, b, c)
	if errno != 0 {
		panic(errno)
	}
	return result
}
