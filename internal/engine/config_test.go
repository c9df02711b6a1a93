//go:build linux && (amd64 || arm64)

package engine

import (
	"strings"
	"testing"
)

func valid() Config {
	return Config{
		Targets: []Target{
			{Exe: "/opt/example/bin/*"},
		},
		URLQuery:       QueryRedact,
		Inject:         InjectAuto,
		Instrumented:   InstrumentedSkip,
		RingBufferSize: 4 << 20,
		MaxActiveSpans: 16384,
	}
}

func TestARingBufferSmallerThanAPageIsRefusedAtStart(t *testing.T) {
	config := valid()
	config.RingBufferSize = 4 << 10
	if err := config.Validate(); err != nil {
		t.Error(err)
	}
	if err := config.checkPage(4 << 10); err != nil {
		t.Error(err)
	}
	if err := config.checkPage(
		64 << 10,
	); err == nil ||
		!strings.HasPrefix(err.Error(), "ring_buffer_size: ") {
		t.Errorf("the error is %v, want one that names ring_buffer_size", err)
	}
}

func TestAConfigurationThatIsNotValidMakesNoEngine(t *testing.T) {
	for key, change := range map[string]func(*Config){
		"targets":            func(c *Config) { c.Targets = nil },
		"exclude[0]":         func(c *Config) { c.Exclude = []Target{{}} },
		"url_query":          func(c *Config) { c.URLQuery = "" },
		"propagation.inject": func(c *Config) { c.Inject = "" },
		"instrumented":       func(c *Config) { c.Instrumented = "" },
		"ring_buffer_size":   func(c *Config) { c.RingBufferSize = 4097 },
		"max_active_spans":   func(c *Config) { c.MaxActiveSpans = 0 },
	} {
		config := valid()
		change(&config)
		if _, err := New(
			config,
			Settings{},
		); err == nil ||
			!strings.HasPrefix(err.Error(), key+": ") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := New(valid(), Settings{}); err != nil {
		t.Error(err)
	}
}
