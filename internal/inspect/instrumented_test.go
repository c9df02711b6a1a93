package inspect_test

import (
	"testing"

	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/testing/testbinary"
)

const sdkProvider = "go.opentelemetry.io/otel/sdk/trace.NewTracerProvider"

func TestAProgramThatCanMakeSpansItselfIsKnownByItsTracerProvider(t *testing.T) {
	for _, test := range []struct {
		release string
		form    testbinary.Form
		has     testbinary.SDK
		version string
		want    string
	}{
		{"1.17.13", testbinary.Stripped, testbinary.Provider, "v1.0.0", sdkProvider},
		{"1.26.8", testbinary.Plain, testbinary.Provider, "v1.47.0", sdkProvider},
		{"1.26.8", testbinary.Stripped, testbinary.Provider, "v1.47.0", sdkProvider},
		{"1.27.4", testbinary.PIE, testbinary.Provider, "v1.47.0", sdkProvider},
		{"1.26.8", testbinary.Stripped, testbinary.Fork, "", "example.com/testserver/telemetry/sdk/trace.NewTracerProvider"},
		{"1.26.8", testbinary.Plain, testbinary.Types, "v1.47.0", ""},
		{"1.26.8", testbinary.Stripped, testbinary.Types, "v1.47.0", ""},
	} {
		build := testbinary.Build{Go: test.release, Arch: model.AMD64, Form: test.form}
		t.Run(build.String()+" "+string(test.has), func(t *testing.T) {
			b := inspectFile(t, testbinary.Instrumented(t, build, test.has, test.version))
			if b.TracerProvider != test.want {
				t.Errorf("it is known by %q, not by %q", b.TracerProvider, test.want)
			}
		})
	}
}
