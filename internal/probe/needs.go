package probe

import (
	"slices"

	"github.com/spanprobe/spanprobe/internal/model"
)

// Fields lists each field once that is looked up: those that the libraries need, and those that
// are asked of every binary.
func Fields(libraries []Library) []model.Field {
	fields := []model.Field{GoroutineID, GoroutineStatus}
	for _, mark := range Marks(libraries) {
		fields = append(fields, mark.Field())
	}
	add := func(field model.Field) {
		if !slices.Contains(fields, field) {
			fields = append(fields, field)
		}
	}
	for _, library := range libraries {
		needed, hooks := library.Fields, library.Hooks
		for _, extension := range library.Extensions {
			needed = slices.Concat(needed, extension.Fields)
			hooks = slices.Concat(hooks, extension.Hooks)
		}
		for _, field := range needed {
			add(field.Field)
		}
		for _, hook := range hooks {
			for _, condition := range hook.When {
				if field, ok := condition.(LacksField); ok {
					add(model.Field(field))
				}
			}
		}
	}
	return fields
}

// Marks lists each mark of the libraries once.
func Marks(libraries []Library) []Mark {
	var marks []Mark
	for _, library := range libraries {
		for _, mark := range library.Marks {
			if !slices.Contains(marks, mark) {
				marks = append(marks, mark)
			}
		}
	}
	return marks
}

// Symbols lists the functions that the libraries hook, or ask for.
func Symbols(libraries []Library) []string {
	var symbols []string
	for _, library := range libraries {
		for _, hook := range library.Hooks {
			symbols = append(symbols, hook.symbols()...)
		}
		for _, extension := range library.Extensions {
			for _, hook := range extension.Hooks {
				symbols = append(symbols, hook.symbols()...)
			}
		}
		for _, function := range library.Functions {
			if function.Symbol != "" {
				symbols = append(symbols, function.Symbol)
			}
		}
		for _, mark := range library.Marks {
			symbols = append(symbols, mark.Symbol())
		}
		for _, field := range library.Fields {
			if field.Field == GoidGenerator {
				symbols = append(symbols, NewGoroutine)
			}
		}
	}
	return symbols
}

// symbols lists the functions that decide whether and where a hook has probes.
func (h *Hook) symbols() []string {
	symbols := []string{h.Symbol}
	if h.Callee != "" {
		symbols = append(symbols, h.Callee)
	}
	if h.Deferred != nil {
		symbols = append(symbols, h.Deferred.Symbols...)
	}
	for _, condition := range h.When {
		switch c := condition.(type) {
		case Has:
			symbols = append(symbols, c...)
		case Lacks:
			symbols = append(symbols, string(c))
		}
	}
	return symbols
}

// Structs is the set of structs of those fields, and of those that debug information alone is
// asked for, each as "package.Struct".
func Structs(libraries []Library) map[string]bool {
	structs := map[string]bool{}
	for _, field := range append(Fields(libraries), HeaderSlots) {
		structs[field.Package+"."+field.Struct] = true
	}
	return structs
}
