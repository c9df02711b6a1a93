package discover

import (
	"fmt"
	"testing"
)

// BenchmarkScan measures a scan of 1,000 processes that no entry selects, none
// of which has changed since the scan before; and the first scan of them, which
// reads all there is to know.
func BenchmarkScan(b *testing.B) {
	proc := newFakeProc(b)
	sockets := make(map[int]int)
	for pid := 1; pid <= 1000; pid++ {
		sockets[pid] = 1000 + pid
		proc.set(pid, fakeProcess{
			exe: fmt.Sprintf("program%d", pid%100), start: pid, stack: pid,
			sockets: []int{pid, 5000, 5001, 5002, 5003, 5004, 5005, 5006, 5007, 5008},
		})
	}
	proc.listen("host", sockets, sockets)
	for _, c := range []struct {
		name   string
		target Target
	}{
		{"exe", Target{Exe: "/usr/local/**/bin/*"}},
		{"port nobody listens on", Target{Port: 999}},
		{"port another process listens on", Target{Port: 1500}},
		{"pid", Target{PID: 1001}},
	} {
		f := proc.finder(Config{Targets: []Target{c.target}})
		f.Scan()
		b.Run("again/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if changes := f.Scan(); len(changes.Appeared)+len(changes.Errors) > 0 {
					b.Fatal(summary(changes))
				}
			}
		})
	}
	b.Run("first/exe", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			proc.finder(Config{Targets: []Target{{Exe: "/usr/local/**/bin/*"}}}).Scan()
		}
	})
}
