package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// A breakpoint in the FIPS module's code changes what its self-test adds up, and
// the program ends itself: src/crypto/internal/fips140/check/check.go.
const fipsPackages = "crypto/internal/fips140"

// The kernel keeps some 370 bytes for each probe, and without uprobe_multi links a probe
// takes a descriptor of the collector's. Of the plans on record, the largest have 16
// sites of one hook, and 24 in all.
const (
	maxHookSites = 64  // of one hook
	maxSites     = 512 // of an executable
)

// Why there is no site for the entry into a function.
var (
	errNoStackCheck = errors.New("it does not begin with a stack check (it is a leaf with a " +
		"small frame, go:nosplit, or assembly), by whose flags a first run is told from a repeated one")
	// A probe before or in the check would count a call twice.
	errUnknownPrologue = errors.New("its stack check is of no known form")
)

// choose finds the instructions that stand for a hook's event.
func choose(b *model.Binary, hook probe.Hook) ([]Site, error) {
	function, ok := b.Functions[hook.Symbol]
	if !ok {
		return nil, errors.New("the binary has no such function: it was inlined everywhere, " +
			"or the library's version has none")
	}
	if strings.HasPrefix(hook.Symbol, fipsPackages) {
		return nil, errors.New("functions of the FIPS module are never probed")
	}
	var found []instruction
	var err error
	if hook.Event == probe.Call {
		found, err = findCall(b, function, hook.Callee)
	} else {
		found, err = find(b.Arch, hook.Event, function.Code)
	}
	if err != nil {
		return nil, err
	}
	return sitesOf(function, hook, found), nil
}

func sitesOf(function model.Function, hook probe.Hook, found []instruction) []Site {
	sites := make([]Site, 0, len(found))
	for _, at := range found {
		sites = append(sites, Site{
			Symbol:      function.Name,
			Event:       hook.Event.String(),
			Program:     hook.Program,
			Address:     function.Address + uint64(at.offset),
			FileOffset:  function.FileOffset + uint64(at.offset),
			Instruction: at.text,
			Class:       at.class,
			OnDemand:    hook.OnDemand,
			Slot:        hook.Slot,
		})
	}
	return sites
}

// instruction is one that may get a probe.
type instruction struct {
	offset int // bytes from the function's entry
	text   string
	class  Class
}

// find finds the instructions that stand for an event, in a function's code.
// That code may be anything: a panic of a decoder is an error.
func find(arch model.Arch, event probe.Event, code []byte) (found []instruction, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("its code cannot be decoded: %v", r)
		}
	}()
	if event == probe.Enter {
		switch arch {
		case model.AMD64:
			return enterAMD64(code)
		case model.ARM64:
			return enterARM64(code)
		}
		return nil, fmt.Errorf("the prologues of %s are not known", arch)
	}
	if len(code) >= model.MaxCode { // it may go on behind them
		return nil, fmt.Errorf("it is longer than %d bytes, and not all of its returns are seen",
			model.MaxCode)
	}
	switch arch {
	case model.AMD64:
		found, err = returnAMD64(code)
	case model.ARM64:
		found, err = returnARM64(code)
	default:
		return nil, fmt.Errorf("the returns of %s are not known", arch)
	}
	switch {
	case err != nil:
	case len(found) == 0:
		err = errors.New("it never returns")
	case len(found) > maxHookSites:
		err = fmt.Errorf("it returns at %d places, and %d have probes at the most", len(found),
			maxHookSites)
	}
	return found, err
}

// within tells whether an offset lies inside a function's code.
func within(code []byte, offset int) bool { return offset >= 0 && offset < len(code) }
