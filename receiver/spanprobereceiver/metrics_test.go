//go:build linux && (amd64 || arm64)

package spanprobereceiver

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/spanprobe/spanprobe/internal/wire"
)

// documented is what metadata.yaml says of a metric.
type documented struct {
	Description, Unit string
	Attributes        []string
	Gauge             bool
}

// ofReceiverAlone is the metric that the receiver counts itself: its value is not the engine's.
const ofReceiverAlone = "spans_refused"

func TestEveryMetricIsInMetadataAsTheTableOfCountersHasIt(t *testing.T) {
	conf, err := confmaptest.LoadConf("metadata.yaml")
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := conf.Sub("telemetry::metrics")
	if err != nil {
		t.Fatal(err)
	}
	inMetadata := map[string]documented{}
	for key, value := range metrics.ToStringMap() {
		of := value.(map[string]any)
		d := documented{Description: of["description"].(string), Unit: of["unit"].(string)}
		for _, attribute := range of["attributes"].([]any) {
			d.Attributes = append(d.Attributes, attribute.(string))
		}
		_, d.Gauge = of["gauge"]
		name, ok := strings.CutPrefix(key, "receiver_spanprobe_")
		if !ok {
			t.Errorf("%s has another prefix", key)
		}
		inMetadata[name] = d
	}
	if _, ok := inMetadata[ofReceiverAlone]; !ok {
		t.Errorf("there is no %s", ofReceiverAlone)
	}
	delete(inMetadata, ofReceiverAlone)
	inTable := map[string]documented{}
	for _, m := range wire.Metrics {
		d := documented{m.Description, m.Unit, []string{"receiver"}, m.Gauge}
		if m.Reasons != nil {
			d.Attributes = []string{"reason", "receiver"}
		}
		if m.ByService() {
			d.Attributes = append(d.Attributes, "service")
		}
		inTable[m.Name] = d
	}
	if diff := cmp.Diff(inMetadata, inTable); diff != "" {
		t.Errorf("-metadata.yaml +wire.Metrics:\n%s", diff)
	}
}

func TestEveryMetricIsDocumented(t *testing.T) {
	page := read(t, "documentation.md")
	for _, m := range wire.Metrics {
		kind := "| Sum | Int | true |"
		if m.Gauge {
			kind = "| Gauge | Int |"
		}
		want := fmt.Sprintf("### %s%s\n\n%s\n\n", metricPrefix, m.Name, m.Description)
		_, section, ok := strings.Cut(page, want)
		section, _, _ = strings.Cut(section, "\n### ")
		if !ok || !strings.Contains(section, "\n| "+m.Unit+" "+kind) {
			t.Errorf("documentation.md lacks %s, or differs: `go generate ./receiver/...`", m.Name)
		}
	}
}

// mdatagen knows the attribute alone.
func TestEveryReasonIsExplained(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, page := range append(pages, "../../README.md") {
		all.WriteString(read(t, page))
	}
	for _, m := range wire.Metrics {
		for _, reason := range m.Reasons {
			if !strings.Contains(all.String(), "`"+string(reason.Name)+"`") {
				t.Errorf(
					"neither README.md nor docs explain `%s`, a reason of %s", reason.Name, m.Name,
				)
			}
		}
	}
}

func TestEveryMetricHasOneName(t *testing.T) {
	var names []string
	for _, m := range wire.Metrics {
		names = append(names, m.Name)
		for _, reason := range m.Reasons {
			names = append(names, m.Name+" "+string(reason.Name))
		}
	}
	slices.Sort(names)
	if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
		t.Errorf("names are there twice: %q", names)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
