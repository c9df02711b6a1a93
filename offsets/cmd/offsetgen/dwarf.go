package main

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"

	"github.com/spanprobe/spanprobe/internal/model"
)

// structs holds offsets in bytes, by "package.Struct" and field.
type structs map[string]map[string]int64

// readStructs reads the wanted structs from a program's debug information. It
// reads it with the standard library alone: what it is compared with must not
// share the mistakes of the inspection.
func readStructs(executable string, wanted []model.Field) (structs, error) {
	file, err := elf.Open(executable)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := file.DWARF()
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, field := range wanted {
		names[field.Package+"."+field.Struct] = true
	}
	found := structs{}
	entries := data.Reader()
	for {
		entry, err := entries.Next()
		if err != nil || entry == nil {
			return found, err
		}
		switch name, _ := entry.Val(dwarf.AttrName).(string); {
		case entry.Tag == dwarf.TagCompileUnit:
		case entry.Tag == dwarf.TagStructType && names[name]:
			t, err := data.Type(entry.Offset)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			described, ok := t.(*dwarf.StructType)
			if !ok {
				return nil, fmt.Errorf("%s is described as %T", name, t)
			}
			found[name] = map[string]int64{}
			for _, field := range described.Field {
				found[name][field.Name] = field.ByteOffset
				if _, pointer := field.Type.(*dwarf.PtrType); pointer {
					found[name]["*"+field.Name] = field.ByteOffset
				}
			}
			entries.SkipChildren()
		default:
			entries.SkipChildren()
		}
	}
}
