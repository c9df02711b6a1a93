package offsets

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
)

// parser reads a table line by line; see Parse for their form.
type parser struct {
	table  *Table
	module *module
	field  string
}

func (p *parser) line(line string) error {
	words := strings.Fields(line)
	switch {
	case words[0] == "made" && len(words) == 2:
		p.table.Made = words[1]
	case words[0] == "module" && len(words) == 2:
		return p.newModule(words[1])
	case p.module == nil:
		return errors.New("no module yet")
	case words[0] == "examined":
		return p.examined(words[1:])
	case line[0] != ' ' && len(words) == 1:
		return p.newField(words[0])
	case p.field == "":
		return errors.New("no field yet")
	default:
		return p.change(words)
	}
	return nil
}

func (p *parser) newModule(path string) error {
	if p.table.modules[path] != nil {
		return fmt.Errorf("the module %s is there twice", path)
	}
	p.module, p.field = &module{fields: map[string][]change{}}, ""
	p.table.modules[path] = p.module
	return nil
}

func (p *parser) newField(name string) error {
	if _, twice := p.module.fields[name]; twice {
		return fmt.Errorf("the field %s is there twice", name)
	}
	p.module.fields[name] = nil
	p.field = name
	return nil
}

func (p *parser) examined(words []string) error {
	for _, word := range words {
		v, err := parseVersion(word)
		if err != nil {
			return err
		}
		if n := len(p.module.examined); n > 0 && p.module.examined[n-1].compare(v) >= 0 {
			return fmt.Errorf("version %s is out of order", word)
		}
		p.module.examined = append(p.module.examined, v)
	}
	return nil
}

func (p *parser) change(words []string) error {
	since, err := parseVersion(words[0])
	if err != nil {
		return err
	}
	if _, examined := slices.BinarySearchFunc(p.module.examined, since,
		version.compare); !examined {
		return fmt.Errorf("version %s is not among the examined ones", words[0])
	}
	changes := p.module.fields[p.field]
	if n := len(changes); n > 0 && changes[n-1].since.compare(since) >= 0 {
		return fmt.Errorf("version %s is out of order", words[0])
	}
	places, err := parsePlaces(words[1:])
	if err != nil {
		return err
	}
	p.module.fields[p.field] = append(changes, change{since, places})
	return nil
}

// parsePlaces reads "120", "-" or one of them for each architecture.
func parsePlaces(words []string) (map[model.Arch]place, error) {
	if len(words) == 0 {
		return nil, errors.New("a version without an offset")
	}
	if len(words) == 1 && !strings.Contains(words[0], "=") {
		everywhere, err := parsePlace(words[0])
		return map[model.Arch]place{model.AMD64: everywhere, model.ARM64: everywhere}, err
	}
	places := map[model.Arch]place{}
	for _, word := range words {
		name, number, _ := strings.Cut(word, "=")
		arch := model.Arch(name)
		if _, twice := places[arch]; twice || arch != model.AMD64 && arch != model.ARM64 {
			return nil, fmt.Errorf("%q is not the offset on one more architecture", word)
		}
		at, err := parsePlace(number)
		if err != nil {
			return nil, err
		}
		places[arch] = at
	}
	return places, nil
}

func parsePlace(word string) (place, error) {
	if word == "-" {
		return place{}, nil
	}
	offset, err := strconv.ParseUint(word, 10, 32)
	if err != nil {
		return place{}, fmt.Errorf("offset %q: %w", word, err)
	}
	return place{offset, true}, nil
}
