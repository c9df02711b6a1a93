package plan

import (
	"encoding/binary"
	"slices"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// blankOffsets has nothing that is known: every slot of a field, a function, a type or a site
// holds Absent.
func blankOffsets(library *extended) []byte {
	l := Library{Offsets: make([]byte, library.OffsetsSize)}
	for _, field := range library.allFields() {
		l.set(field.Slot, probe.Absent)
	}
	for _, function := range library.Functions {
		l.set(function.Slot, probe.Absent)
	}
	for _, t := range library.Types {
		l.set(t.Slot, probe.Absent)
	}
	for hook := range library.allHooks {
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

// allFields lists those of the library, and those that extensions add.
func (e *extended) allFields() []probe.Field {
	fields := e.Fields
	for _, extension := range e.extensions {
		fields = slices.Concat(fields, extension.Fields)
	}
	return fields
}

func (l *Library) set(slot uintptr, value uint32) {
	binary.LittleEndian.PutUint32(l.Offsets[slot:], value)
}

// distance is how far an address lies from the start of the binary's code, or Absent where that
// cannot be said.
func distance(b *model.Binary, address uint64) uint32 {
	if b.Moduledata == nil || address < b.Text || address-b.Text >= uint64(probe.Absent) {
		return probe.Absent
	}
	return uint32(address - b.Text)
}

// addFields finds out where the fields are. Of fields that share a slot, one that is found is
// enough.
func (p *planner) addFields(l *Library, library *extended, failures, notes *reasons) {
	found := map[uintptr]bool{}
	type unknown struct {
		field probe.Field
		why   error
	}
	var missing []unknown
	for _, field := range library.allFields() {
		if field.Optional && !p.linked(library, field.Module) {
			continue
		}
		answer, err := p.resolve(field.Field)
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
			l.Fields = append(l.Fields, Field{
				Field: field.Field, Exists: answer.Exists, Offset: answer.Offset,
				Source: answer.Source, Optional: field.Optional,
			})
		}
	}
	for _, m := range missing {
		if !found[m.field.Slot] {
			notes.add(m.field.String(), m.why.Error())
		}
	}
}

// resolve answers for the fields that follow from the version of Go, and asks lookup for all
// others.
func (p *planner) resolve(field model.Field) (model.FieldOffset, error) {
	b := p.binary
	if field == probe.MapLayout {
		layout, err := mapLayout(b, p.lookup)
		return model.FieldOffset{
			Offset: layout, Exists: err == nil, Source: model.SourceRuntime,
		}, err
	}
	if field == probe.GoidGenerator {
		return goidGenerator(b)
	}
	if otherMaps(b, field, p.lookup) {
		return model.FieldOffset{Source: model.SourceRuntime}, nil
	}
	answer, err := p.lookup(field)
	if field == probe.ModuleTypes && err == nil && answer.Exists {
		return typesAt(b, answer)
	}
	return answer, err
}
