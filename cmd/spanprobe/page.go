package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
)

// writePage writes what a person wants to read: the binary, what would be traced in
// it, then each library.
func (r *report) writePage(w io.Writer) error {
	var page strings.Builder
	r.writeBinary(&page)
	r.writeVerdict(&page)
	for i := range r.Libraries {
		if r.Libraries[i].Unused {
			continue
		}
		page.WriteByte('\n')
		writeLibrary(&page, &r.Libraries[i])
	}
	_, err := io.WriteString(w, page.String())
	return err
}

// writeVerdict answers first what was asked: what would be traced?
func (r *report) writeVerdict(page *strings.Builder) {
	var traced, wanted, leftOut, unused []string
	for i := range r.Libraries {
		switch l := &r.Libraries[i]; {
		case l.Unused:
			unused = append(unused, l.Library)
		case l.LeftOut != "":
			leftOut = append(leftOut, l.Library)
		case l.Option != "":
			wanted = append(wanted, fmt.Sprintf("%s (%s)", l.Library, l.Option))
		default:
			traced = append(traced, l.Library)
		}
	}
	page.WriteByte('\n')
	lines := tabwriter.NewWriter(page, 0, 0, 2, ' ', 0)
	for _, group := range []struct {
		title   string
		members []string
	}{{"traced", traced}, {"by option", wanted}, {"NOT TRACED", leftOut}, {"not used", unused}} {
		if len(group.members) > 0 {
			fmt.Fprintf(lines, "  %s\t%s\n", group.title, strings.Join(group.members, ", "))
		}
	}
	flush(lines)
	if !r.Traced() {
		page.WriteString("  Nothing in this program would be traced.\n")
	} else if r.Binary.TracerProvider != "" {
		fmt.Fprintf(
			page,
			"  BUT LEFT ALONE, unless the receiver has `instrumented: trace`: it contains OpenTelemetry's SDK\n  (%s), so it may trace itself.\n",
			r.Binary.TracerProvider,
		)
	}
}

func (r *report) writeBinary(page *strings.Builder) {
	b := r.Binary
	page.WriteString(b.Path)
	if r.PID != 0 {
		fmt.Fprintf(page, " (pid %d)", r.PID)
	}
	page.WriteByte('\n')
	lines := tabwriter.NewWriter(page, 0, 0, 2, ' ', 0)
	form := "fixed addresses"
	if b.PIE {
		form = "position-independent (PIE)"
	}
	fmt.Fprintf(lines, "  built with\tGo %s for %s, %s\n", b.GoVersion, b.Arch, form)
	if b.NoBuildInfo {
		fmt.Fprintf(
			lines,
			"  build info\tnone; the version of Go is that of the DWARF, and those of modules are not known\n",
		)
	}
	if experiments := b.Settings["GOEXPERIMENT"]; experiments != "" {
		fmt.Fprintf(lines, "  experiments\t%s\n", experiments)
	}
	if b.Main.Path != "" {
		fmt.Fprintf(lines, "  main module\t%s\n", strings.TrimSpace(b.Main.Path+" "+b.Main.Version))
	}
	if len(b.Modules) > 0 {
		fmt.Fprintf(lines, "  modules\t%d more, which --json lists\n", len(b.Modules))
	}
	if b.Settings["-pgo"] != "" {
		fmt.Fprintf(
			lines,
			"  profile\toptimized by one (-pgo), which may have functions inlined that a probe must see\n",
		)
	}
	if fips := b.Settings["GOFIPS140"]; fips != "" && fips != "off" {
		fmt.Fprintf(lines, "  FIPS 140-3\t%s; its code is never probed\n", fips)
	}
	if b.Plugins {
		fmt.Fprintf(lines, "  plugins\tit can load them; what only a plugin has is not traced\n")
	}
	fmt.Fprintf(
		lines, "  symbol table\t%s\n",
		presence(!b.Stripped, "stripped; functions come from Go's own table"),
	)
	fmt.Fprintf(
		lines, "  DWARF\t%s\n",
		presence(b.DWARF, "none; offsets come from the tables of released versions"),
	)
	fmt.Fprintf(lines, "  tables\tof %s; they know Go up to %s\n", r.Tables.Made, r.Tables.Go)
	flush(lines)
}

func presence(there bool, without string) string {
	if there {
		return "present"
	}
	return without
}

func writeLibrary(page *strings.Builder, l *plan.Library) {
	if l.LeftOut != "" {
		fmt.Fprintf(
			page, "%s: NOT TRACED\n  because %s\n", l.Library,
			strings.ReplaceAll(l.LeftOut, "; ", "\n  and     "),
		)
		return // what would have been probed is in the JSON
	}
	fmt.Fprintf(page, "%s: traced", l.Library)
	if l.Option != "" {
		fmt.Fprintf(page, ", subject to `%s`", l.Option)
	}
	page.WriteByte('\n')
	writeSites(page, l.Sites)
	writeFields(page, l)
	if len(l.Notes) > 0 {
		page.WriteString("\n  Done without\n")
		for _, note := range l.Notes {
			fmt.Fprintf(page, "    %s\n", note)
		}
	}
}

func writeSites(page *strings.Builder, sites []plan.Site) {
	if len(sites) == 0 {
		return
	}
	page.WriteByte('\n')
	lines := tabwriter.NewWriter(page, 0, 0, 2, ' ', 0)
	fmt.Fprintln(lines, "  HOOK\tON\tINSTRUCTION\tCLASS\tADDRESS\tFILE OFFSET")
	stepped, onDemand := 0, 0
	for _, site := range sites {
		if site.Class == plan.SingleStepped {
			stepped++
		}
		class := string(site.Class)
		if site.OnDemand {
			class += ", on demand"
			onDemand++
		}
		fmt.Fprintf(
			lines, "  %s\t%s\t%s\t%s\t%#x\t%#x\n", site.Symbol, site.Event, site.Instruction, class,
			site.Address, site.FileOffset,
		)
	}
	flush(lines)
	if onDemand > 0 {
		page.WriteString("  On demand: attached once a request shows that it is missed.\n")
	}
	if stepped > 0 {
		fmt.Fprintf(
			page,
			"  %d of %d are single-stepped: each hit of those costs a second trap into the kernel.\n",
			stepped,
			len(sites),
		)
	}
}

func writeFields(page *strings.Builder, l *plan.Library) {
	if len(l.Fields) == 0 {
		return
	}
	page.WriteByte('\n')
	lines := tabwriter.NewWriter(page, 0, 0, 2, ' ', 0)
	fmt.Fprintln(lines, "  FIELD\tOFFSET\tFROM")
	absent := 0
	shown := map[plan.Field]bool{} // several libraries' headers may ask for the same one
	for _, field := range l.Fields {
		if !field.Exists {
			absent++
			continue
		}
		if shown[field] {
			continue
		}
		shown[field] = true
		fmt.Fprintf(lines, "  %s\t%d\t%s\n", field.Field, field.Offset, origin(field.Source))
	}
	flush(lines)
	if absent > 0 {
		fmt.Fprintf(page, "  %d more are of other versions; --json lists them.\n", absent)
	}
}

func origin(source model.Source) string {
	switch source {
	case model.SourceTable:
		return "table of this version"
	case model.SourceDWARF:
		return "DWARF of this binary"
	case model.SourceCandidates:
		return "all versions that it may be"
	case model.SourceRuntime:
		return "follows from the version of Go"
	}
	return string(source)
}

// flush writes to a strings.Builder, which cannot fail.
func flush(lines *tabwriter.Writer) { _ = lines.Flush() }
