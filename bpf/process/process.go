// Package process holds the programs that tell discovery what the kernel sees:
// exec, exit and listen.
package process

import "github.com/cilium/ebpf"

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -go-package process -cc clang-19 -strip llvm-strip-19 -target amd64,arm64 shared process.bpf.c -- -I../include -Wall -Werror -mcpu=v3

// Load returns a fresh specification of the compiled object: all of it, or without the program that
// reports listen(2).
func Load(listen bool) (*ebpf.CollectionSpec, error) {
	spec, err := loadShared()
	if err == nil && !listen {
		delete(spec.Programs, sharedProgProcessListen)
	}
	return spec, err
}
