package discover

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// errNoTargets is what a configuration that names no process is answered with.
var errNoTargets = errors.New(`targets: name at least one process to trace, for example:
receivers:
  spanprobe:
    targets:
      - exe: /usr/local/bin/*`)

// maxPort is the highest number of a TCP port.
const maxPort = 1<<16 - 1

// ValidateTargets joins all that is wrong with the entries of a configuration, each with its key.
func ValidateTargets(targets, exclude []Target) error {
	var errs []error
	if len(targets) == 0 {
		errs = append(errs, errNoTargets)
	}
	for i, t := range targets {
		errs = append(errs, t.validate(fmt.Sprintf("targets[%d]", i))...)
	}
	for i, t := range exclude {
		key := fmt.Sprintf("exclude[%d]", i)
		errs = append(errs, t.validate(key)...)
		if t.ServiceName != "" {
			errs = append(errs, fmt.Errorf(
				"%s.service_name: what is excluded has no service name: remove the key", key))
		}
	}
	return errors.Join(errs...)
}

// validate lists what is wrong with the entry under a key. An entry must have a key that selects,
// and the keys that it has must be able to match.
func (t Target) validate(key string) []error {
	var errs []error
	if t.Exe == "" && t.Port == 0 && t.PID == 0 {
		errs = append(errs, fmt.Errorf("%s: selects nothing: give exe, port or pid", key))
	}
	if t.Port < 0 || t.Port > maxPort {
		errs = append(
			errs,
			fmt.Errorf("%s.port: %d is no TCP port: it must be from 1 to %d", key, t.Port, maxPort),
		)
	}
	if err := validateGlob(t.Exe); err != nil {
		errs = append(errs, fmt.Errorf("%s.exe: %w", key, err))
	}
	if t.PID < 0 {
		errs = append(
			errs, fmt.Errorf("%s.pid: %d is no process id: it must be positive", key, t.PID),
		)
	}
	return errs
}

func validateGlob(glob string) error {
	switch {
	case glob == "":
		return nil
	case !doublestar.ValidatePattern(glob):
		return fmt.Errorf("%q is no glob: a [, a { or a backslash is not closed", glob)
	case strings.HasSuffix(glob, "/"):
		return fmt.Errorf(
			"%q matches no executable, since it ends with a slash: write %q for all in that folder",
			glob, glob+"*",
		)
	case halfDoublestar(glob):
		return fmt.Errorf(
			"%q: ** crosses slashes only when it stands alone between two of them, as in %q", glob,
			"/opt/**/server",
		)
	}
	for _, alternative := range firstBrace(glob) {
		if !strings.HasPrefix(alternative, "/") && !strings.HasPrefix(alternative, "**") &&
			!strings.HasPrefix(alternative, "*/") {
			return fmt.Errorf(
				"%q matches no path, since each begins with a slash: write %q for any folder",
				alternative, "/**/"+strings.TrimPrefix(alternative, "./"),
			)
		}
	}
	return nil
}

// firstBrace lists what a valid glob stands for by the alternatives that it begins with; one that
// begins with none stands for itself.
func firstBrace(glob string) []string {
	if !strings.HasPrefix(glob, "{") {
		return []string{glob}
	}
	var starts []string
	depth, from, inClass := 0, 1, false
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case c == '\\':
			i++
		case inClass:
			inClass = c != ']'
		case c == '[':
			inClass = true
		case c == '{':
			depth++
		case c == ',' && depth == 1:
			starts, from = append(starts, glob[from:i]), i+1
		case c == '}':
			if depth--; depth > 0 {
				continue
			}
			var list []string
			for _, start := range append(starts, glob[from:i]) {
				list = append(list, firstBrace(start+glob[i+1:])...)
			}
			return list
		}
	}
	return []string{glob}
}

// halfDoublestar reports whether a glob has a ** that is not a whole component
// of the path. The glob library takes it for a single *, in silence
// (doublestar v4.10.4, match.go), which is not what its writer meant.
func halfDoublestar(glob string) bool {
	inClass := false
	for i := 0; i < len(glob); i++ {
		switch {
		case glob[i] == '\\':
			i++
		case inClass:
			inClass = glob[i] != ']'
		case glob[i] == '[':
			inClass = true
		case strings.HasPrefix(glob[i:], "**"):
			before := i == 0 || strings.ContainsRune("/{,", rune(glob[i-1]))
			after := i+2 == len(glob) || strings.ContainsRune("/},", rune(glob[i+2]))
			if !before || !after {
				return true
			}
			i++
		}
	}
	return false
}
