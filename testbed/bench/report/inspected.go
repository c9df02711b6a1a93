package report

import (
	"fmt"
	"strings"
	"time"
)

// Inspected is one binary that was inspected and planned, several times, each by a
// process of its own.
type Inspected struct {
	Name      string
	Size      int64 // bytes
	Functions int
	Took      []time.Duration // of the whole process
	Memory    int64           // bytes that the process had resident, at the most
}

// What an inspection may take of a binary of largeBinary bytes or less.
const (
	maxInspection  = 300 * time.Millisecond
	maxInspectedMB = 50
	largeBinary    = 130e6
	inspectedLarge = 100e6 // the largest of those that count has at least so many
	manyFunctions  = 200_000
)

func (i *Inspected) took() Spread {
	var values []float64
	for _, t := range i.Took {
		values = append(values, float64(t)/float64(time.Millisecond))
	}
	return SpreadOf(values)
}

// checkInspection wants it of every binary: the median over the rounds decides.
func (r *Run) checkInspection() Check {
	c := Check{Target: fmt.Sprintf("a binary of 100 MB and %s functions is inspected and planned within %d ms and %d MB", thousands(manyFunctions), maxInspection.Milliseconds(), maxInspectedMB)}
	slowest, memory, largest, functions := 0.0, int64(0), int64(0), 0
	for i := range r.Inspected {
		if one := &r.Inspected[i]; one.Size <= largeBinary {
			slowest, memory, largest = max(slowest, one.took().Median), max(memory, one.Memory), max(largest, one.Size)
			functions = max(functions, one.Functions)
		}
	}
	if len(r.Inspected) == 0 {
		return c.atMost(Spread{}, 0)
	}
	c.Measured = fmt.Sprintf("at most %.0f ms and %.1f MB, of binaries of up to %.0f MB and %s functions", slowest, float64(memory)/1e6, float64(largest)/1e6, thousands(float64(functions)))
	switch {
	case slowest > float64(maxInspection.Milliseconds()) || memory > maxInspectedMB*1e6:
		c.Outcome = Fail
	case largest < inspectedLarge || functions < manyFunctions:
		c.Outcome = Unmet
	default:
		c.Outcome = Pass
	}
	return c
}

// Inspections is what a run that did nothing else has shown.
func (r *Run) Inspections() (section string, checks []Check) {
	var b strings.Builder
	r.writeInspected(&b)
	return b.String(), []Check{r.checkInspection()}
}

func (r *Run) writeInspected(b *strings.Builder) {
	if len(r.Inspected) == 0 {
		return
	}
	b.WriteString("### Inspecting a binary\n\nBy `spanprobe inspect`: a process that starts, reads the file, which the kernel has in memory, and writes the plan. It is what the receiver " +
		"does once for a file. `large` is made for this; of an unknown Go, the debug information is read as well.\n\n")
	t := table{head: []string{"", "size", "functions", "time", "memory"}, numbers: true}
	for i := range r.Inspected {
		one := &r.Inspected[i]
		t.add(one.Name, fmt.Sprintf("%.0f MB", float64(one.Size)/1e6), thousands(float64(one.Functions)), one.took().format("%.0f", " ms"), fmt.Sprintf("%.0f MB", float64(one.Memory)/1e6))
	}
	t.write(b)
}
