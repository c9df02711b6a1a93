package inspect_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/testing/tiny"
)

// inlinedTable is the function table of main.main, into which main.small was inlined:
// its instructions belong to as many nodes of its tree.
func inlinedTable(nodes byte) []byte {
	const names, pcTables, entries = 72, 104, 112
	table := append(
		tiny.Words32(0xfffffff1, 8<<24|1<<16),
		tiny.Words64(1, 0, 0, names, pcTables, 0, pcTables, entries)...)
	table = append(table, "main.main\x00main.small\x00..........."...)
	table = append(table, 0, 2*nodes, 1, 0, 0, 0, 0, 0) // at 1: from -1 to nodes-1
	table = append(table, tiny.Words32(0, 12, 2)...)    // entry, _func, end
	table = append(table, tiny.Words32(0, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4<<24)...)
	return append(table, tiny.Words32(0, 0, 1, 1<<32-1, 1<<32-1, 1<<32-1, 0)...)
}

// inlinedNode is a tree of one node, of main.small.
func inlinedNode() []byte { return tiny.Words32(0, 10, 0, 7) }

// withInlined puts an executable together that has a function table and trees.
func withInlined(table, trees []byte) []byte {
	const gofunc = 40 // words into moduledata: Go 1.20 to 1.26
	module := make([]byte, 48*8)
	binary.LittleEndian.PutUint64(module[gofunc*8:], tiny.Main+2)
	return (tiny.Program{}).With(
		map[string][]byte{
			".text":      append([]byte{0x55, 0xc3}, trees...),
			".gopclntab": table,
			".go.module": module,
		},
	)
}

func inlinedOf(t *testing.T, data []byte) (*model.Binary, error) {
	t.Helper()
	f, err := inspect.Open(bytes.NewReader(data), int64(len(data)), "tiny")
	if err != nil {
		t.Fatal(err)
	}
	return f.Binary([]string{"main.main", "main.small"})
}

func TestANodeCountsThatInstructionsBelongTo(t *testing.T) {
	for name, test := range map[string]struct {
		nodes   byte
		trees   []byte
		into    string
		unknown bool
	}{
		"a node":                      {1, inlinedNode(), "main.main", false},
		"behind the last of the tree": {1, append(tiny.Words32(0, 0, 0, 1), inlinedNode()...), "", false},
		"the second of a tree":        {2, append(tiny.Words32(0, 0, 0, 1), inlinedNode()...), "main.main", false},
		"no node of any instruction":  {0, inlinedNode(), "", false},
		"not at a node's place":       {1, tiny.Words32(0, 0, 10, 10), "", false},
		"no trees there":              {1, tiny.Words32(1<<32-1, 10, 0, 7), "", true},
	} {
		b, err := inlinedOf(t, withInlined(inlinedTable(test.nodes), test.trees))
		if err != nil || b.Inlined["main.small"] != test.into || b.InlinedUnknown != test.unknown {
			t.Errorf("%s: %v, %+v", name, err, b)
		}
	}
}

// FuzzInlined changes the function table, and the trees that it has of what was
// inlined.
func FuzzInlined(f *testing.F) {
	for nodes := range byte(3) {
		f.Add(inlinedTable(nodes), append(inlinedNode(), inlinedNode()...))
	}
	f.Fuzz(func(t *testing.T, table, trees []byte) {
		data := withInlined(table, trees)
		inspectBounded(t, bytes.NewReader(data), int64(len(data)))
		if b, err := inlinedOf(t, data); err == nil && len(b.Inlined) > 2 {
			t.Errorf("of two functions, %d were inlined", len(b.Inlined))
		}
	})
}
