package discover

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A FIFO without a writer stands for a process that does not let its memory be read: nothing but
// its other end lets whoever opens it go on.
func TestNobodyWaitsLongForAReadThatHangs(t *testing.T) {
	folder := t.TempDir()
	fifo, file := filepath.Join(folder, "fifo"), filepath.Join(folder, "file")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("contents"), 0o600); err != nil {
		t.Fatal(err)
	}
	reads := newBoundedReads()
	try := func(path string) ([]byte, error) {
		return inTime(reads, func() ([]byte, error) { return head(path, 4) })
	}
	for range maxUnanswered - 1 {
		if _, err := try(fifo); !errors.Is(err, errNoAnswer) {
			t.Fatalf("a read that hangs: %v", err)
		}
	}
	if time.Since(reads.slow) > slowTime {
		t.Error("the time of a read that hangs is not known")
	}
	if data, err := try(file); string(data) != "cont" || err != nil {
		t.Errorf("with %d reads that hang, another file has %q: %v", maxUnanswered-1, data, err)
	}
	_, last := try(fifo)
	_, beyond := try(file)
	if !errors.Is(last, errNoAnswer) || !errors.Is(beyond, errTooManyUnanswered) {
		t.Errorf("the last one that may hang: %v; one more: %v", last, beyond)
	}

	writer, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	for range maxUnanswered { // each has ended
		reads.underWay <- struct{}{}
	}
}

func TestAnEnvironmentThatTookTooLongIsReadAgain(t *testing.T) {
	proc := newFakeProc(t)
	proc.set(10, fakeProcess{exe: "shop", env: []string{"OTEL_SERVICE_NAME=cart"}})
	environ := filepath.Join(proc.root, "10", "environ")
	later, fifo := environ+".later", environ+".fifo"
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(environ, later)
	if err := unix.Mkfifo(environ, 0o600); err != nil {
		t.Fatal(err)
	}
	finder := proc.finder(Config{Targets: []Target{{Exe: "/**/shop"}}})
	first := finder.Scan()
	if len(first.Appeared) != 1 || first.Appeared[0].Process.ServiceName != "shop" ||
		len(first.Errors) != 1 || !errors.Is(first.Errors[0], errNoAnswer) {
		t.Errorf("while it hangs: %+v", first)
	}
	if still := finder.Scan(); len(still.Updated)+len(still.Errors) != 0 {
		t.Errorf("while it still hangs: %+v", still)
	}
	move(environ, fifo)
	move(later, environ)
	if then := finder.Scan(); len(then.Updated) != 1 ||
		then.Updated[0].Process.ServiceName != "cart" {
		t.Errorf("then: %+v", then)
	}
	if last := finder.Scan(); len(last.Appeared)+len(last.Updated)+len(last.Gone) != 0 {
		t.Errorf("at last: %+v", last)
	}
	writer, err := os.OpenFile(fifo, os.O_WRONLY, 0) // lets the reads go
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
}
