package plan

import (
	"fmt"
	"strings"
)

// reasons says why things are missing, each reason once.
type reasons []reason

type reason struct {
	why   string
	lacks []string // functions or fields
}

func (r *reasons) add(what, why string) {
	for i := range *r {
		if (*r)[i].why == why {
			(*r)[i].lacks = append((*r)[i].lacks, what)
			return
		}
	}
	*r = append(*r, reason{why, []string{what}})
}

func (r reasons) list() []string {
	const named = 3 // the rest is counted
	var list []string
	for _, one := range r {
		what := strings.Join(one.lacks[:min(named, len(one.lacks))], ", ")
		if more := len(one.lacks) - named; more > 0 {
			what += fmt.Sprintf(" and %d more", more)
		}
		list = append(list, what+": "+one.why)
	}
	return list
}
