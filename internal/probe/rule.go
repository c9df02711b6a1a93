package probe

import (
	"cmp"
	"fmt"
	"slices"
)

// Rule says how the generator of the table of offsets (offsets/cmd/offsetgen) examines a module:
// which of its releases, and how it checks what it found in them.
type Rule struct {
	Module string // path; model.ModuleStd for Go itself
	// Oldest is the first release that is examined. Programs with older ones are traced with their
	// own debug information only.
	Oldest string
	// Requirers are modules whose releases are asked which versions they require. So commits are
	// found that programs used before the module had releases: the go command takes the newest
	// version that any go.mod requires.
	Requirers []string
	// Also are versions that a proxy may have and not list.
	Also []string
	// Gone are fields that only older versions have. Any other that disappears is an error.
	Gone []Gone
	// Programs are sources of files of package main that link what the fields are declared in. The
	// compiler describes no type that a program does not use. A file has no function main, but init
	// functions: the files of all libraries are compiled together.
	Programs []string
}

// Gone says that releases lack fields, and that libraries know it.
type Gone struct {
	Since  string   // the first release without them, or one before it that was not examined
	Fields []string // a struct stands for all of its fields
	Reason string   // what has taken their place
}

func (g Gone) same(other Gone) bool {
	return g.Since == other.Since && g.Reason == other.Reason &&
		slices.Equal(g.Fields, other.Fields)
}

// Rules joins the rules of each module. A rule of them says which version is the oldest.
func Rules(rules []Rule) (map[string]Rule, error) {
	joined := map[string]Rule{}
	for _, rule := range rules {
		all := joined[rule.Module]
		if rule.Oldest != "" && all.Oldest != "" && rule.Oldest != all.Oldest {
			return nil, fmt.Errorf("the oldest version of %s is %s by one rule and %s by another",
				rule.Module, all.Oldest, rule.Oldest)
		}
		all.Module = rule.Module
		all.Oldest = cmp.Or(all.Oldest, rule.Oldest)
		all.Requirers = join(all.Requirers, rule.Requirers)
		all.Also = join(all.Also, rule.Also)
		all.Programs = join(all.Programs, rule.Programs)
		for _, gone := range rule.Gone {
			if !slices.ContainsFunc(all.Gone, gone.same) {
				all.Gone = slices.Concat(all.Gone, []Gone{gone})
			}
		}
		joined[rule.Module] = all
	}
	for module, rule := range joined {
		if rule.Oldest == "" {
			return nil, fmt.Errorf("no rule says which version of %s is the oldest", module)
		}
	}
	return joined, nil
}

// join appends those of more that are not there yet.
func join(all, more []string) []string {
	for _, one := range more {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}
