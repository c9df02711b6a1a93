package report

import "strings"

// table is a Markdown table.
type table struct {
	head    []string
	numbers bool // all columns but the first hold figures
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write writes nothing for a table without rows.
func (t *table) write(b *strings.Builder) {
	if len(t.rows) == 0 {
		return
	}
	line := func(cells []string) {
		for _, cell := range cells {
			b.WriteString("| ")
			b.WriteString(strings.ReplaceAll(cell, "|", `\|`))
			b.WriteByte(' ')
		}
		b.WriteString("|\n")
	}
	line(t.head)
	rule := make([]string, len(t.head))
	for i := range rule {
		rule[i] = "---"
		if t.numbers && i > 0 {
			rule[i] = "---:"
		}
	}
	line(rule)
	for _, row := range t.rows {
		line(row)
	}
	b.WriteByte('\n')
}
