// Package plan decides how a binary is traced: which instruction stands for each
// event that a library's programs want to see, and at which offsets they find
// what they read. It is pure: the same binary gives the same plan.
package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// Plan is how a binary is traced.
type Plan struct {
	Libraries []Library `json:"libraries"`
	// Goroutine says how it is told whether a goroutine has ended; nil: it cannot be.
	Goroutine *Goroutine `json:"-"`
}

// Goroutine is where runtime.g has what is asked of a goroutine, in bytes.
type Goroutine struct{ ID, Status uint64 }

// Library is how one library in a binary is traced, or why it is not.
type Library struct {
	Library string  `json:"library"`
	Unused  bool    `json:"unused,omitempty"`   // the binary has none of its functions
	LeftOut string  `json:"left_out,omitempty"` // why it is not traced although it is used
	Option  string  `json:"option,omitempty"`   // key of the configuration that says whether it is attached at all; "": it always is
	Sites   []Site  `json:"sites,omitempty"`
	Fields  []Field `json:"fields,omitempty"`
	// Notes are the optional things that are missing, and why.
	Notes []string `json:"notes,omitempty"`
	// Offsets is the value for the library's map "offsets".
	Offsets []byte `json:"-"`
}

// Traced tells whether there is anything to attach.
func (l *Library) Traced() bool { return !l.Unused && l.LeftOut == "" }

// Traced tells whether there is anything to attach.
func (p *Plan) Traced() bool {
	for i := range p.Libraries {
		if p.Libraries[i].Traced() {
			return true
		}
	}
	return false
}

// Class says what a probe at an instruction costs.
type Class string

// The classes of instructions.
const (
	Emulated      Class = "emulated"       // the kernel does what the instruction would have done
	SingleStepped Class = "single-stepped" // the instruction runs elsewhere, with a second trap behind it
)

// Site is one instruction that gets a probe.
type Site struct {
	Symbol      string `json:"symbol"`
	Event       string `json:"event"` // "enter" or "return"
	Program     string `json:"program"`
	Address     uint64 `json:"address"`     // virtual, as linked
	FileOffset  uint64 `json:"file_offset"` // bytes
	Instruction string `json:"instruction"`
	Class       Class  `json:"class"`
	// OnDemand sites get no probe before records tell that they are missed.
	OnDemand bool `json:"on_demand,omitempty"`
	// Slot is where the library's offsets say that the hook has probes, in
	// bytes; 0: nowhere.
	Slot uintptr `json:"-"`
}

// Field is one offset that the programs get.
type Field struct {
	model.Field
	Exists   bool         `json:"exists"`
	Offset   uint64       `json:"offset"` // bytes; meaningless if it does not exist
	Source   model.Source `json:"source"`
	Optional bool         `json:"optional,omitempty"` // the programs can do without
}

// Build plans the tracing of a binary. lookup and types answer for this binary.
func Build(b *model.Binary, libraries []probe.Library, lookup model.FieldLookup, types model.TypeLookup) *Plan {
	p := &Plan{}
	for i := range libraries {
		p.Libraries = append(p.Libraries, buildLibrary(b, &libraries[i], libraries, lookup, types))
	}
	for i := range libraries {
		p.addDependent(b, &libraries[i], i)
	}
	id, idErr := lookup(probe.GoroutineID)
	status, statusErr := lookup(probe.GoroutineStatus)
	if idErr == nil && statusErr == nil && id.Exists && status.Exists {
		p.Goroutine = &Goroutine{ID: id.Offset, Status: status.Offset}
	}
	return p
}

// traces tells whether one of these libraries is traced.
func (p *Plan) traces(names []string) bool {
	return slices.ContainsFunc(p.Libraries, func(l Library) bool { return slices.Contains(names, l.Library) && l.Traced() })
}

// addDependent adds what depends on other libraries: sites of hooks, and whether operations have children.
func (p *Plan) addDependent(b *model.Binary, library *probe.Library, index int) {
	l := &p.Libraries[index]
	if !l.Traced() {
		return
	}
	if library.ChildrenSlot != 0 && p.traces(library.Children) {
		l.set(library.ChildrenSlot, 1)
	}
	var notes reasons
	for _, hook := range library.Hooks {
		if p.traces(hook.IfTraced) && wanted(b, library, &hook) {
			if err := l.add(b, &hook); err != nil {
				notes.add(hook.Symbol, err.Error())
			}
		}
	}
	l.Notes = append(l.Notes, notes.list()...)
	if library.Auxiliary && len(l.Sites) == 0 {
		*l = Library{Library: library.Name, Option: library.Option.String(), Unused: true}
	}
}

// add gives a hook its sites.
func (l *Library) add(b *model.Binary, hook *probe.Hook) error {
	sites, err := choose(b, *hook)
	if err != nil {
		return err
	}
	l.Sites = append(l.Sites, l.addDeferred(b, hook, sites)...)
	if hook.SiteSlot != 0 && len(sites) == 1 {
		l.set(hook.SiteSlot, distance(b, sites[0].Address))
	}
	if hook.Slot != 0 && !hook.OnDemand {
		l.set(hook.Slot, 1)
	}
	return nil
}

// addDeferred has what a function defers take the place of the returns before which that runs. What cannot
// be found out changes nothing: the returns have probes.
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
	for n, value := range append(deferred.results, deferred.frame, deferred.above) {
		l.set(hook.Deferred.Slot+uintptr(n)*4, value)
	}
	return sites
}

func buildLibrary(b *model.Binary, library *probe.Library, all []probe.Library, lookup model.FieldLookup, types model.TypeLookup) Library {
	l := Library{Library: library.Name, Option: library.Option.String()}
	if !uses(b, library) {
		l.Unused = true
		return l
	}
	if err := checkABI(b); err != nil {
		l.LeftOut = err.Error()
		return l
	}
	l.Offsets = blankOffsets(library)
	for _, function := range library.Functions {
		if f, exists := b.Functions[function.Symbol]; exists {
			l.set(function.Slot, distance(b, f.Address))
		}
	}
	var failures, notes reasons
	for _, hook := range library.Hooks {
		if len(hook.IfTraced) > 0 || !wanted(b, library, &hook) {
			continue // of another version, or not used, or it comes later
		}
		if hook.Unless != (model.Field{}) {
			if answer, err := lookup(hook.Unless); err == nil && answer.Exists {
				continue
			}
		}
		into, inlined := b.Inlined[hook.Symbol]
		switch err := l.add(b, &hook); {
		case inlined && !hook.Optional && (profiled(b) || len(b.Settings) == 0):
			failures.add(hook.Symbol, fmt.Sprintf("the compiler has inlined calls of it into %s, where they are not seen (built with -pgo=off it would be traced)", into))
		case err == nil && inlined && (profiled(b) || !hook.Optional):
			notes.add(hook.Symbol, fmt.Sprintf("the compiler has inlined calls of it into %s, where they are not seen", into))
		case err == nil:
		case hook.Optional:
			notes.add(hook.Symbol, err.Error())
		default:
			failures.add(hook.Symbol, err.Error())
		}
	}
	if b.InlinedUnknown && profiled(b) {
		notes.add("what was inlined because of the profile that it was built with", "this version of Go writes it down in a way that is not known; such calls would not be seen")
	}
	l.addFields(b, library, all, lookup, &failures, &notes)
	for _, t := range library.Types {
		address, err := typeAddress(b, t.Name, lookup, types)
		if err != nil {
			notes.add("the type "+t.Name, err.Error())
			continue
		}
		l.set(t.Slot, distance(b, address))
	}
	l.LeftOut, l.Notes = strings.Join(failures.list(), "; "), notes.list()
	return l
}

// wanted tells whether a binary has what a hook is for.
func wanted(b *model.Binary, library *probe.Library, hook *probe.Hook) bool {
	has := func(symbol string) bool { return has(b, symbol) }
	if has(hook.Without) || hook.Arch != "" && hook.Arch != b.Arch {
		return false
	}
	if len(hook.With) > 0 && !slices.ContainsFunc(hook.With, has) {
		return false
	}
	if hook.Together != "" {
		return slices.ContainsFunc(library.Hooks, func(other probe.Hook) bool {
			return other.Together == hook.Together && has(other.Symbol)
		})
	}
	return !hook.Optional || has(hook.Symbol)
}

// reasons says why things are missing, each reason once.
type reasons []reason

type reason struct {
	why   string
	lacks []string // functions or fields
}

func (r *reasons) add(what, why string) {
	for i := range *r {
		if (*r)[i].why == why {
			(*r)[i].lacks = append((*r)[i].lacks, what)
			return
		}
	}
	*r = append(*r, reason{why, []string{what}})
}

func (r reasons) list() []string {
	const named = 3 // the rest is counted
	var list []string
	for _, one := range r {
		what := strings.Join(one.lacks[:min(named, len(one.lacks))], ", ")
		if more := len(one.lacks) - named; more > 0 {
			what += fmt.Sprintf(" and %d more", more)
		}
		list = append(list, what+": "+one.why)
	}
	return list
}

// uses tells whether a binary has any function at which an operation begins or
// ends; those of optional hooks alone are not worth it, but for who works for others.
func uses(b *model.Binary, library *probe.Library) bool {
	for _, hook := range library.Hooks {
		if has(b, hook.Symbol) && (!hook.Optional || library.Auxiliary) {
			return true
		}
	}
	return false
}

// has tells whether a binary has a function, be it only where a profile had it inlined.
// What is inlined without one is small, and may be there for the sake of a type alone.
func has(b *model.Binary, symbol string) bool {
	_, exists := b.Functions[symbol]
	return exists || profiled(b) && b.Inlined[symbol] != ""
}

// profiled tells whether a binary was optimized by a profile: without one the
// compiler inlines none of the functions that must be seen.
func profiled(b *model.Binary) bool { return b.Settings["-pgo"] != "" }
