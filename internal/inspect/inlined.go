package inspect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// The runtime knows for its tracebacks which calls of a function the compiler has
// inlined: each function has a tree of the calls that were inlined into it
// (src/runtime/symtabinl.go, inlinedCall; the layout is that of Go 1.20 to 1.27).
// Before there was no optimization by a profile, and what is probed is too large
// to be inlined without one.
const (
	inlineData  = 3  // FUNCDATA_InlTree: src/internal/abi/symtab.go
	inlineIndex = 2  // PCDATA_InlTreeIndex: which node of the tree an instruction belongs to
	nodeSize    = 16 // funcID and padding, nameOff, parentPc, startLine
	nodeName    = 4
)

// Bounds on the trees.
const (
	maxNodes      = 1 << 16  // of one tree
	maxTreesArea  = 64 << 20 // bytes from the first tree to the last; a program of 250 MB takes 20
	maxSuspects   = 1 << 10  // places that look like a wanted node
	treesCompared = 64       // that must be trees, where moduledata says that they are
)

// noData is the offset of a table that a function does not have.
const noData = 1<<32 - 1

// inlining collects where functions have the trees of what was inlined into them.
type inlining struct {
	table *pclntab
	names map[uint32]string // that are wanted, by offset
	trees []tree
}

// tree is where a function's tree is, from the beginning of all such data
// (moduledata.gofunc), and where its description is in the function table.
type tree struct{ at, function uint32 }

// note takes a function's tree.
func (in *inlining) note(d *description, function uint64) {
	if in.table.noInlining || d.n < funcTables || function > noData {
		return
	}
	tables := int(d.word(funcPCData))
	at := funcTables + 4*(tables+inlineData)
	if tables <= inlineIndex || tables > mostPCData || d.rest[funcData] <= inlineData ||
		at+4 > d.n {
		return
	}
	if offset := d.word(at); offset != noData {
		in.trees = append(in.trees, tree{offset, uint32(function)})
	}
}

// errNoTrees says that a binary has inlined functions, and that it is not known where.
var errNoTrees = errors.New("where the binary says which functions were inlined is not known")

// inlined finds the wanted functions that are inlined somewhere, each with one
// function that it is inlined into.
func (f *File) inlined(in *inlining, data *moduledata) (map[string]string, error) {
	if len(in.trees) == 0 || len(in.names) == 0 {
		return nil, nil
	}
	if data == nil {
		return nil, errNoTrees
	}
	all := f.treesArea(in, data)
	if all == nil {
		return nil, errNoTrees
	}
	first, last := in.trees[0].at, in.trees[0].at
	for _, t := range in.trees {
		first, last = min(first, t.at), max(last, t.at)
	}
	if last-first > maxTreesArea {
		return nil, errNoTrees
	}
	area := io.NewSectionReader(all, int64(first), int64(last-first)+maxNodes*nodeSize)
	found := map[string]string{}
	suspects := 0
	var low [1 << 16 / 64]uint64 // the set of the names' lower halves: nearly all words are in none
	for at := range in.names {
		low[at&0xffff/64] |= 1 << (at % 64)
	}
	err := eachChunk(area, 4, func(start int64, chunk []byte) (more bool) {
		for at := 0; at+4 <= len(chunk); at += 4 {
			word := binary.LittleEndian.Uint32(chunk[at:])
			if low[word&0xffff/64]&(1<<(word%64)) == 0 {
				continue
			}
			name, ok := in.names[word]
			if !ok || found[name] != "" {
				continue
			}
			if suspects++; suspects > maxSuspects {
				return false
			}
			if into := in.into(int64(first) + start + int64(at) - nodeName); into != "" {
				found[name] = into
			}
		}
		return true
	})
	if suspects > maxSuspects {
		err = errNoTrees
	}
	return found, err
}

// into is the name of the function whose tree has a node at an offset; "" if that
// is no node.
func (in *inlining) into(node int64) string {
	nearest := tree{}
	for _, t := range in.trees {
		if int64(t.at) <= node && t.at >= nearest.at {
			nearest = t
		}
	}
	index := (node - int64(nearest.at)) / nodeSize
	if node < int64(nearest.at) || (node-int64(nearest.at))%nodeSize != 0 || index >= maxNodes {
		return ""
	}
	var d description
	at := int64(in.table.entries) + int64(nearest.function)
	if n, err := in.table.reader.ReadAt(d.rest[:], at); err != nil &&
		n < funcTables+4*(inlineIndex+1) {
		return ""
	}
	if index > in.table.highest(d.word(funcTables+4*inlineIndex)) {
		return ""
	}
	return in.table.name(d.word(funcName))
}

// highest is the highest value of a table by program counters: pairs of deltas, of
// values and of addresses, in a variable-length code (src/runtime/symtab.go, step).
func (t *pclntab) highest(table uint32) int64 {
	if table == 0 {
		return -1 // there is none
	}
	var buffer [16 << 10]byte
	n, _ := t.reader.ReadAt(buffer[:], int64(t.pcTables)+int64(table)) // what is missing shows in n
	rest := buffer[:n]
	value, most := int64(-1), int64(-1)
	for first := true; ; first = false {
		delta, n := binary.Uvarint(rest)
		if n <= 0 || delta == 0 && !first {
			return most
		}
		value += int64(delta>>1) ^ -int64(delta&1)
		most = max(most, value)
		_, skipped := binary.Uvarint(rest[n:])
		if skipped <= 0 {
			return most
		}
		rest = rest[n+skipped:]
	}
}

// treesArea finds what the offsets of trees are relative to: moduledata.gofunc. It
// has had two places up to Go 1.27; it is the word behind which trees are.
func (f *File) treesArea(in *inlining, data *moduledata) *io.SectionReader {
	const behind = 35 // words: moduledata.gcdata, in all of them
	for _, word := range data[behind:] {
		if area := f.fromAddress(word, maxTreesArea); area != nil && in.areTrees(area) {
			return area
		}
	}
	return nil
}

// areTrees tells whether functions have their trees in an area: each begins with a
// node that has the name of a function.
func (in *inlining) areTrees(area *io.SectionReader) bool {
	step := max(len(in.trees)/treesCompared, 1)
	for i := 0; i < len(in.trees); i += step {
		var node [nodeSize]byte
		if _, err := area.ReadAt(node[:], int64(in.trees[i].at)); err != nil {
			return false
		}
		name := int64(binary.LittleEndian.Uint32(node[nodeName:]))
		if !bytes.Equal(node[1:4], make([]byte, 3)) || !in.table.namesAt(name) {
			return false
		}
	}
	return true
}

// namesAt tells whether a name begins at an offset in the table's names.
func (t *pclntab) namesAt(at int64) bool {
	if at < 0 || at >= int64(t.namesEnd-t.names) {
		return false
	}
	around := []byte{0, 0} // before the first is none
	from := int64(t.names) + at - 1
	if at == 0 {
		_, err := t.reader.ReadAt(around[1:], from+1)
		return err == nil && around[1] != 0
	}
	_, err := t.reader.ReadAt(around, from)
	return err == nil && around[0] == 0 && around[1] != 0
}
