package discover

import (
	"net"
	"os"
	"testing"
)

// BenchmarkExec measures an exec that is told of, of a program that no port selects. This process
// has sockets, and its child has none.
func BenchmarkExec(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	for range 200 {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
	}
	child, err := os.StartProcess("/bin/sleep", []string{"sleep", "600"}, &os.ProcAttr{})
	if err != nil {
		b.Fatal(err)
	}
	defer child.Wait()
	defer child.Kill()
	for name, pid := range map[string]int{"without sockets": child.Pid, "with sockets": os.Getpid()} {
		f, err := New(Config{Targets: []Target{{Port: 9}}})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if changes := f.Exec(pid); len(changes.Errors)+len(changes.Appeared) > 0 {
					b.Fatal(changes)
				}
			}
		})
	}
}
