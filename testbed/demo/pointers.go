package main

import (
	_ "embed"
	"os"
	"strings"
	"text/template"
)

//go:embed pointers.txt.tmpl
var pointersText string

var pointers = template.Must(template.New("pointers").Parse(pointersText))

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
	return pointers.Execute(d.out, map[string]any{
		"engine": d.jaeger.engine, "jaeger": d.jaeger.url(), "image": jaegerImage,
		"trace": d.journey.last().trace, "shop": d.shop.url(),
		"inspector": inspector, "pid": d.shop.service(entry).process.PID,
		"dir": d.collector.dir, "config": d.collector.config,
		"text": strings.ReplaceAll(strings.TrimSpace(string(config)), "\n", "\n    "),
	})
}
