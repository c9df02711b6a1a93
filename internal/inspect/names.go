package inspect

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// newTracerProvider is how the name of the function ends that makes tracer providers
// of OpenTelemetry's SDK (sdk/trace/provider.go of go.opentelemetry.io/otel), in a
// vendor folder or a fork as well. The linker leaves out what is never called: a
// program that gets no more than the API, the types or the metrics from its
// dependencies does not have it.
const newTracerProvider = "/sdk/trace.NewTracerProvider"

// vendored stands in the names of what a build without modules (GO111MODULE=off) takes from a
// vendor folder. Behind it the package's own path begins.
const vendored = "/vendor/"

// plain gives the name of a function or a type without the vendor folder that its project was found
// in, and any other name as it is.
func (f *File) plain(name string) string {
	if i := strings.LastIndex(name, vendored); i >= 0 {
		i += len(vendored)
		if f.folders[projectOf(name[i:])] == name[:i] {
			return name[i:]
		}
	}
	return name
}

// functionNames are those that matter of a table's, by their offsets.
type functionNames struct {
	wanted    map[uint32]string // without vendor folders
	providers map[uint32]string // end in newTracerProvider
	others    map[uint32]otherName
	folders   map[string]string // of projects that are in vendor folders only
}

// otherName is the whole name of a function that a wanted one would have in another package: in a
// fork, or in a second copy.
type otherName struct{ whole, wanted string }

// Bounds on what is kept of a table's names.
const (
	// maxPlaces bounds how often the table may have one of the wanted names: linkers
	// write a name once, or once for each ABI of the function.
	maxPlaces = 4
	maxOthers = 256
	maxFolder = 1024 // bytes of the path of a vendor folder
)

// nameSearch goes through the names of a table.
type nameSearch struct {
	places  map[string]int    // how often each wanted name was found
	longest int               // of these
	tails   map[string]string // the wanted names of modules, by what is behind their last slash
	placed  []placedName
	functionNames
}

// placedName is a wanted name in a table, and the vendor folder in front of it; "" for none.
type placedName struct {
	at           uint32
	name, folder string
}

// findNames finds where the wanted names are in the table's.
func (t *pclntab) findNames(wanted []string) (*functionNames, error) {
	s := nameSearch{
		places: make(map[string]int, len(wanted)), tails: map[string]string{},
		functionNames: functionNames{
			wanted: make(map[uint32]string, len(wanted)), providers: map[uint32]string{},
			others: map[uint32]otherName{}, folders: map[string]string{},
		},
	}
	for _, name := range wanted {
		s.places[name] = 0
		s.longest = max(s.longest, len(name))
		if ofModule(name) {
			s.tails[name[strings.LastIndexByte(name, '/')+1:]] = name
		}
	}
	area := io.NewSectionReader(t.reader, int64(t.names), int64(t.namesEnd-t.names))
	reader := bufio.NewReaderSize(area, windowSize)
	at := 0
	for {
		name, err := reader.ReadSlice(0)
		if err == nil {
			s.see(uint32(at), name[:len(name)-1])
		}
		at += len(name)
		if errors.Is(err, bufio.ErrBufferFull) {
			var n int
			n, err = discardName(reader)
			at += n
		}
		switch {
		case errors.Is(err, io.EOF):
			s.choose()
			return &s.functionNames, nil
		case err != nil:
			return nil, fmt.Errorf("read its names: %w", err)
		}
	}
}

// see looks at one name.
func (s *nameSearch) see(at uint32, name []byte) {
	plain := name
	if i := bytes.LastIndex(name, []byte(vendored)); i >= 0 {
		plain = name[i+len(vendored):]
	}
	if len(plain) <= s.longest {
		if seen, ok := s.places[string(plain)]; ok {
			if seen < maxPlaces && len(name)-len(plain) <= maxFolder {
				s.places[string(plain)]++
				folder := string(name[:len(name)-len(plain)])
				s.placed = append(s.placed, placedName{at, string(plain), folder})
			}
			return
		}
	}
	tail := name[bytes.LastIndexByte(name, '/')+1:]
	if wanted, ok := s.tails[string(tail)]; ok && ofModule(string(name)) {
		s.addOther(at, string(name), wanted)
	}
	if len(s.providers) < maxPlaces && bytes.HasSuffix(name, []byte(newTracerProvider)) {
		s.providers[at] = string(name)
	}
}

func (s *nameSearch) addOther(at uint32, whole, wanted string) {
	if len(s.others) < maxOthers {
		s.others[at] = otherName{text(whole), wanted}
	}
}

// choose takes the names of one copy of each project's packages: of that outside of vendor folders,
// or else of that with most of the names. Functions of two copies do not work together.
func (s *nameSearch) choose() {
	counts := map[string]map[string]int{}
	for _, p := range s.placed {
		project := projectOf(p.name)
		if counts[project] == nil {
			counts[project] = map[string]int{}
		}
		counts[project][p.folder]++
	}
	for project, folders := range counts {
		if folders[""] == 0 {
			s.folders[project] = slices.MaxFunc(slices.Sorted(maps.Keys(folders)),
				func(a, b string) int { return cmp.Compare(folders[a], folders[b]) })
		}
	}
	for _, p := range s.placed {
		if p.folder == s.folders[projectOf(p.name)] {
			s.wanted[p.at] = p.name
		} else {
			s.addOther(p.at, p.folder+p.name, p.name)
		}
	}
}

// projectOf gives the first two elements of the path of a function's package: "golang.org/x",
// "example.com/shop".
func projectOf(function string) string {
	host, rest, _ := strings.Cut(function, "/")
	if i := strings.IndexAny(rest, "/.("); i >= 0 {
		rest = rest[:i]
	}
	return host + "/" + rest
}

// ofModule tells whether a function is of a module that can be fetched: its host has a dot, which
// no element of a path in the standard library has.
func ofModule(function string) bool {
	host, _, is := strings.Cut(function, "/")
	return is && strings.Contains(host, ".")
}

// discardName passes over the rest of a name, and says how long that was.
func discardName(reader *bufio.Reader) (n int, err error) {
	for {
		rest, err := reader.ReadSlice(0)
		n += len(rest)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return n, err
		}
	}
}
