package attach

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/spanprobe/spanprobe/internal/plan"
)

// Attachment is one binary's probes.
type Attachment struct {
	links []link.Link
}

// Attach links the sites of a plan to the file, for all processes that run it
// now and later. The file is the one that was inspected: a path could name
// another one by now. index, unique among the attached binaries, is how the
// programs know the binary's offsets.
func (k *Kernel) Attach(file *os.File, index uint32, p *plan.Plan) (_ *Attachment, err error) {
	a := &Attachment{}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	executable, err := link.OpenExecutable(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		return nil, fmt.Errorf("open the executable for probes: %w", err)
	}
	for _, library := range p.Libraries {
		if !library.Traced() {
			continue
		}
		loaded := k.library(library.Library)
		if loaded == nil {
			return nil, fmt.Errorf("the plan names %s, which is not loaded", library.Library)
		}
		if err := loaded.objects.Maps[mapOffsets].Update(index, library.Offsets, ebpf.UpdateAny); err != nil {
			return nil, fmt.Errorf("write the offsets of %s: %w", library.Library, err)
		}
		for program, sites := range sitesByProgram(library.Sites) {
			links, err := k.link(executable, loaded.objects.Programs[program], sites, index)
			a.links = append(a.links, links...)
			if err != nil {
				return nil, fmt.Errorf("attach %s to %s: %w", program, sites[0].Symbol, err)
			}
		}
	}
	return a, nil
}

func (k *Kernel) library(name string) *loadedLibrary {
	for i := range k.libraries {
		if k.libraries[i].Name == name {
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

// link makes one link for all sites of a program where the kernel can, and one
// for each where it cannot. It returns what it made even when it fails.
func (k *Kernel) link(executable *link.Executable, program *ebpf.Program, sites []plan.Site, index uint32) ([]link.Link, error) {
	if program == nil {
		return nil, errors.New("the object has no such program")
	}
	if k.multi {
		offsets := make([]uint64, len(sites))
		cookies := make([]uint64, len(sites))
		for i, site := range sites {
			offsets[i], cookies[i] = site.FileOffset, uint64(index)
		}
		l, err := executable.UprobeMulti(nil, program, &link.UprobeMultiOptions{Addresses: offsets, Cookies: cookies})
		if err != nil {
			return nil, err
		}
		return []link.Link{l}, nil
	}
	var links []link.Link
	for _, site := range sites {
		l, err := executable.Uprobe(site.Symbol, program, &link.UprobeOptions{Address: site.FileOffset, Cookie: uint64(index)})
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
	err := closeLinks(a.links)
	a.links = nil
	return err
}
