package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// pointers is what the reader can go on with.
type pointers struct {
	tree      tree
	jaeger    *jaeger
	shop      *shop
	collector collector
	traceID   string
}

func (p pointers) write(w io.Writer) {
	point := func(name, text string) { fmt.Fprintf(w, "  %-11s %s\n", name, text) }
	if p.jaeger.origin.engine != "" {
		point("Jaeger", p.jaeger.url()+"/trace/"+p.traceID)
	} else {
		point("Jaeger", p.jaeger.url()+"/api/v3/traces/"+p.traceID)
		point("", "This Jaeger is built from its module, which has the API but only a placeholder")
		point("", "of the web page; the page is in "+jaegerImage+", which")
		point("", "`make demo` takes where docker or podman runs.")
	}
	point("the shop", "curl "+p.shop.url()+"/products/kettle     (is traced, too)")
	point("inspection", fmt.Sprintf("%s inspect %d     (what is traced in it, and how)", p.inspector(), p.shop.service(entry).process.pid()))
	point("logs", filepath.Dir(p.collector.config)+"/*.log")
	point("the YAML", p.collector.config)
	config, err := os.ReadFile(p.collector.config)
	if err != nil {
		point("", err.Error())
	}
	fmt.Fprintf(w, "\n    %s\n\n", strings.ReplaceAll(strings.TrimSpace(string(config)), "\n", "\n    "))
	point("to stop", "Ctrl-C, which leaves nothing running")
}

// inspector is the command line of the inspection tool: as it is built, else by Go.
func (p pointers) inspector() string {
	if _, err := os.Stat(p.tree.spanprobe()); err == nil {
		return p.tree.spanprobe()
	}
	return "go -C " + string(p.tree) + " run ./cmd/spanprobe"
}
