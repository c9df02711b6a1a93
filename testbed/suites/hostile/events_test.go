package hostile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/spanprobe/spanprobe/internal/wire"
	"github.com/spanprobe/spanprobe/testbed/harness/target"
	"github.com/spanprobe/spanprobe/testbed/harness/tracing"
)

// The reader of events is behind, while an unprivileged user starts one program after the other,
// none of which is a target.
func TestAStormOfExecsTakesNoRoomFromTheEventsOfAnotherUser(t *testing.T) {
	const execs = 9000
	executable := target.MustCompile(t, quiet)
	e := loadEvents(t)
	ends := writeEnding(t)
	for range execs {
		pid, err := syscall.ForkExec(ends, []string{ends}, &syscall.ProcAttr{
			Sys: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	server := target.Start(t, executable)
	e.read(t)
	tracing.Eventually(t, func() bool { return len(e.starts(server.PID)) == 2 },
		"an exec and a listen of the server")
	counters, err := e.kernel.Counters()
	if err != nil {
		t.Fatal(err)
	}
	stats := wire.Stats{
		Lost: map[wire.ReasonName]uint64{}, LostOf: map[wire.Loss]uint64{},
		Degraded: map[wire.ReasonName]uint64{},
	}
	if stats.AddKernel(&counters); stats.EventsLost == 0 {
		t.Error("no event was lost: the test shows nothing")
	}
}

// writeEnding makes a program that anybody may run, and that ends at once.
func writeEnding(t *testing.T) string {
	t.Helper()
	machine, code := elf.EM_X86_64, []byte{
		0xb8, 60, 0, 0, 0, // mov eax, SYS_exit
		0x31, 0xff, // xor edi, edi
		0x0f, 0x05, // syscall
	}
	if runtime.GOARCH == "arm64" {
		machine, code = elf.EM_AARCH64, []byte{
			0xa8, 0x0b, 0x80, 0xd2, // mov x8, SYS_exit
			0x00, 0x00, 0x80, 0xd2, // mov x0, 0
			0x01, 0x00, 0x00, 0xd4, // svc 0
		}
	}
	const address, header, segment = 0x400000, 64, 56
	size := uint64(header + segment + len(code))
	var program bytes.Buffer
	for _, part := range []any{
		elf.Header64{
			Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_EXEC),
			Machine: uint16(machine), Version: 1, Entry: address + header + segment, Phoff: header,
			Ehsize: header, Phentsize: segment, Phnum: 1,
		},
		elf.Prog64{
			Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: address,
			Paddr: address, Filesz: size, Memsz: size, Align: 0x1000,
		},
		code,
	} {
		if err := binary.Write(&program, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := os.MkdirTemp("", "spanprobe-hostile-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "ends")
	if err := os.WriteFile(path, program.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
