//go:build vm

package vm

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

const (
	// machinePatience is how long a machine may take, with what it needs fetched and built.
	// Processors that are busy otherwise make it many times slower.
	machinePatience = 20 * time.Minute
	// suitePatience is how long the tests of one package may take in it.
	suitePatience = 15 * time.Minute
)

func TestKernels(t *testing.T) {
	var (
		linux61  = Kernel{"6.1", "amd64", "bookworm"}
		linux612 = Kernel{"6.12", "amd64", "trixie"}
		linux618 = Kernel{"6.18", "amd64", "trixie-backports"}
		linux7   = Kernel{"7", "amd64", "trixie-backports"}
	)
	const (
		preemptible  = "preempt=full"
		lockedDown   = "lockdown=integrity lsm=lockdown,bpf"
		confidential = "lockdown=confidentiality lsm=lockdown,bpf"
	)
	programs := []target.Build{
		newest, oldest, plain, elsewhere, stripped, newestCaller, oldestCaller,
		grpcServer, grpcCaller,
	}
	related := append([]target.Build{peer, parent}, chain...)
	all := []string{"http1", "http2", "net2", "unary", "stream"} // the forms of requests
	for _, c := range []struct {
		name        string
		kernel      Kernel
		commandLine string
		suites      []Suite
		targets     []target.Build
	}{
		{
			name: "5.10 is refused", kernel: Kernel{"5.10", "amd64", "bullseye-security"},
			suites: []Suite{inside("TestAKernelThatIsTooOldIsRefusedWithTheReason")},
		},
		{
			name: "6.1", kernel: linux61,
			suites: []Suite{spans(), calls(), faults(loss(), files())}, targets: programs,
		},
		{
			name: "6.12", kernel: linux612,
			suites: []Suite{spans(), calls(), faults(files())}, targets: programs,
		},
		{
			name: "6.18", kernel: linux618,
			suites: []Suite{spans(), calls(), faults(files())}, targets: programs,
		},
		{
			name: "7", kernel: linux7,
			suites: []Suite{spans(), calls(), faults(loss(), files())}, targets: programs,
		},
		{
			name: "6.18 fully preemptible", kernel: linux618, commandLine: preemptible,
			suites:  []Suite{inside("TestTheKernelIsFullyPreemptible"), faults(loss(), churn())},
			targets: programs,
		},
		{
			name: "6.18 locked down", kernel: linux618, commandLine: lockedDown,
			suites: []Suite{
				inside("TestTheKernelIsLockedDown"), spans(), calls(), faults(files()),
			},
			targets: programs,
		},
		{
			name: "6.18 locked down for confidentiality is refused", kernel: linux618,
			commandLine: confidential,
			suites: []Suite{inside(
				"TestAKernelThatIsLockedDownForConfidentialityIsRefusedWithTheReason",
			)},
		},
		{
			name: "6.12 arm64", kernel: Kernel{"6.12", "arm64", "trixie"},
			suites: []Suite{{Package: "nethttp", Tests: []string{
				with("TestEverySpanSaysWhatTheClientKnows", newest),
				with("TestEveryStreamOfHTTP2GivesASpan", newest),
				with("TestAHandlerThatDoesNotReturnHasASpanThatSaysSo", newest),
				with("TestEveryCallGivesASpanThatSaysWhatCameOfIt", newestCaller),
			}}, calls()},
			targets: []target.Build{newest, newestCaller, grpcServer, grpcCaller},
		},
		{
			name: "6.12 arm64, oldest programs", kernel: Kernel{"6.12", "arm64", "trixie"},
			suites: []Suite{
				{Package: "nethttp", Matrix: true, Tests: []string{
					with("TestEverySpanSaysWhatTheClientKnows", oldestARM),
					with("TestEveryStreamOfHTTP2GivesASpan", oldestARM),
					with("TestEveryCallGivesASpanThatSaysWhatCameOfIt", oldestARMCaller),
				}},
				{Package: "grpc", Matrix: true, Tests: []string{
					with("TestEverySpanSaysWhatTheClientKnows", oldestARMGRPCServer),
					with("TestEveryCallGivesASpanThatSaysWhatCameOfIt", oldestARMGRPCCaller),
				}},
			},
			targets: []target.Build{
				oldestARM, oldestARMCaller, oldestARMGRPCServer, oldestARMGRPCCaller, grpcServer,
			},
		},
		{name: "6.1 contexts", kernel: linux61, suites: contexts(), targets: related},
		{name: "6.12 contexts", kernel: linux612, suites: contexts(), targets: related},
		{name: "6.18 contexts", kernel: linux618, suites: contexts(), targets: related},
		{name: "7 contexts", kernel: linux7, suites: contexts(), targets: related},
		{
			name: "6.18 locked down, contexts", kernel: linux618, commandLine: lockedDown,
			suites: contexts(), targets: related,
		},
		{
			name: "6.1 writes", kernel: linux61,
			suites:  injection("allowed", oldestSender, all...),
			targets: []target.Build{oldestSender},
		},
		{
			name: "6.12 writes", kernel: linux612,
			suites:  injection("allowed", recentSender, all...),
			targets: []target.Build{recentSender},
		},
		{
			name: "6.18 writes", kernel: linux618,
			suites:  injection("allowed", middleSender, all...),
			targets: []target.Build{middleSender},
		},
		{
			name: "7 writes", kernel: linux7,
			suites:  injection("allowed", newestSender, "http1", "http2", "unary", "stream"),
			targets: []target.Build{newestSender},
		},
		{
			name: "6.18 fully preemptible, writes", kernel: linux618, commandLine: preemptible,
			suites:  injection("allowed", olderSender, "http1", "http2", "unary"),
			targets: []target.Build{olderSender},
		},
		{
			name: "6.18 locked down, writes", kernel: linux618, commandLine: lockedDown,
			suites:  injection("refused", newestSender, "http1", "http2", "unary"),
			targets: []target.Build{newestSender},
		},
		{
			name: "6.12 arm64 writes", kernel: Kernel{"6.12", "arm64", "trixie"},
			suites:  injection("allowed", recentSender, "http1", "http2", "unary"),
			targets: []target.Build{recentSender},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			elapsed := func() time.Duration { return time.Since(began).Round(time.Second) }
			ctx, cancel := context.WithTimeout(t.Context(), machinePatience)
			defer cancel()
			cache, err := CacheFolder()
			if err != nil {
				t.Fatal(err)
			}
			emulator := Emulators[c.kernel.Arch]
			if err := emulator.Provide(ctx, cache); err != nil {
				t.Fatal(err)
			}
			kernel, err := c.kernel.Find(ctx, cache)
			if err != nil {
				t.Fatal(err)
			}
			buildStatically(t, cache)
			initramfs, err := Image{
				Kernel: kernel, Arch: c.kernel.Arch, Suites: c.suites, Targets: c.targets,
				Timeout: suitePatience,
			}.Write(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("kernel %s is ready to boot after %v", kernel.Release, elapsed())
			report, err := Machine{
				Kernel: kernel, Emulator: emulator, Initramfs: initramfs,
				CommandLine: c.commandLine, Log: t.Output(),
			}.Boot(ctx)
			if err != nil {
				t.Error(err)
			}
			if report == nil {
				return
			}
			problems, err := report.Problems(c.suites)
			if err != nil {
				t.Fatal(err)
			}
			for _, problem := range problems {
				t.Error(problem)
			}
			t.Logf("kernel %s: %v in all, %v of a processor for the emulator",
				kernel.Release, elapsed(), report.Processor.Round(time.Second))
		})
	}
}

// buildStatically has target.Compile make programs that need no C library, which a machine does
// not have, and keep them apart from those that need one: how it names what it keeps does not tell
// them apart.
func buildStatically(t *testing.T, cache string) {
	t.Helper()
	goCache, err := output(exec.CommandContext(t.Context(), "go", "env", "GOCACHE"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", strings.TrimSpace(goCache)) // else it moves along
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("CGO_ENABLED", "0")
}
