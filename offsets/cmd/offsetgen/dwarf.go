package main

import (
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
)

// structs holds offsets in bytes, by "package.Struct" and field.
type structs map[string]map[string]int64

// compiledStructs builds a program in a folder of its own, for each architecture, and reads structs
// from its debug information.
func compiledStructs(
	names []string, build func(work string, arch model.Arch, executable string) error,
) (found map[model.Arch]structs, err error) {
	work, err := os.MkdirTemp("", "offsetgen-check-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, removeAll(work)) }()
	found = map[model.Arch]structs{}
	for _, arch := range architectures {
		executable := filepath.Join(work, string(arch))
		if err := build(work, arch, executable); err != nil {
			return nil, fmt.Errorf("compile for %s: %w", arch, err)
		}
		found[arch], err = readStructs(executable, names)
		if err != nil {
			return nil, fmt.Errorf("debug information for %s: %w", arch, err)
		}
	}
	return found, nil
}

// writeProgram writes files to a folder that make a program.
func writeProgram(folder string, files []string) error {
	files = append([]string{"package main\n\nfunc main() {}\n"}, files...)
	for i, content := range files {
		path := filepath.Join(folder, fmt.Sprintf("program%d.go", i))
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// structsOf names the structs of fields.
func structsOf(fields []model.Field) []string {
	var names []string
	for _, field := range fields {
		if name := structOf(field); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func structOf(field model.Field) string { return field.Package + "." + field.Struct }

// packageOf is the package of such a name.
func packageOf(name string) string { return name[:strings.LastIndexByte(name, '.')] }

// readStructs reads structs from a program's debug information. It
// reads it with the standard library alone: what it is compared with must not
// share the mistakes of the inspection.
func readStructs(executable string, names []string) (structs, error) {
	file, err := elf.Open(executable)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := file.DWARF()
	if err != nil {
		return nil, err
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
		case entry.Tag == dwarf.TagStructType && slices.Contains(names, name):
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
