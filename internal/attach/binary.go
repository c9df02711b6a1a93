package attach

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/wire"
)

// Attachment is one binary's probes. Its methods may be called concurrently.
type Attachment struct {
	kernel     *Kernel
	executable *link.Executable
	index      uint32

	mu     sync.Mutex
	closed bool
	links  []link.Link
	// What it has taken of the kernel's budgets.
	descriptors, probes int
	onDemand            map[string]pendingHooks // by library
}

// pendingHooks are the hooks on demand of a library, before they are attached.
type pendingHooks struct {
	sites   []plan.Site
	offsets []byte // those that the programs have until then
}

// Attach links the sites of a plan to the file, except those on demand. The links hold for all
// processes that run the file, now and later. The file is the one that was inspected, since its
// path could name another file by now. It stays open as long as the attachment. Programs find the
// binary's offsets by the index, which is unique among the attached binaries.
func (k *Kernel) Attach(file *os.File, index uint32, p *plan.Plan) (_ *Attachment, err error) {
	a := &Attachment{kernel: k, index: index, onDemand: map[string]pendingHooks{}}
	defer func() {
		if err != nil {
			err = errors.Join(ExplainDescriptors(err), a.Close())
		}
	}()
	if !k.descriptors.take(1) { // the file's
		return nil, errDescriptors
	}
	a.descriptors = 1
	a.executable, err = link.OpenExecutable(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		return nil, fmt.Errorf("open the executable for probes: %w", err)
	}
	for _, library := range p.Libraries {
		if !library.Traced() {
			continue
		}
		var now, later []plan.Site
		for _, site := range library.Sites {
			if site.OnDemand {
				later = append(later, site)
			} else {
				now = append(now, site)
			}
		}
		if len(later) > 0 {
			a.onDemand[library.Library] = pendingHooks{later, library.Offsets}
		}
		if err := a.setOffsets(library.Library, library.Offsets); err != nil {
			return nil, err
		}
		if err := a.attach(library.Library, now); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Demand attaches the hooks on demand of a library. It does nothing when they are attached, or when
// an earlier attempt has failed.
func (a *Attachment) Demand(library string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	demanded, ok := a.onDemand[library]
	if !ok || a.closed {
		return nil
	}
	delete(a.onDemand, library)
	if err := a.attach(library, demanded.sites); err != nil {
		return ExplainDescriptors(err)
	}
	offsets := slices.Clone(demanded.offsets)
	for _, site := range demanded.sites {
		if site.Slot != 0 {
			binary.LittleEndian.PutUint32(offsets[site.Slot:], 1)
		}
	}
	return a.setOffsets(library, offsets)
}

// setOffsets gives a library's programs the binary's offsets.
func (a *Attachment) setOffsets(library string, offsets []byte) error {
	loaded := a.kernel.library(library)
	if loaded == nil {
		return fmt.Errorf("the plan names %s, which is not loaded", library)
	}
	if err := loaded.objects.Maps[wire.MapOffsets].Update(
		a.index, offsets, ebpf.UpdateAny,
	); err != nil {
		return fmt.Errorf("write the offsets of %s: %w", library, err)
	}
	return nil
}

// attach links a library's programs to sites.
func (a *Attachment) attach(library string, sites []plan.Site) error {
	loaded := a.kernel.library(library)
	for program, sites := range sitesByProgram(sites) {
		if err := a.take(sites); err != nil {
			return err
		}
		links, err := a.kernel.link(a.executable, loaded.objects.Programs[program], sites, a.index)
		a.links = append(a.links, links...)
		if err != nil {
			return fmt.Errorf("attach %s to %s: %w", program, sites[0].Symbol, err)
		}
	}
	return nil
}

func (k *Kernel) library(name string) *loadedLibrary {
	for i := range k.libraries {
		if string(k.libraries[i].Name) == name {
			return &k.libraries[i]
		}
	}
	return nil
}

func sitesByProgram(sites []plan.Site) map[string][]plan.Site {
	by := map[string][]plan.Site{}
	for _, site := range sites {
		by[site.Program] = append(by[site.Program], site)
	}
	return by
}

// take takes from the budgets what the links of a program to sites need.
func (a *Attachment) take(sites []plan.Site) error {
	descriptors := 1
	if !a.kernel.multi {
		descriptors = 2 * len(sites) // a perf event for each, and a link
	}
	if !a.kernel.probes.take(len(sites)) {
		return errProbes
	}
	a.probes += len(sites)
	if !a.kernel.descriptors.take(descriptors) {
		return errDescriptors
	}
	a.descriptors += descriptors
	return nil
}

// link makes one link for all sites of a program where the kernel can do so, and otherwise one for
// each. It returns the links that it has made even when it fails.
func (k *Kernel) link(
	executable *link.Executable, program *ebpf.Program, sites []plan.Site, index uint32,
) ([]link.Link, error) {
	if program == nil {
		return nil, errors.New("the object has no such program")
	}
	if k.multi {
		offsets := make([]uint64, len(sites))
		cookies := make([]uint64, len(sites))
		for i, site := range sites {
			offsets[i], cookies[i] = site.FileOffset, uint64(index)
		}
		l, err := executable.UprobeMulti(
			nil, program, &link.UprobeMultiOptions{Addresses: offsets, Cookies: cookies},
		)
		if err != nil {
			return nil, err
		}
		return []link.Link{l}, nil
	}
	var links []link.Link
	for _, site := range sites {
		l, err := executable.Uprobe(
			site.Symbol, program,
			&link.UprobeOptions{Address: site.FileOffset, Cookie: uint64(index)},
		)
		if err != nil {
			return links, err
		}
		links = append(links, l)
	}
	return links, nil
}

// Close takes the probes out again. The binary's own instructions are back when
// it returns.
func (a *Attachment) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	err := closeLinks(a.links)
	a.kernel.descriptors.give(a.descriptors)
	a.kernel.probes.give(a.probes)
	a.links, a.descriptors, a.probes = nil, 0, 0
	return err
}
