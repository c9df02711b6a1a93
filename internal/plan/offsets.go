package plan

import (
	"encoding/binary"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// blankOffsets has nothing that is known: every slot of a field, a function, a type
// or a site holds Absent.
func blankOffsets(library *probe.Library) []byte {
	l := Library{Offsets: make([]byte, library.OffsetsSize)}
	for _, field := range library.Fields {
		l.set(field.Slot, probe.Absent)
	}
	for _, function := range library.Functions {
		l.set(function.Slot, probe.Absent)
	}
	for _, t := range library.Types {
		l.set(t.Slot, probe.Absent)
	}
	for _, hook := range library.Hooks {
		if hook.Deferred != nil {
			for n := range hook.Deferred.Results + 2 {
				l.set(hook.Deferred.Slot+uintptr(n)*4, probe.Absent)
			}
		}
		if hook.SiteSlot != 0 {
			l.set(hook.SiteSlot, probe.Absent)
		}
	}
	return l.Offsets
}

func (l *Library) set(slot uintptr, value uint32) {
	binary.LittleEndian.PutUint32(l.Offsets[slot:], value)
}

// distance is how far an address lies from the start of the binary's code, or
// Absent where that cannot be said.
func distance(b *model.Binary, address uint64) uint32 {
	if b.Moduledata == nil || address < b.Text || address-b.Text >= uint64(probe.Absent) {
		return probe.Absent
	}
	return uint32(address - b.Text)
}

// addFields finds out where the fields are. Of fields that share a slot, one that is
// found is enough.
func (l *Library) addFields(b *model.Binary, library *probe.Library, all []probe.Library, lookup model.FieldLookup, failures, notes *reasons) {
	found := map[uintptr]bool{}
	type unknown struct {
		field probe.Field
		why   error
	}
	var missing []unknown
	for _, field := range library.Fields {
		if field.Optional && !linked(b, library, all, field.Module) {
			continue
		}
		answer, err := resolve(b, field.Field, lookup)
		switch {
		case err == nil && answer.Exists && answer.Offset < uint64(probe.Absent):
			l.set(field.Slot, uint32(answer.Offset))
			found[field.Slot] = true
		case err == nil && field.Optional:
			// This version has no such field; another one takes its place.
		case field.Optional:
			missing = append(missing, unknown{field, err})
		case err == nil:
			failures.add(field.String(), "no such field in this version")
		default:
			failures.add(field.String(), err.Error())
		}
		if err == nil {
			l.Fields = append(l.Fields, Field{Field: field.Field, Exists: answer.Exists, Offset: answer.Offset, Source: answer.Source, Optional: field.Optional})
		}
	}
	for _, m := range missing {
		if !found[m.field.Slot] {
			notes.add(m.field.String(), m.why.Error())
		}
	}
}

// linked tells whether a binary may have a module: not if the library hooks functions of it,
// or any library does where this one hooks none, and the binary has none of those. Nothing of
// it is read then.
func linked(b *model.Binary, library *probe.Library, all []probe.Library, module string) bool {
	hooked, linked := hooks(b, library, module)
	if hooked {
		return linked
	}
	for i := range all {
		h, l := hooks(b, &all[i], module)
		hooked, linked = hooked || h, linked || l
	}
	return !hooked || linked
}

// hooks tells whether a library hooks functions of a module, and a binary has any of those.
func hooks(b *model.Binary, library *probe.Library, module string) (hooked, linked bool) {
	for _, hook := range library.Hooks {
		if strings.HasPrefix(hook.Symbol, module+"/") || strings.HasPrefix(hook.Symbol, module+".") {
			hooked = true
			if _, ok := b.Functions[hook.Symbol]; ok {
				return true, true
			}
		}
	}
	return hooked, false
}

// resolve answers for the fields that follow from the version of Go, and asks
// lookup for all others.
func resolve(b *model.Binary, field model.Field, lookup model.FieldLookup) (model.FieldOffset, error) {
	if field == probe.MapLayout {
		layout, err := mapLayout(b, lookup)
		return model.FieldOffset{Offset: layout, Exists: err == nil, Source: model.SourceRuntime}, err
	}
	if field == probe.GoidGenerator {
		return goidGenerator(b)
	}
	if otherMaps(b, field, lookup) {
		return model.FieldOffset{Source: model.SourceRuntime}, nil
	}
	answer, err := lookup(field)
	if field == probe.ModuleTypes && err == nil && answer.Exists {
		return typesAt(b, answer)
	}
	return answer, err
}
