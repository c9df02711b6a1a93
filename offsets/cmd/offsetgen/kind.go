package main

import (
	"fmt"
	"go/types"
	"regexp"
	"strings"
)

// kindOf describes what a program reads at a field, and what that leads to: "int",
// "*net/url.URL", "[]uint8".
func kindOf(t types.Type) string {
	if to := atomicPointer(t); to != nil {
		return "*" + target(to)
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Name()
	case *types.Pointer:
		return "*" + target(u.Elem())
	case *types.Slice:
		return "[]" + target(u.Elem())
	case *types.Array:
		return fmt.Sprintf("[%d]%s", u.Len(), target(u.Elem()))
	case *types.Map:
		return "map[" + target(u.Key()) + "]" + target(u.Elem())
	case *types.Chan:
		return "chan " + target(u.Elem())
	case *types.Signature:
		return "func"
	case *types.Interface:
		// Their first words lead to a type, and to a table of methods.
		if u.Empty() {
			return "any"
		}
		return "interface"
	case *types.Struct:
		// The types of sync/atomic hold one number, and nothing else that has a size.
		if only := onlyField(u); only != nil {
			return kindOf(only)
		}
		return strings.TrimSpace("struct " + nameOfType(t))
	default:
		return fmt.Sprintf("%T", u)
	}
}

// target describes what lies behind a pointer or in a list. Of a type with a name
// that is the name, unless it stands for a number or a string.
func target(t types.Type) string {
	switch t.Underlying().(type) {
	case *types.Basic, *types.Interface:
		return kindOf(t)
	}
	if name := nameOfType(t); name != "" {
		return name
	}
	return kindOf(t)
}

// nameOfType is a type's name behind the path of its package, or "" if it has none.
func nameOfType(t types.Type) string {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok {
		return ""
	}
	if pkg := named.Obj().Pkg(); pkg != nil {
		return pkg.Path() + "." + named.Obj().Name()
	}
	return named.Obj().Name()
}

// atomicPointer is what a sync/atomic.Pointer points to, or nil.
func atomicPointer(t types.Type) types.Type {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.TypeArgs().Len() != 1 || nameOfType(named.Origin()) != "sync/atomic.Pointer" {
		return nil
	}
	return named.TypeArgs().At(0)
}

// onlyField is the type of the one field of a struct that has a size, or nil. A
// struct of another's that is empty has none, and neither does an array of none.
func onlyField(s *types.Struct) types.Type {
	var only types.Type
	for f := range s.Fields() {
		switch u := f.Type().Underlying().(type) {
		case *types.Struct:
			if u.NumFields() == 0 {
				continue
			}
		case *types.Array:
			if u.Len() == 0 {
				continue
			}
		}
		if only != nil {
			return nil
		}
		only = f.Type()
	}
	return only
}

// typeName is a name in a kind, with its package if it has one.
var typeName = regexp.MustCompile(`[\w./~-]+`)

// renamed are types that have another name in newer releases, and are the same.
var renamed = map[string]string{
	"runtime._type": "internal/abi.Type", // Go 1.21
}

// asRead makes kinds equal that a program reads in the same way. Integers of one
// size are: it copies their bytes, and runtime.g.goid became a uint64 in Go 1.20
// (src/runtime/runtime2.go). Both architectures have words of 64 bits. So are types
// that only moved to another package.
func asRead(kind string) string {
	return typeName.ReplaceAllStringFunc(kind, func(name string) string {
		if now, ok := renamed[name]; ok {
			name = now
		}
		switch name {
		case "int", "int64", "uint", "uint64", "uintptr":
			return "integer of 8 bytes"
		case "int32", "uint32", "rune":
			return "integer of 4 bytes"
		case "int16", "uint16":
			return "integer of 2 bytes"
		case "int8", "uint8", "byte":
			return "integer of 1 byte"
		}
		return name[strings.LastIndexByte(name, '.')+1:]
	})
}

// isPointer tells a pointer from what is in place.
func isPointer(t types.Type) bool { return strings.HasPrefix(kindOf(t), "*") }
