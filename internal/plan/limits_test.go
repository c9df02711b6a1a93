package plan_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// ret is the instruction that returns.
var ret = map[model.Arch][]byte{model.AMD64: {0xc3}, model.ARM64: {0xc0, 0x03, 0x5f, 0xd6}}

func TestAFunctionOfReturnsIsRefused(t *testing.T) {
	for arch, ret := range ret {
		for returns, traced := range map[int]bool{
			64: true, 65: false, (model.MaxCode - 1) / len(ret): false,
		} {
			l := siteOf(arch, bytes.Repeat(ret, returns), probe.Return)
			if l.Traced() != traced || len(l.Sites) > 64 ||
				!traced && !strings.Contains(l.LeftOut, fmt.Sprint("returns at ", returns)) {
				t.Errorf("%d returns on %s: %d sites, left out: %q", returns, arch, len(l.Sites),
					l.LeftOut)
			}
		}
	}
}

func TestTheSitesOfAnExecutableAreBounded(t *testing.T) {
	for arch, ret := range ret {
		b := &model.Binary{
			GoVersion: "1.26.8", Arch: arch, Functions: map[string]model.Function{},
		}
		var libraries []probe.Library
		for n := range 30 {
			name := fmt.Sprint("f", n)
			b.Functions[name] = model.Function{
				Name: name, Address: 0x401000, FileOffset: 0x1000, Code: bytes.Repeat(ret, 60),
			}
			libraries = append(libraries, probe.Library{
				Name:  probe.Name(name),
				Hooks: []probe.Hook{{Symbol: name, Event: probe.Return, Program: "program"}},
			})
		}
		sites, left := 0, 0
		for _, l := range plan.Build(b, libraries, known(0), nil).Libraries {
			sites += len(l.Sites)
			if !l.Traced() {
				left++
				if !strings.Contains(l.LeftOut, "more than 512 instructions") {
					t.Errorf("left out: %q", l.LeftOut)
				}
			}
		}
		if sites != 480 || left != 22 {
			t.Errorf("%d sites, and %d libraries left out", sites, left)
		}
	}
}
