package spanprobereceiver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
)

// load reads a file of testdata/config over the defaults, as the Collector does.
func load(t *testing.T, file string) (*Config, error) {
	t.Helper()
	conf, err := confmaptest.LoadConf(filepath.Join("testdata", "config", file))
	if err != nil {
		t.Fatal(err)
	}
	config := createDefaultConfig().(*Config)
	return config, conf.Unmarshal(config)
}

func TestValidConfigurationIsReadWhole(t *testing.T) {
	config, err := load(t, "valid.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Targets: []Target{
			{Exe: "/usr/local/bin/*"},
			{Port: 8080, ServiceName: "checkout"},
			{Exe: "/opt/**/server", PID: 4711},
		},
		Exclude:        []Target{{Exe: "/usr/bin/docker*"}},
		URLQuery:       "keep",
		Instrumented:   "trace",
		Propagation:    Propagation{Inject: "off"},
		Sampling:       Sampling{Ratio: 0.25, ParentBased: true},
		RingBufferSize: 65536,
		MaxActiveSpans: 100,
	}
	if diff := cmp.Diff(
		want, config, cmpopts.IgnoreUnexported(Config{}, Target{}, Propagation{}, Sampling{}),
	); diff != "" {
		t.Error(diff)
	}
	if err := confmap.Validate(config); err != nil {
		t.Error(err)
	}
}

func TestDefaultsNeedOnlyATarget(t *testing.T) {
	config := createDefaultConfig().(*Config)
	config.Targets = []Target{{Port: 8080}}
	if err := confmap.Validate(config); err != nil {
		t.Error(err)
	}
	want := Config{
		URLQuery:       "redact",
		Instrumented:   "skip",
		Propagation:    Propagation{Inject: "auto"},
		Sampling:       Sampling{Ratio: 1, ParentBased: true},
		RingBufferSize: 4 << 20,
		MaxActiveSpans: 16384,
		Targets:        config.Targets,
	}
	if diff := cmp.Diff(
		want, *config, cmpopts.IgnoreUnexported(Config{}, Target{}, Propagation{}, Sampling{}),
	); diff != "" {
		t.Error(diff)
	}
}

// invalid holds what the error of each file of testdata/config must name, one
// line after the other.
var invalid = map[string][]string{
	"no_targets.yaml": {
		"targets: name at least one process to trace",
		"receivers:",
		"spanprobe:",
		"targets:",
		"- exe: /usr/local/bin/*",
	},
	"target_selects_nothing.yaml": {"targets[1]: selects nothing: give exe, port or pid"},
	"exe_relative.yaml":           {`targets[1].exe: "server" matches no path`},
	"exe_malformed.yaml":          {`targets[0].exe: "/opt/[a-z/server" is no glob`},
	"exe_half_doublestar.yaml": {
		`targets[0].exe: "/opt/**server": ** crosses slashes only`,
	},
	"port_too_large.yaml":          {"targets[0].port: 70000 is no TCP port"},
	"port_negative.yaml":           {"targets[0].port: -1 is no TCP port"},
	"pid_negative.yaml":            {"targets[0].pid: -7 is no process id"},
	"exclude_selects_nothing.yaml": {"exclude[1]: selects nothing"},
	"exclude_service_name.yaml": {
		"exclude[0].service_name: what is excluded has no service name",
	},
	"url_query_unknown.yaml": {
		`url_query: "hide" is none of ["redact" "keep" "drop"]`,
	},
	"instrumented_unknown.yaml": {`instrumented: "ignore" is none of ["skip" "trace"]`},
	"propagation_inject_unknown.yaml": {
		`propagation.inject: "always" is none of ["auto" "off"]`,
	},
	"sampling_ratio_negative.yaml": {
		"sampling.ratio: -0.1 is neither 0 nor from 2^-56 to 1",
	},
	"sampling_ratio_no_number.yaml": {
		"sampling.ratio: NaN is neither 0 nor from 2^-56 to 1",
	},
	"sampling_ratio_percent.yaml": {
		"sampling.ratio: 10 is neither 0 nor from 2^-56 to 1",
	},
	"ring_buffer_size_no_power_of_two.yaml": {"ring_buffer_size: 100000 is no power of two"},
	"ring_buffer_size_too_small.yaml": {
		"ring_buffer_size: 2048 is no power of two from 4096",
	},
	"max_active_spans_zero.yaml": {"max_active_spans: 0 is not from 1"},
	"everything_wrong.yaml": {
		"targets[0].port: 70000",
		`targets[0].exe: "server"`,
		"targets[0].pid: -7",
		"url_query:",
		"propagation.inject:",
		"instrumented:",
		"ring_buffer_size: 0",
		"max_active_spans: -1",
		"sampling.ratio: 2",
	},
}

func TestInvalidConfigurationIsRefusedWithItsKey(t *testing.T) {
	for file, want := range invalid {
		t.Run(strings.TrimSuffix(file, ".yaml"), func(t *testing.T) {
			config, err := load(t, file)
			if err != nil {
				t.Fatal(err)
			}
			if err = confmap.Validate(config); err == nil {
				t.Fatal("it passes")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(want) {
				t.Errorf("%d lines, want %d:\n%v", len(lines), len(want), err)
			}
			for i := range min(len(lines), len(want)) {
				if line := strings.TrimSpace(lines[i]); !strings.HasPrefix(line, want[i]) {
					t.Errorf("line %d is %q, want it to begin with %q", i+1, line, want[i])
				}
			}
		})
	}
}

func TestUnknownKeyIsRefused(t *testing.T) {
	if _, err := load(t, "unknown_key.yaml"); err == nil || !strings.Contains(err.Error(), "path") {
		t.Errorf("the error is %v, want one that names the key", err)
	}
}

func TestAKeyThatSaysNothingIsRefused(t *testing.T) {
	_, err := load(t, "keys_without_value.yaml")
	for _, want := range []string{"targets[1]", "port: it is empty or 0", "pid: it is empty or 0", "exclude[0]", "exe: it is empty or 0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q in it", err, want)
		}
	}
}

func TestEveryInvalidConfigurationIsTried(t *testing.T) {
	entries, err := os.ReadDir(filepath.Join("testdata", "config"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if name := entry.Name(); invalid[name] == nil && name != "valid.yaml" &&
			name != "unknown_key.yaml" &&
			name != "keys_without_value.yaml" {
			t.Errorf("no test reads %s", name)
		}
	}
}
