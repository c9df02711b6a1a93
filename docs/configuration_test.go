package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark/ast"
	table "github.com/yuin/goldmark/extension/ast"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"

	"github.com/spanprobe/spanprobe/receiver/spanprobereceiver"
)

const configurationPage = "docs/configuration.md"

// schema is what config.schema.json says of a key.
type schema struct {
	Type       string
	Default    any
	Properties map[string]schema
	Items      *schema
}

// flatten lists the keys below s that have values, each as "type, default".
func (s schema) flatten(key string, to map[string]string) {
	if s.Properties == nil {
		to[key] = s.Type + ", " + fmt.Sprint(s.Default)
		if s.Items != nil {
			to[key] = "list, <nil>"
			s.Items.flatten(key+"[]", to)
		}
		return
	}
	for name, property := range s.Properties {
		property.flatten(strings.TrimPrefix(key+"."+name, "."), to)
	}
}

func keysOfTheReceiver(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash("../receiver/spanprobereceiver/config.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&s); err != nil {
		t.Fatal(err)
	}
	keys := map[string]string{}
	s.flatten("", keys)
	delete(keys, "exclude[].service_name") // the receiver refuses it
	return keys
}

func TestEveryKeyIsDescribed(t *testing.T) {
	p := readPage(t, configurationPage)
	described := map[string]string{}
	for _, row := range p.tables("key")[0] {
		key, kind, byDefault := row[0], row[1], row[2]
		if !strings.HasPrefix(byDefault, "`") {
			byDefault = "`<nil>`" // in words
		}
		described[strings.Trim(key, "`")] = kind + ", " + strings.Trim(byDefault, "`")
	}
	if diff := cmp.Diff(keysOfTheReceiver(t), described); diff != "" {
		t.Errorf("the keys of the receiver (-) and of %s (+) differ:\n%s", p.path, diff)
	}
}

func TestExamplesLoadAndShowEveryKey(t *testing.T) {
	missing := keysOfTheReceiver(t)
	for _, path := range []string{"README.md", configurationPage} {
		examples := 0
		for _, block := range readPage(t, path).fenced("yaml") {
			receivers, err := load(t, block).Sub("receivers")
			if err != nil {
				continue // a manifest, whose receivers are a list
			}
			for id := range receivers.ToStringMap() {
				if name, _, _ := strings.Cut(id, "/"); name != "spanprobe" {
					t.Errorf("%s configures %s, which is no receiver of this repository", path, id)
					continue
				}
				examples++
				conf, err := receivers.Sub(id)
				if err != nil {
					t.Fatal(err)
				}
				if err := check(conf); err != nil {
					t.Errorf("%s: this example is wrong: %v\n%s", path, err, block)
				}
				if path == configurationPage {
					forget(missing, "", conf.ToStringMap())
				}
			}
			checkPipelines(t, path, load(t, block))
		}
		if examples == 0 {
			t.Errorf("%s has no example", path)
		}
	}
	if len(missing) > 0 {
		t.Errorf("no example of %s shows %q", configurationPage, slices.Sorted(maps.Keys(missing)))
	}
}

// load reads YAML as the Collector does.
func load(t *testing.T, text string) *confmap.Conf {
	t.Helper()
	file := filepath.Join(t.TempDir(), "example.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	conf, err := confmaptest.LoadConf(file)
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return conf
}

// check reads a configuration over the defaults, as the Collector does.
func check(conf *confmap.Conf) error {
	config := spanprobereceiver.NewFactory().CreateDefaultConfig()
	if err := conf.Unmarshal(config); err != nil {
		return err
	}
	return confmap.Validate(config)
}

// forget deletes the keys that a configuration has from all.
func forget(all map[string]string, key string, value any) {
	delete(all, key)
	switch v := value.(type) {
	case map[string]any:
		for name, below := range v {
			forget(all, strings.TrimPrefix(key+"."+name, "."), below)
		}
	case []any:
		for _, below := range v {
			forget(all, key+"[]", below)
		}
	}
}

// checkPipelines looks whether what is in a pipeline is configured as well.
func checkPipelines(t *testing.T, path string, conf *confmap.Conf) {
	t.Helper()
	pipelines, _ := conf.Get("service::pipelines").(map[string]any)
	for name, pipeline := range pipelines {
		for kind, ids := range pipeline.(map[string]any) {
			for _, id := range ids.([]any) {
				if !conf.IsSet(kind + "::" + id.(string)) {
					t.Errorf(
						"%s: the pipeline %s names %s, which is not among the %s", path, name, id,
						kind,
					)
				}
			}
		}
	}
}

func TestTheManifestIsOfTheVersionsThatAreBuilt(t *testing.T) {
	built, err := os.ReadFile(filepath.FromSlash("../builder-config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	manifests := 0
	for _, block := range readPage(t, "README.md").fenced("yaml") {
		if !strings.HasPrefix(block, "dist:") {
			continue
		}
		manifests++
		load(t, block)
		for text := range strings.Lines(block) {
			_, module, ok := strings.Cut(text, "gomod: ")
			module, _, _ = strings.Cut(strings.TrimSpace(module), " #")
			if ok && !strings.Contains(string(built), module+"\n") {
				t.Errorf("README.md has %s, and builder-config.yaml has not", module)
			}
		}
	}
	if manifests != 1 {
		t.Errorf("README.md has %d manifests, want 1", manifests)
	}
}

// tables lists the rows of every table whose first column has this title, each cell as it is
// written.
func (p page) tables(title string) [][][]string {
	var all [][][]string
	each(p.root, func(node ast.Node) {
		if node.Kind() != table.KindTable {
			return
		}
		var rows [][]string
		for row := node.FirstChild(); row != nil; row = row.NextSibling() {
			var cells []string
			for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
				cells = append(cells, strings.TrimSpace(string(cell.Lines().Value(p.source))))
			}
			rows = append(rows, cells)
		}
		if rows[0][0] == title {
			all = append(all, rows[1:])
		}
	})
	return all
}
