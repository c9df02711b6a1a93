//go:build linux && (amd64 || arm64)

package spanprobereceiver

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/spanprobe/spanprobe/receiver/spanprobereceiver/internal/metadata"
)

func newReceiver(t *testing.T, change func(*Config)) receiver.Traces {
	t.Helper()
	factory := NewFactory()
	config := factory.CreateDefaultConfig().(*Config)
	config.Targets = []Target{{Exe: "/opt/example/bin/*"}}
	change(config)
	r, err := factory.CreateTraces(
		context.Background(), receivertest.NewNopSettings(metadata.Type), config,
		consumertest.NewNop(),
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestShutdownIsSafeBeforeStartAndTwice(t *testing.T) {
	r := newReceiver(t, func(*Config) {})
	for range 2 {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

func TestStartWithoutPrivilegesSaysWhatIsMissing(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("has all privileges as root")
	}
	r := newReceiver(t, func(*Config) {})
	err := r.Start(context.Background(), componenttest.NewNopHost())
	if err == nil || !strings.Contains(err.Error(), "CAP_BPF") {
		t.Errorf("the error is %v, want one that names CAP_BPF", err)
	}
	if err := r.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestTwoReceiversStartSideBySide(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to load BPF programs")
	}
	for _, r := range []receiver.Traces{newReceiver(t, func(*Config) {}), newReceiver(t, func(*Config) {})} {
		if err := r.Start(context.Background(), componenttest.NewNopHost()); err != nil {
			t.Fatal(err)
		}
		defer func() {
			for range 2 {
				if err := r.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
			}
		}()
	}
}

// statusHost is a host that notes the statuses that are reported to it.
type statusHost struct {
	component.Host
	events []*componentstatus.Event
}

func (h *statusHost) Report(event *componentstatus.Event) { h.events = append(h.events, event) }

func TestTroubleIsARecoverableStatusUntilItIsOver(t *testing.T) {
	host := &statusHost{Host: componenttest.NewNopHost()}
	r := &tracesReceiver{host: host}
	trouble := errors.New("cannot attach")
	r.report(trouble)
	r.report(nil)
	if len(host.events) != 2 {
		t.Fatalf("%d statuses were reported, want 2", len(host.events))
	}
	if event := host.events[0]; event.Status() != componentstatus.StatusRecoverableError ||
		!errors.Is(event.Err(), trouble) {
		t.Errorf("trouble is reported as %v: %v", event.Status(), event.Err())
	}
	if event := host.events[1]; event.Status() != componentstatus.StatusOK || event.Err() != nil {
		t.Errorf("its end is reported as %v: %v", event.Status(), event.Err())
	}
}
