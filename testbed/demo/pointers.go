package main

import (
	"fmt"
	"os"
	"strings"
)

// point tells where the reader can go on.
func (d *demo) point() error {
	config, err := os.ReadFile(d.collector.config)
	if err != nil {
		return err
	}
	// As it is built, else by Go.
	inspector := d.tree.dist("spanprobe")
	if _, err := os.Stat(inspector); err != nil {
		inspector = "go -C " + string(d.tree) + " run ./cmd/spanprobe"
	}
	point := func(name, text string) { fmt.Fprintf(d.out, "  %-11s %s\n", name, text) }
	id := d.journey.last().trace.String()
	if d.jaeger.engine != "" {
		point("Jaeger", d.jaeger.url()+"/trace/"+id)
	} else {
		point("Jaeger", d.jaeger.url()+"/api/v3/traces/"+id)
		point("", "This Jaeger is built from its module, which has the API but only a placeholder")
		point("", "of the web page; the page is in "+jaegerImage+", which")
		point("", "`make demo` takes where docker or podman runs.")
	}
	point("the shop", "curl "+d.shop.url()+"/products/kettle     (is traced, too)")
	point("inspection", fmt.Sprintf("%s inspect %d     (what is traced in it, and how)",
		inspector, d.shop.service(entry).process.PID))
	point("logs", d.collector.dir+"/*.log")
	point("the YAML", d.collector.config)
	d.say("\n    " + strings.ReplaceAll(strings.TrimSpace(string(config)), "\n", "\n    ") + "\n")
	point("to stop", "Ctrl-C, which leaves nothing running")
	return nil
}
