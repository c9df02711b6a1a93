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

// choose finds the instructions that stand for a hook's event.
func choose(b *model.Binary, hook probe.Hook) ([]Site, error) {
	function, ok := b.Functions[hook.Symbol]
	if !ok {
		return nil, errors.New("the binary has no such function: it was inlined everywhere, or the library's version has none")
	}
	if strings.HasPrefix(hook.Symbol, fipsPackages) {
		return nil, errors.New("functions of the FIPS module are never probed")
	}
	var found []instruction
	var err error
	switch {
	case b.Arch == model.AMD64 && hook.Event == probe.Enter:
		found, err = enterAMD64(function.Code)
	case b.Arch == model.ARM64 && hook.Event == probe.Enter:
		found, err = enterARM64(function.Code)
	default:
		return nil, fmt.Errorf("no way is known to see the %s of a function on %s", hook.Event, b.Arch)
	}
	if err != nil {
		return nil, err
	}
	sites := make([]Site, 0, len(found))
	for _, at := range found {
		sites = append(sites, Site{
			Symbol:      hook.Symbol,
			Event:       hook.Event.String(),
			Program:     hook.Program,
			Address:     function.Address + uint64(at.offset),
			FileOffset:  function.FileOffset + uint64(at.offset),
			Instruction: at.text,
			Class:       at.class,
		})
	}
	return sites, nil
}

// instruction is one that may get a probe.
type instruction struct {
	offset int // bytes from the function's entry
	text   string
	class  Class
}
