package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// tracepoint is the class of programs that are on no instruction of a target's.
const tracepoint = "tracepoint"

// write writes them, if they were counted.
func (h *Hits) write(b *strings.Builder, of words) {
	if h == nil {
		return
	}
	fmt.Fprintf(b, "### Probe hits a %s\n\nFrom short loads of their own, since the kernel's counting costs time too. In parentheses: the time of a hit in the program.\n\n", of.each)
	t := table{head: append([]string{"program", "on", "sites", "class"}, h.Protocols...)}
	for _, p := range h.Probes {
		on, class := strings.Join(p.Symbols, ", "), p.Class
		if class == "" {
			on, class = "–", tracepoint
		}
		if p.OnDemand {
			on += ", on demand"
		}
		cells := []string{"`" + p.Program + "`", on, strconv.Itoa(p.Sites), class}
		for _, count := range p.Counts {
			cells = append(cells, count.String())
		}
		t.add(cells...)
	}
	t.write(b)
	h.writeClasses(b, of)
}

// writeClasses writes the hits by the class of the probed instruction,
// which says what they cost.
func (h *Hits) writeClasses(b *strings.Builder, of words) {
	byClass := map[string][]float64{}
	for _, p := range h.Probes {
		class := p.Class
		if class == "" {
			class = tracepoint
		}
		if byClass[class] == nil {
			byClass[class] = make([]float64, len(h.Protocols))
		}
		for i, count := range p.Counts {
			byClass[class][i] += count.Hits
		}
	}
	t := table{head: append([]string{"hits a " + of.each + ", by class"}, h.Protocols...), numbers: true}
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		cells := []string{class}
		for _, hits := range byClass[class] {
			cells = append(cells, fmt.Sprintf("%.3f", hits))
		}
		t.add(cells...)
	}
	t.write(b)
}

// String is "hits (time)".
func (c Count) String() string {
	if c.Hits == 0 {
		return "0"
	}
	return fmt.Sprintf("%.4f (%d ns)", c.Hits, c.Time.Nanoseconds())
}
