// Package attach puts plans into the kernel: it loads the objects, links their
// programs to binaries, and undoes all of it. It is the only importer of
// cilium/ebpf/link.
package attach

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"

	"github.com/spanprobe/spanprobe/internal/probe"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// Options has the sizes of the maps, and the settings of the programs.
type Options struct {
	RingBufferSize int  // bytes; a power of two and a multiple of the page size
	MaxActive      int  // operations in flight of a process, for each library
	MaxBinaries    int  // attached at one time
	Listen         bool // whether to report listen(2)
	// SamplingThreshold is the least value of the last 56 bits of the id of a sampled trace: 0
	// samples all traces, 2^56 none.
	SamplingThreshold uint64
	// OwnState is the tracestate of a trace that begins at that threshold; "" for 0.
	OwnState string
	// Isolated has no operation know of another.
	Isolated bool
	// IgnoreParent applies the threshold to operations with a remote parent, too.
	IgnoreParent bool
}

// Kernel has the loaded programs: those that report on processes, which run already, and those of
// the libraries, which are attached to nothing yet. All methods but Close may be called
// concurrently.
type Kernel struct {
	process     *ebpf.Collection
	libraries   []loadedLibrary
	tracepoints []link.Link
	multi       bool   // uprobe_multi links: Linux 6.6 and later
	descriptors budget // of the probes' links
	probes      budget
	constants   map[string]any // variables that are the same in all objects
	seed        hashSeed
}

type loadedLibrary struct {
	probe.Library
	objects *ebpf.Collection
	room    room // of its map of operations in flight
}

// Load loads everything and starts the reports on processes. It undoes its work when it fails.
// tracepoints returns the specification of the programs that report, with all maps that the
// libraries share.
func Load(
	tracepoints func(listen bool) (*ebpf.CollectionSpec, error), libraries []probe.Library,
	options Options,
) (_ *Kernel, err error) {
	k := &Kernel{}
	defer func() {
		if err != nil {
			err = errors.Join(ExplainDescriptors(err), k.Close())
		}
	}()
	k.multi = features.HaveBPFLinkUprobeMulti() == nil
	limit, err := descriptors()
	if err != nil {
		return nil, err
	}
	k.descriptors.ofDescriptors(limit)
	k.probes.left.Store(maxProbes)

	spec, err := tracepoints(options.Listen)
	if err != nil {
		return nil, fmt.Errorf("read the object of the tracepoints: %w", err)
	}
	spec.Maps[wire.MapSpans].MaxEntries = uint32(options.RingBufferSize)
	// A set has eight places, of which an operation takes three at the most. With one set for each
	// hardly any is ever full: operations are spread over sets at random.
	sets := uint32(1) << bits.Len(uint(options.MaxActive-1))
	spec.Maps[wire.MapSpanContexts].MaxEntries = sets
	if injects(libraries) {
		spec.Maps[wire.MapTracestates].MaxEntries = tracestateSets(sets)
	}
	if err := binary.Read(rand.Reader, binary.NativeEndian, &k.seed); err != nil {
		return nil, fmt.Errorf("choose a seed for hashes: %w", err)
	}
	if k.constants, err = constants(sets, k.seed, libraries, options); err != nil {
		return nil, err
	}
	if err := setVariables(spec, k.constants); err != nil {
		return nil, err
	}
	if k.process, err = ebpf.NewCollection(spec); err != nil {
		return nil, fmt.Errorf("load the tracepoints: %w", err)
	}
	for i, library := range libraries {
		loaded, err := k.loadLibrary(i, library, options)
		if err != nil {
			return nil, fmt.Errorf("load the programs of %s: %w", library.Name, err)
		}
		k.libraries = append(k.libraries, loaded)
	}
	for name, program := range k.process.Programs {
		l, err := link.AttachTracing(link.TracingOptions{Program: program})
		if err != nil {
			return nil, fmt.Errorf("attach %s: %w", name, err)
		}
		k.tracepoints = append(k.tracepoints, l)
	}
	return k, nil
}

// tracestateSets is how many sets of eight places there are for tracestates. A served request has
// at most one.
func tracestateSets(spanSets uint32) uint32 { return max(spanSets/8, 1) }

func injects(libraries []probe.Library) bool {
	return slices.ContainsFunc(
		libraries, func(l probe.Library) bool { return l.Option == probe.Inject },
	)
}

func constants(
	sets uint32, seed hashSeed, libraries []probe.Library, options Options,
) (map[string]any, error) {
	own, err := wire.KeepTracestate(options.OwnState)
	if err != nil {
		return nil, err
	}
	return map[string]any{
		wire.VariableOwnState:          own,
		wire.VariableLastSet:           sets - 1,
		wire.VariableLastTracestateSet: tracestateSets(sets) - 1,
		wire.VariableHashSeed:          seed,
		wire.VariableInjects:           truth(injects(libraries)),
		wire.VariableIsolated:          truth(options.Isolated),
		wire.VariableSamplingThreshold: options.SamplingThreshold,
		wire.VariableParentBased:       truth(!options.IgnoreParent),
	}, nil
}

// truth is a bool of C.
func truth(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// setVariables sets those of the variables that the programs of an object have a use for.
func setVariables(spec *ebpf.CollectionSpec, constants map[string]any) error {
	for name, value := range constants {
		variable := spec.Variables[name]
		if variable == nil {
			continue
		}
		if err := variable.Set(value); err != nil {
			return err
		}
	}
	return nil
}

func (k *Kernel) loadLibrary(
	index int, library probe.Library, options Options,
) (loaded loadedLibrary, err error) {
	loaded.Library = library
	spec, err := library.Load()
	if err != nil {
		return loaded, fmt.Errorf("read the object: %w", err)
	}
	replacements := map[string]*ebpf.Map{}
	for _, name := range []string{
		wire.MapProcesses, wire.MapCounters, wire.MapSpans, wire.MapSpanContexts,
		wire.MapTracestates, wire.MapWaiting, wire.MapLosses,
	} {
		if spec.Maps[name] != nil {
			spec.Maps[name].MaxEntries = k.process.Maps[name].MaxEntries()
			replacements[name] = k.process.Maps[name]
		}
	}
	spec.Maps[wire.MapOffsets].MaxEntries = uint32(options.MaxBinaries)
	if size := spec.Maps[wire.MapOffsets].ValueSize; uintptr(size) != library.OffsetsSize {
		return loaded, fmt.Errorf(
			"its offsets have %d bytes in C and %d in Go", size, library.OffsetsSize,
		)
	}
	constants := maps.Clone(k.constants)
	if operations := spec.Maps[wire.MapOperations]; operations != nil {
		room := &loaded.room
		*room = roomFor(options.MaxActive, spec.Variables[wire.VariableMaxKept] != nil)
		operations.MaxEntries = room.entries
		constants[wire.VariableMaxKept] = room.kept
		constants[wire.VariableShare] = room.share
		constants[wire.VariablePool] = room.pool
	}
	constants[wire.VariableLibrary] = uint16(index)
	// A quarter full is worth a wake-up before the reader looks by itself. From there on a process
	// has a share of the room.
	constants[wire.VariableWakeupBytes] = uint64(options.RingBufferSize / 4)
	if err := setVariables(spec, constants); err != nil {
		return loaded, err
	}
	for _, program := range spec.Programs {
		if program.Type == ebpf.Kprobe && k.multi {
			program.AttachType = ebpf.AttachTraceUprobeMulti
		}
	}
	loaded.objects, err = ebpf.NewCollectionWithOptions(
		spec, ebpf.CollectionOptions{MapReplacements: replacements},
	)
	return loaded, err
}

// Spans is the ring buffer of finished spans.
func (k *Kernel) Spans() *ebpf.Map { return k.process.Maps[wire.MapSpans] }

// Events is the ring buffer of reports on processes, each a wire.Event.
func (k *Kernel) Events() *ebpf.Map { return k.process.Maps[wire.MapEvents] }

// Counters adds each counter up over all processors.
func (k *Kernel) Counters() (sums wire.Counts, err error) {
	var processors []wire.Counts
	if err := k.process.Maps[wire.MapCounters].Lookup(uint32(0), &processors); err != nil {
		return sums, fmt.Errorf("read the counters: %w", err)
	}
	for i := range processors {
		for counter, n := range processors[i].N {
			sums.N[counter] += n
		}
	}
	return sums, nil
}

// Close stops the reports and unloads everything. Attachments are closed before.
func (k *Kernel) Close() error {
	err := closeLinks(k.tracepoints)
	k.tracepoints = nil
	for _, library := range k.libraries {
		library.objects.Close()
	}
	k.libraries = nil
	if k.process != nil {
		k.process.Close()
		k.process = nil
	}
	return err
}

// closeLinks closes all links at once. Each waits for a grace period of the kernel, and together
// they wait for the same one.
func closeLinks(links []link.Link) error {
	errs := make([]error, len(links))
	var wg sync.WaitGroup
	for i, l := range links {
		wg.Go(func() { errs[i] = l.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}
