package probe

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
)

// Check reports the mistakes in a set of libraries that the compiler does not see: names of
// libraries and of programs that there are none of, slots outside of the offsets, and what does not
// fit a library's role. It loads the objects of all, but nothing into the kernel.
func Check(libraries []Library) error {
	c := checker{libraries: map[Name]*checked{}, slots: map[slotOf]Name{}}
	for i := range libraries {
		c.add(&libraries[i])
	}
	for i := range libraries {
		c.library(&libraries[i])
	}
	for i := range libraries {
		c.unhooked(&libraries[i])
	}
	return errors.Join(c.errs...)
}

type checker struct {
	libraries map[Name]*checked
	slots     map[slotOf]Name // who fills them
	errs      []error
}

// checked is a library, with the programs of its object.
type checked struct {
	*Library
	programs map[string]bool // whether a hook has it
}

// slotOf is a slot of a library that an extension fills.
type slotOf struct {
	library Name
	slot    uintptr
}

func (c *checker) fail(of Name, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("%s: %w", of, fmt.Errorf(format, args...)))
}

// add notes a library and the programs of its object.
func (c *checker) add(l *Library) {
	known := &checked{l, map[string]bool{}}
	if l.Name == "" || c.libraries[l.Name] != nil {
		c.fail(l.Name, "a library has a name of its own")
		return
	}
	c.libraries[l.Name] = known
	if l.Load == nil {
		c.fail(l.Name, "it has no object of programs")
		return
	}
	spec, err := l.Load()
	if err != nil {
		c.fail(l.Name, "%w", err)
		return
	}
	for name, program := range spec.Programs {
		if program.Type == ebpf.Kprobe {
			known.programs[name] = false
		}
	}
}

func (c *checker) library(l *Library) {
	if c.libraries[l.Name] == nil {
		return // it has no name
	}
	switch {
	case l.Auxiliary() == (l.Role != 0):
		c.fail(l.Name, "a library has a role, or works for those of some")
	case l.Auxiliary() != (l.Decode == nil) || l.Auxiliary() != (l.Attributes == nil):
		c.fail(l.Name, "a library with a role has a decoder, and attributes, and no other has")
	case l.Role.HasChildren() != (l.ChildrenSlot != 0):
		c.fail(l.Name, "a library whose operations have children has a slot that says so")
	}
	c.slot(l, "the children", l.ChildrenSlot, 1)
	for _, parent := range l.Parents {
		if known := c.libraries[parent]; known == nil || !known.Role.HasChildren() {
			c.fail(l.Name, "there is no library %q whose operations have children", parent)
		}
	}
	c.hooks(l.Name, l, l.Hooks)
	c.fields(l.Name, l, l.Fields)
	for _, function := range l.Functions {
		c.slot(l, function.Symbol, function.Slot, 1)
	}
	for _, t := range l.Types {
		c.slot(l, t.Name, t.Slot, 1)
	}
	for _, extension := range l.Extensions {
		of := c.libraries[extension.Of]
		if of == nil {
			c.fail(l.Name, "there is no library %q to extend", extension.Of)
			continue
		}
		c.hooks(l.Name, of.Library, extension.Hooks)
		c.fields(l.Name, of.Library, extension.Fields)
		c.extended(l.Name, of.Library, extension.Fields)
	}
}

// hooks checks those that a library has, or that another one adds to it.
func (c *checker) hooks(by Name, l *Library, hooks []Hook) {
	programs := c.libraries[l.Name].programs
	attach := func(program string) {
		if _, ok := programs[program]; !ok {
			c.fail(by, "there is no program %q in the object of %s", program, l.Name)
			return
		}
		programs[program] = true
	}
	for i := range hooks {
		hook := &hooks[i]
		attach(hook.Program)
		if (hook.Event == Call) != (hook.Callee != "") {
			c.fail(by, "a hook on %s has a callee if it is on a call", hook.Symbol)
		}
		c.slot(l, hook.Symbol, hook.Slot, 1)
		c.slot(l, hook.Symbol, hook.SiteSlot, 1)
		if hook.Deferred != nil {
			attach(hook.Deferred.Program)
			c.slot(l, hook.Symbol, hook.Deferred.Slot, hook.Deferred.Results+2)
		}
	}
}

func (c *checker) fields(by Name, l *Library, fields []Field) {
	for _, field := range fields {
		c.slot(l, field.String(), field.Slot, 1)
		if by != l.Name && !field.Optional {
			c.fail(by, "%s is not optional, but %s is traced without %s", field, l.Name, by)
		}
	}
}

// extended checks that an extension shares its slots neither with the library nor with another
// extension: a binary may have all three.
func (c *checker) extended(by Name, l *Library, fields []Field) {
	for _, field := range fields {
		own := func(other Field) bool { return other.Slot == field.Slot }
		if slices.ContainsFunc(l.Fields, own) {
			c.fail(by, "%s has the slot of a field of %s", field, l.Name)
		}
		at := slotOf{l.Name, field.Slot}
		if other, taken := c.slots[at]; taken && other != by {
			c.fail(by, "%s has the slot of a field that %s adds to %s", field, other, l.Name)
		}
		c.slots[at] = by
	}
}

// slot checks that some slots lie in the library's offsets.
func (c *checker) slot(l *Library, of string, slot uintptr, count int) {
	const size = 4
	if slot%size != 0 || slot+uintptr(count)*size > max(l.OffsetsSize, size) {
		c.fail(l.Name, "the slot of %s, %d, is outside of %d bytes of offsets", of, slot,
			l.OffsetsSize)
	}
}

// unhooked finds programs that nothing attaches.
func (c *checker) unhooked(l *Library) {
	known := c.libraries[l.Name]
	if known == nil || known.Library != l {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(known.programs)) {
		if !known.programs[name] {
			c.fail(l.Name, "no hook attaches the program %q", name)
		}
	}
}
