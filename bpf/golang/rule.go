package golang

import (
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// Rule is that of Go itself. Libraries add what they read of the standard library.
func Rule() probe.Rule {
	return probe.Rule{
		Module: model.ModuleStd,
		Oldest: "1.17", // arguments are in registers since then
		// The first of their minors, or beside a change.
		Also: []string{"1.17", "1.17.2", "1.19"},
		Gone: []probe.Gone{
			{Since: "1.21.0", Fields: []string{"runtime._type"}, Reason: "it is internal/abi.Type"},
			{Since: "1.23.0", Fields: []string{"runtime.itab"}, Reason: "it is internal/abi.ITab"},
			{
				Since: "1.24.0", Fields: []string{"runtime.hmap"},
				Reason: "maps are internal/runtime/maps.Map",
			},
		},
		Programs: []string{uses},
	}
}

const uses = `package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"time"
)

func init() {
	values := context.WithValue(context.Background(), "key", map[string][]string{"a": nil})
	ctx, cancel := context.WithTimeout(values, time.Second)
	defer cancel()
	connection, err := tls.Dial("tcp", "localhost:0", nil)
	log.Print(ctx, connection, fmt.Errorf("dial: %w", err))
}
`
