package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// uses tells whether a binary has any function at which an operation begins or ends. Functions of
// optional hooks alone are not worth it, but for auxiliary libraries.
func (p *planner) uses(library *extended) bool {
	if !library.Auxiliary() {
		return slices.ContainsFunc(library.Hooks, func(hook probe.Hook) bool {
			return !hook.Optional && has(p.binary, hook.Symbol)
		})
	}
	for hook := range library.allHooks {
		if has(p.binary, hook.Symbol) {
			return true
		}
	}
	return false
}

// elsewhere says that a fork or a second copy of a library is not traced; "" if there is none.
func (p *planner) elsewhere(library *extended) string {
	if library.Auxiliary() {
		return ""
	}
	for _, hook := range library.Hooks {
		if other, ok := p.binary.Elsewhere[hook.Symbol]; ok && !hook.Optional {
			return fmt.Sprintf("%s is of a fork or of a second copy, which is not traced", other)
		}
	}
	return ""
}

// allHooks goes through those of the library, and those that extensions add.
func (e *extended) allHooks(yield func(*probe.Hook) bool) {
	hooks := e.Hooks
	for _, extension := range e.extensions {
		hooks = slices.Concat(hooks, extension.Hooks)
	}
	for i := range hooks {
		if !yield(&hooks[i]) {
			return
		}
	}
}

// wants tells whether a binary has what one of some hooks is for. A field is looked up last: that
// may take long.
func (p *planner) wants(hook *probe.Hook, hooks []probe.Hook) bool {
	there := !hook.Optional || has(p.binary, hook.Symbol)
	if hook.Together != "" {
		there = slices.ContainsFunc(hooks, func(other probe.Hook) bool {
			return other.Together == hook.Together && has(p.binary, other.Symbol)
		})
	}
	return there &&
		!slices.ContainsFunc(hook.When, func(c probe.Condition) bool { return !p.meets(c) })
}

// meets tells whether a binary meets a condition.
func (p *planner) meets(condition probe.Condition) bool {
	switch c := condition.(type) {
	case probe.Has:
		return slices.ContainsFunc(c, func(symbol string) bool { return has(p.binary, symbol) })
	case probe.Lacks:
		return !has(p.binary, string(c))
	case probe.LacksField:
		answer, err := p.lookup(model.Field(c))
		return err != nil || !answer.Exists
	case probe.On:
		return p.binary.Arch == model.Arch(c)
	}
	return false
}

// linked tells whether a binary may have a module: not if the library hooks functions of it, or
// any library does where this one hooks none, and the binary has none of those. Nothing of it is
// read then.
func (p *planner) linked(library *extended, module string) bool {
	hooked, linked := p.hooksOf(library, module)
	if hooked {
		return linked
	}
	for i := range p.libraries {
		h, l := p.hooksOf(&p.libraries[i], module)
		hooked, linked = hooked || h, linked || l
	}
	return !hooked || linked
}

// hooksOf tells whether a library hooks functions of a module, and a binary has any of those.
func (p *planner) hooksOf(library *extended, module string) (hooked, linked bool) {
	for hook := range library.allHooks {
		if strings.HasPrefix(hook.Symbol, module+"/") ||
			strings.HasPrefix(hook.Symbol, module+".") {
			hooked = true
			if _, ok := p.binary.Functions[hook.Symbol]; ok {
				return true, true
			}
		}
	}
	return hooked, false
}

// has tells whether a binary has a function, be it only where a profile had it inlined. A function
// that is inlined without a profile is small, and may be there for the sake of a type alone.
func has(b *model.Binary, symbol string) bool {
	_, exists := b.Functions[symbol]
	return exists || profiled(b) && b.Inlined[symbol] != ""
}

// profiled tells whether a binary was optimized by a profile: without one the compiler inlines
// none of the functions that must be seen.
func profiled(b *model.Binary) bool { return b.Settings["-pgo"] != "" }
