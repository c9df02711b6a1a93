//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheStatusIsReportedOnChangeOnly(t *testing.T) {
	var reports []string
	h := health{status: func(err error) {
		if err == nil {
			reports = append(reports, "well")
		} else {
			reports = append(reports, err.Error())
		}
	}}
	one, two := errors.New("one"), errors.New("two")
	h.report(nil, nil)
	h.report(one, two)
	h.report(nil, two)
	h.report(nil, nil)
	h.report(nil)
	h.readerFailed(errors.New("no reader"))
	h.report(one, nil)
	h.report() // it stays so
	if diff := cmp.Diff([]string{"one\ntwo", "well", "no reader\none"}, reports); diff != "" {
		t.Error(diff)
	}
}
