package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// Build plans the tracing of a binary. lookup and types answer for this binary.
func Build(
	b *model.Binary, libraries []probe.Library, lookup model.FieldLookup, types model.TypeLookup,
) *Plan {
	p := planner{binary: b, libraries: extend(libraries), lookup: lookup, types: types}
	planned := &Plan{}
	for i := range p.libraries {
		planned.Libraries = append(planned.Libraries, p.library(&p.libraries[i]))
	}
	for i := range p.libraries {
		p.addDependent(planned, i)
	}
	id, idErr := lookup(probe.GoroutineID)
	status, statusErr := lookup(probe.GoroutineStatus)
	if idErr == nil && statusErr == nil && id.Exists && status.Exists {
		planned.Goroutine = &Goroutine{ID: id.Offset, Status: status.Offset}
	}
	return planned
}

// planner plans one binary.
type planner struct {
	binary    *model.Binary
	libraries []extended
	lookup    model.FieldLookup
	types     model.TypeLookup
	sites     int // of all libraries
}

// extended is a library, with the extensions that others have for it.
type extended struct {
	*probe.Library
	extensions []extension
}

type extension struct {
	*probe.Extension
	by int // index of the library that has it
}

// extend finds the extensions of each library. An extension of a library that the user does not
// want is of no account.
func extend(libraries []probe.Library) []extended {
	all := make([]extended, len(libraries))
	for i := range libraries {
		all[i].Library = &libraries[i]
		for by := range libraries {
			for n := range libraries[by].Extensions {
				if e := &libraries[by].Extensions[n]; e.Of == libraries[i].Name {
					all[i].extensions = append(all[i].extensions, extension{e, by})
				}
			}
		}
	}
	return all
}

// library plans what does not depend on other libraries.
func (p *planner) library(library *extended) Library {
	l := Library{Library: string(library.Name), Option: library.Option.String()}
	if !p.uses(library) {
		l.LeftOut = p.elsewhere(library)
		l.Unused = l.LeftOut == ""
		return l
	}
	if err := checkABI(p.binary); err != nil {
		l.LeftOut = err.Error()
		return l
	}
	l.Offsets = blankOffsets(library)
	for _, function := range library.Functions {
		if f, exists := p.binary.Functions[function.Symbol]; exists {
			l.set(function.Slot, distance(p.binary, f.Address))
		}
	}
	var failures, notes reasons
	if !library.Auxiliary() {
		p.addHooks(&l, library.Hooks, &failures, &notes)
	}
	if p.binary.InlinedUnknown && profiled(p.binary) {
		notes.add("what was inlined because of the profile that it was built with",
			"this version of Go writes it down in a way that is not known; "+
				"such calls would not be seen")
	}
	p.addFields(&l, library, &failures, &notes)
	for _, t := range library.Types {
		address, err := p.typeAddress(t)
		if err != nil {
			notes.add("the type "+t.Name, err.Error())
			continue
		}
		l.set(t.Slot, distance(p.binary, address))
	}
	l.LeftOut, l.Notes = strings.Join(failures.list(), "; "), notes.list()
	if other := p.elsewhere(library); other != "" {
		l.Notes = append(l.Notes, other)
	}
	return l
}

// addHooks adds the sites of a library's own hooks.
func (p *planner) addHooks(l *Library, hooks []probe.Hook, failures, notes *reasons) {
	b := p.binary
	for i := range hooks {
		hook := &hooks[i]
		if !p.wants(hook, hooks) {
			continue // it is of another version, or not used
		}
		into, inlined := b.Inlined[hook.Symbol]
		inlinedInto := fmt.Sprintf("the compiler has inlined calls of it into %s, "+
			"where they are not seen", into)
		switch err := p.add(l, hook); {
		case inlined && !hook.Optional && (profiled(b) || len(b.Settings) == 0):
			failures.add(hook.Symbol,
				inlinedInto+" (built with -pgo=off it would be traced)")
		case err == nil && inlined && (profiled(b) || !hook.Optional):
			notes.add(hook.Symbol, inlinedInto)
		case err == nil:
		case hook.Optional:
			notes.add(hook.Symbol, err.Error())
		default:
			failures.add(hook.Symbol, err.Error())
		}
	}
}

// addDependent adds what depends on which other libraries are traced: hooks of auxiliary libraries
// and of extensions, and whether operations have children.
func (p *planner) addDependent(planned *Plan, index int) {
	l, library := &planned.Libraries[index], &p.libraries[index]
	if !l.Traced() {
		return
	}
	if library.ChildrenSlot != 0 && p.anyTraced(planned, func(other *probe.Library) bool {
		return other.Role.SeeksParents() || slices.Contains(other.Parents, library.Name)
	}) {
		l.set(library.ChildrenSlot, 1)
	}
	var hooks []probe.Hook
	if p.anyTraced(planned, func(other *probe.Library) bool {
		return slices.Contains(library.WorksFor, other.Role)
	}) {
		hooks = library.Hooks
	}
	for _, extension := range library.extensions {
		if planned.Libraries[extension.by].Traced() {
			hooks = slices.Concat(hooks, extension.Hooks)
		}
	}
	var notes reasons
	for i := range hooks {
		hook := &hooks[i]
		added := slices.ContainsFunc(hooks[:i], func(h probe.Hook) bool { return h.Same(hook) })
		if !added && p.wants(hook, hooks) {
			if err := p.add(l, hook); err != nil {
				notes.add(hook.Symbol, err.Error())
			}
		}
	}
	l.Notes = append(l.Notes, notes.list()...)
	if library.Auxiliary() && len(l.Sites) == 0 {
		*l = Library{Library: l.Library, Option: l.Option, Unused: true}
	}
}

// anyTraced tells whether a library of some kind is traced in the binary.
func (p *planner) anyTraced(planned *Plan, is func(*probe.Library) bool) bool {
	for i := range p.libraries {
		if planned.Libraries[i].Traced() && is(p.libraries[i].Library) {
			return true
		}
	}
	return false
}

// add gives a hook its sites.
func (p *planner) add(l *Library, hook *probe.Hook) error {
	b := p.binary
	sites, err := choose(b, *hook)
	if err != nil {
		return err
	}
	if p.sites+len(sites) > maxSites {
		return fmt.Errorf("with it, more than %d instructions would have probes", maxSites)
	}
	added := l.addDeferred(b, hook, sites)
	p.sites += len(added)
	l.Sites = append(l.Sites, added...)
	if hook.SiteSlot != 0 && len(sites) == 1 {
		l.set(hook.SiteSlot, distance(b, sites[0].Address))
	}
	if hook.Slot != 0 && !hook.OnDemand {
		l.set(hook.Slot, 1)
	}
	return nil
}

// addDeferred has what a function defers take the place of the returns before which that runs.
// If the planner cannot find that out, the returns have probes.
func (l *Library) addDeferred(b *model.Binary, hook *probe.Hook, returns []Site) []Site {
	if hook.Deferred == nil {
		return returns
	}
	deferred, err := findDeferred(b, b.Functions[hook.Symbol], hook.Deferred)
	if err != nil {
		return returns
	}
	sites := deferred.sites
	for _, site := range returns {
		if !deferred.covers(site.Address) {
			sites = append(sites, site)
		}
	}
	if len(sites) > maxHookSites {
		return returns
	}
	for n, value := range append(deferred.results, deferred.frame, deferred.above) {
		l.set(hook.Deferred.Slot+uintptr(n)*4, value)
	}
	return sites
}
