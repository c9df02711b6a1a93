package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
)

// writePage writes what a person wants to read: the binary, then each library.
func (r *report) writePage(w io.Writer) error {
	var page strings.Builder
	writeBinary(&page, r.Binary, r.PID)
	for i := range r.Libraries {
		page.WriteByte('\n')
		writeLibrary(&page, &r.Libraries[i])
	}
	switch {
	case len(r.Libraries) > 0 && !r.Traced():
		page.WriteString("\nNothing in this program would be traced.\n")
	case r.Binary.TracerProvider != "":
		fmt.Fprintf(&page, "\nIt contains OpenTelemetry's SDK (%s), so it may trace itself:\nthe receiver leaves it alone, unless that has `instrumented: trace`.\n", r.Binary.TracerProvider)
	}
	_, err := io.WriteString(w, page.String())
	return err
}

func writeBinary(page *strings.Builder, b *model.Binary, pid int) {
	page.WriteString(b.Path)
	if pid != 0 {
		fmt.Fprintf(page, " (pid %d)", pid)
	}
	page.WriteByte('\n')
	lines := tabwriter.NewWriter(page, 0, 0, 2, ' ', 0)
	form := "fixed addresses"
	if b.PIE {
		form = "position-independent (PIE)"
	}
	fmt.Fprintf(lines, "  built with\tGo %s for %s, %s\n", b.GoVersion, b.Arch, form)
	if experiments := b.Settings["GOEXPERIMENT"]; experiments != "" {
		fmt.Fprintf(lines, "  experiments\t%s\n", experiments)
	}
	if b.Main.Path != "" {
		fmt.Fprintf(lines, "  main module\t%s\n", strings.TrimSpace(b.Main.Path+" "+b.Main.Version))
	}
	if len(b.Modules) > 0 {
		fmt.Fprintf(lines, "  modules\t%d more, which --json lists\n", len(b.Modules))
	}
	fmt.Fprintf(lines, "  symbol table\t%s\n", presence(!b.Stripped, "stripped; functions come from Go's own table"))
	fmt.Fprintf(lines, "  DWARF\t%s\n", presence(b.DWARF, "none; offsets come from the tables of released versions"))
	flush(lines)
}

func presence(there bool, without string) string {
	if there {
		return "present"
	}
	return without
}

func writeLibrary(page *strings.Builder, l *plan.Library) {
	switch {
	case l.Unused:
		fmt.Fprintf(page, "%s: not used by this program\n", l.Library)
		return
	case l.LeftOut != "":
		fmt.Fprintf(page, "%s: NOT TRACED\n  because %s\n", l.Library, strings.ReplaceAll(l.LeftOut, "; ", "\n  and     "))
	default:
		fmt.Fprintf(page, "%s: traced\n", l.Library)
	}
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
	stepped := 0
	for _, site := range sites {
		if site.Class == plan.SingleStepped {
			stepped++
		}
		class := string(site.Class)
		if site.OnDemand {
			class += ", on demand"
		}
		fmt.Fprintf(lines, "  %s\t%s\t%s\t%s\t%#x\t%#x\n", site.Symbol, site.Event, site.Instruction, class, site.Address, site.FileOffset)
	}
	flush(lines)
	if stepped > 0 {
		fmt.Fprintf(page, "  %d of %d are single-stepped: each hit costs a second trap into the kernel.\n", stepped, len(sites))
	}
}

func writeFields(page *strings.Builder, l *plan.Library) {
	if len(l.Fields) == 0 {
		return
	}
	page.WriteByte('\n')
	lines := tabwriter.NewWriter(page, 0, 0, 2, ' ', 0)
	fmt.Fprintln(lines, "  FIELD\tOFFSET\tFROM")
	var absent []string
	for _, field := range l.Fields {
		if !field.Exists {
			absent = append(absent, field.String())
			continue
		}
		fmt.Fprintf(lines, "  %s\t%d\t%s\n", field.Field, field.Offset, origin(field.Source))
	}
	flush(lines)
	if len(absent) > 0 {
		page.WriteString("\n  Not in this version, nor needed\n")
		for _, name := range absent {
			fmt.Fprintf(page, "    %s\n", name)
		}
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
