//go:build linux && (amd64 || arm64)

package engine

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Why a call holds up nobody, although it asks for a file, or for the memory of a process.
const (
	kernelKnows = "the kernel answers by itself: it asks no file system, and reads no memory of a target"
	background  = "it runs in the background, and who waits for it does so for a bounded time"
	ofPreparer  = "it is the preparer's: preparer.await gives up after preparationTime"
	atStart     = "it asks for a file of the kernel's or of this process, at the start"
)

// asked has every call that asks for a file or for memory. Nothing that can take as long as a
// target likes may run in a goroutine that owns leases, exits or the shutdown.
var asked = map[string]string{
	"attach Kernel.Attach link.OpenExecutable": ofPreparer,
	"attach Lease unix.FcntlInt":               kernelKnows,
	"attach Lease unix.Fstatfs":                ofPreparer,
	"attach LeaseBroken unix.FcntlInt":         kernelKnows,
	"attach ReturnLease unix.FcntlInt":         kernelKnows,
	"attach checkPIDNamespace os.Readlink":     atStart,
	"attach mapArray unix.Mmap":                kernelKnows, // of a BPF map

	"discover Finder.environment os.Open":        background,  // inTime
	"discover head os.Open":                      background,  // inTime
	"discover identify unix.Statx":               kernelKnows, // AT_STATX_DONT_SYNC
	"discover listeners.dump os.Open":            kernelKnows, // ns/net
	"discover listeners.haveNone os.Open":        kernelKnows, // the folder fd
	"discover listeners.of os.Open":              kernelKnows, // the folder fd
	"discover listeners.readTable os.Open":       kernelKnows, // net/tcp
	"discover listeners.space os.Readlink":       kernelKnows, // ns/net
	"discover openRetry syscall.Open":            kernelKnows, // stat
	"discover ownNamespace os.Readlink":          kernelKnows,
	"discover procfs.exe os.Readlink":            kernelKnows, // d_path asks no file system
	"discover procfs.pids os.Open":               kernelKnows, // the folder /proc
	"discover readFile syscall.Read":             kernelKnows, // stat
	"discover socketInode os.Readlink":           kernelKnows, // d_path
	"engine newEntryCheck filepath.EvalSymlinks": background,  // entryCheck.linksTo
	"engine newProcesses os.Hostname":            atStart,
	"engine newSweeper goroutine.Ended":          background, // sweeper.lookAtGoroutines
	"engine openExecutable os.Open":              ofPreparer,
	"engine openIfSame os.Open":                  ofPreparer,
	"engine openIfSame unix.Open":                ofPreparer,
	"engine preparer.inspect PlanFile":           ofPreparer,
	"goroutine read unix.ProcessVMReadv":         background, // sweeper.lookAtGoroutines
}

// asking are the functions of packages that ask for a file or for memory, and ours that do by
// something that they are given.
var asking = map[string][]string{
	"filepath": {"EvalSymlinks", "Glob", "Walk", "WalkDir"},
	"link":     {"OpenExecutable"},
	"os": {
		"Create", "Hostname", "Lstat", "Open", "OpenFile", "OpenInRoot", "OpenRoot", "ReadDir",
		"ReadFile", "Readlink", "Stat",
	},
	"syscall": {"Access", "Lstat", "Mmap", "Open", "Openat", "Pread", "Read", "Readlink", "Stat"},
	"unix": {
		"Access",
		"Faccessat",
		"FcntlInt",
		"Fstat",
		"Fstatat",
		"Fstatfs",
		"Lstat",
		"Mmap",
		"Open",
		"Openat",
		"Openat2",
		"Pread",
		"ProcessVMReadv",
		"Read",
		"Readlink",
		"Readlinkat",
		"Stat",
		"Statfs",
		"Statx",
	},
	"goroutine": {"Ended"},
	"":          {"PlanFile"},
}

func TestNothingThatATargetCanHoldUpIsWaitedFor(t *testing.T) {
	found := map[string]bool{}
	for _, folder := range []string{"attach", "discover", "engine", "goroutine"} {
		paths, err := filepath.Glob(filepath.Join("..", folder, "*.go"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d files, %v", folder, len(paths), err)
		}
		for _, path := range paths {
			if !strings.HasSuffix(path, "_test.go") {
				asks(t, path, folder, found)
			}
		}
	}
	for _, call := range slices.Sorted(maps.Keys(found)) {
		if asked[call] == "" {
			t.Errorf("%q is new: it may take as long as a target likes. Have it run in the "+
				"background, bound how long anybody waits for it, and say so in this test", call)
		}
	}
	for call := range asked {
		if !found[call] {
			t.Errorf("%q is no more", call)
		}
	}
}

// asks adds the calls of a file that ask for something, each with the function that it is in.
func asks(t *testing.T, path, folder string, found map[string]bool) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, declared := range file.Decls {
		function, ok := declared.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := function.Name.Name
		if function.Recv != nil {
			receiver := function.Recv.List[0].Type
			if pointer, ok := receiver.(*ast.StarExpr); ok {
				receiver = pointer.X
			}
			name = receiver.(*ast.Ident).Name + "." + name
		}
		ast.Inspect(function, func(node ast.Node) bool {
			of := ""
			switch node := node.(type) {
			case *ast.SelectorExpr: // called, or handed on
				if from, ok := node.X.(*ast.Ident); ok &&
					slices.Contains(asking[from.Name], node.Sel.Name) {
					of = from.Name + "." + node.Sel.Name
				}
			case *ast.CallExpr:
				if called, ok := node.Fun.(*ast.Ident); ok &&
					slices.Contains(asking[""], called.Name) {
					of = called.Name
				}
			}
			if of != "" {
				found[folder+" "+name+" "+of] = true
			}
			return true
		})
	}
}
