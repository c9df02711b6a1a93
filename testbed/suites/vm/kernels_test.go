//go:build vm

package vm

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

const (
	// machinePatience is how long a machine may take, with what it needs fetched and
	// built. Processors that are busy otherwise make it many times slower.
	machinePatience = 20 * time.Minute
	// suitePatience is how long the tests of one package may take in it.
	suitePatience = 15 * time.Minute
)

// The programs that the tests trace. They are few: a machine is about its kernel,
// the versions of Go are about the library. A test that wants another one fails,
// since there is no go command in a machine.
var (
	newest    = target.Build{Source: "testbed/targets/nethttp", Go: "1.27.4", Flags: []string{target.Stripped}}
	oldest    = target.Build{Source: "testbed/targets/nethttp", Go: "1.17.13", Flags: []string{target.Stripped}}
	plain     = target.Build{Source: "testbed/targets/nethttp", Go: "1.26.8"}
	elsewhere = target.Build{Source: "testbed/targets/nethttp", Go: "1.26.8", Flags: []string{"-gcflags=all=-N -l"}}
	stripped  = target.Build{Source: "testbed/targets/nethttp", Go: "1.26.8", Flags: []string{target.Stripped}}

	newestCaller = target.Build{Source: "testbed/targets/httpcaller", Go: "1.27.4", Flags: []string{target.Stripped}}
	oldestCaller = target.Build{Source: "testbed/targets/httpcaller", Go: "1.17.13", Flags: []string{target.Stripped}}

	// As the tests of gRPC build their newest.
	grpcServer = target.GRPC("testbed/targets/grpc", "1.27.4", "1.85.0", target.Stripped)
	grpcCaller = target.GRPC("testbed/targets/grpccaller", "1.27.4", "1.85.0", target.Stripped)
)

// The oldest Go for arm64, with the oldest gRPC that `make test-matrix` compiles with it.
var (
	oldestARM           = target.Build{Source: "testbed/targets/nethttp", Go: "1.18.10", Flags: []string{target.Stripped}}
	oldestARMCaller     = target.Build{Source: "testbed/targets/httpcaller", Go: "1.18.10", Flags: []string{target.Stripped}}
	oldestARMGRPCServer = target.GRPC("testbed/targets/grpc", "1.18.10", "1.40.0", target.Stripped)
	oldestARMGRPCCaller = target.GRPC("testbed/targets/grpccaller", "1.18.10", "1.40.0", target.Stripped)
)

// sender is a program whose requests carry the context of their spans, where the kernel allows it.
func sender(goVersion, grpc string) target.Build {
	return target.GRPC("testbed/targets/peer", goVersion, grpc)
}

var (
	newestSender = sender("1.27.4", "1.85.0")
	recentSender = sender("1.26.8", "1.85.0")
	middleSender = sender("1.24.13", "1.75.0")
	olderSender  = sender("1.22.12", "1.69.4")
	oldestSender = sender("1.20.14", "1.58.0")
)

// Programs of which requests pass from one to the other.
var (
	peer   = target.GRPC("testbed/targets/peer", "1.27.4", "1.85.0", target.Stripped)
	parent = withModule(target.GRPC("testbed/targets/parents", "1.27.4", "1.85.0", target.Stripped), "golang.org/x/sync@v0.7.0")
	chain  = []target.Build{
		target.GRPC("testbed/targets/chain", "1.27.4", "1.85.0", target.Stripped),
		target.GRPC("testbed/targets/chain", "1.24.13", "1.75.0", target.Stripped),
		target.GRPC("testbed/targets/chain", "1.22.12", "1.69.4", target.Stripped),
	}
)

func withModule(b target.Build, module string) target.Build {
	b.Modules = append(b.Modules, module)
	return b
}

// with is the name of a test's subtest for a build.
func with(test string, build target.Build) string { return named(test, build.String()) }

func named(test, subtest string) string { return test + "/" + strings.ReplaceAll(subtest, " ", "_") }

// spans is what every kernel must do: whole spans of every kind of request. The
// oldest programs are probed at another instruction than the newest.
func spans() Suite {
	return Suite{Package: "nethttp", Tests: []string{
		with("TestEverySpanSaysWhatTheClientKnows", newest),
		with("TestEverySpanSaysWhatTheClientKnows", oldest),
		with("TestEveryStreamOfHTTP2GivesASpan", newest),
		with("TestAHandlerThatDoesNotReturnHasASpanThatSaysSo", newest),
		with("TestTheRouteIsFoundWhateverMiddlewareStandsBefore", newest),
		with("TestEveryCallGivesASpanThatSaysWhatCameOfIt", newestCaller),
		with("TestEveryCallGivesASpanThatSaysWhatCameOfIt", oldestCaller),
		"TestWhatTheCallerDoesNotSampleHasNoSpan",
	}}
}

// calls is the same of gRPC, served and made.
func calls() Suite {
	return Suite{Package: "grpc", Tests: []string{
		with("TestEverySpanSaysWhatTheClientKnows", grpcServer),
		with("TestEveryCallGivesASpanThatSaysWhatCameOfIt", grpcCaller),
	}}
}

// contexts is whose children calls and requests are: inside a process, and at the other end of a connection.
func contexts() []Suite {
	called := func(b target.Build) string {
		b.Modules = nil
		return b.String() + " grpc 1.85.0"
	}
	return []Suite{
		{Package: "connections", Tests: []string{
			named("TestARequestIsJoinedToTheCallThatSendsIt", called(peer)+" to "+called(peer)),
		}},
		{Package: "parents", Tests: []string{named("TestTheParentOfACallIsTheRequestThatItIsFor", called(parent))}},
	}
}

// wholeTraces is what passes six services: by headers where the kernel lets requests carry them, else by connections.
func wholeTraces() Suite {
	return Suite{Package: "chain", Tests: []string{"TestARequestThroughSixServicesIsOneTrace"}}
}

// injection is what requests of some forms carry, by what the kernel lets programs do: "allowed"
// or "refused". More tests have requests that are made for others, and a program that has the OpenTelemetry SDK at
// the other end.
func injection(kernel string, build target.Build, forms ...string) []Suite {
	suite := Suite{Package: "inject"}
	for _, form := range forms {
		suite.Tests = append(suite.Tests, with("TestRequestsCarryTheContextOfTheirSpan", build)+"_"+kernel+"/"+form)
	}
	for _, test := range []string{"TestRequestsCarryTheTracestateOfTheirTrace", "TestAProgramThatTracesItselfContinuesTheTrace"} {
		suite.Tests = append(suite.Tests, with(test, build)+"_"+kernel)
	}
	return []Suite{suite}
}

// loss is the equation of requests, spans and counted losses. The test of an
// overrun ring buffer is not among them: an emulated machine is too slow for it.
func loss() []string {
	return []string{
		"TestWhatTooManyInFlightLoseIsCounted",
		"TestATargetKilledUnderLoadIsCountedAndItsSuccessorTraced",
		"TestARestartedTargetIsTracedFromItsFirstRequest",
		"TestTwoTracersOfOneProcessDoNotDisturbEachOther",
	}
}

// churn is the same equation while processes come and go.
func churn() []string { return []string{"TestProcessesThatComeAndGoLoseNoRequest"} }

// files is what happens to executables, with what a kernel does about leases,
// overlays and breakpoints.
func files() []string {
	return []string{
		"TestAFileRewrittenInPlaceNeverCrashesItsNextProcess",
		"TestAFileReplacedByRenameIsFollowed",
		"TestContainersOfOneImageGiveEachRequestOnce",
		"TestShutdownLeavesTheTargetAsItWas",
	}
}

func faults(tests ...[]string) Suite {
	return Suite{Package: "faults", Tests: slices.Concat(tests...)}
}

func inside(tests ...string) Suite { return Suite{Package: "vm/inside", Tests: tests} }

func TestKernels(t *testing.T) {
	programs := []target.Build{newest, oldest, plain, elsewhere, stripped, newestCaller, oldestCaller, grpcServer, grpcCaller}
	related := append([]target.Build{peer, parent}, chain...)
	linux618 := Kernel{"6.18", "amd64", "trixie-backports"}
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
		{name: "6.1", kernel: Kernel{"6.1", "amd64", "bookworm"}, suites: []Suite{spans(), calls(), faults(loss(), files())}, targets: programs},
		{name: "6.12", kernel: Kernel{"6.12", "amd64", "trixie"}, suites: []Suite{spans(), calls(), faults(files())}, targets: programs},
		{name: "6.18", kernel: linux618, suites: []Suite{spans(), calls(), faults(files())}, targets: programs},
		{name: "7", kernel: Kernel{"7", "amd64", "trixie-backports"}, suites: []Suite{spans(), calls(), faults(loss(), files())}, targets: programs},
		{
			name: "6.18 fully preemptible", kernel: linux618, commandLine: "preempt=full",
			suites:  []Suite{inside("TestTheKernelIsFullyPreemptible"), faults(loss(), churn())},
			targets: programs,
		},
		{
			name: "6.18 locked down", kernel: linux618, commandLine: "lockdown=integrity lsm=lockdown,bpf",
			suites:  []Suite{inside("TestTheKernelIsLockedDown"), spans(), calls(), faults(files())},
			targets: programs,
		},
		{
			name: "6.18 locked down for confidentiality is refused", kernel: linux618, commandLine: "lockdown=confidentiality lsm=lockdown,bpf",
			suites: []Suite{inside("TestAKernelThatIsLockedDownForConfidentialityIsRefusedWithTheReason")},
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
			targets: []target.Build{oldestARM, oldestARMCaller, oldestARMGRPCServer, oldestARMGRPCCaller, grpcServer},
		},
		{name: "6.1 contexts", kernel: Kernel{"6.1", "amd64", "bookworm"}, suites: append(contexts(), wholeTraces()), targets: related},
		{name: "6.12 contexts", kernel: Kernel{"6.12", "amd64", "trixie"}, suites: append(contexts(), wholeTraces()), targets: related},
		{name: "6.18 contexts", kernel: linux618, suites: append(contexts(), wholeTraces()), targets: related},
		{name: "7 contexts", kernel: Kernel{"7", "amd64", "trixie-backports"}, suites: append(contexts(), wholeTraces()), targets: related},
		{
			name: "6.18 locked down, contexts", kernel: linux618, commandLine: "lockdown=integrity lsm=lockdown,bpf",
			suites: append(contexts(), wholeTraces()), targets: related,
		},
		{name: "6.1 writes", kernel: Kernel{"6.1", "amd64", "bookworm"}, suites: injection("allowed", oldestSender, "http1", "http2", "net2", "unary", "stream"), targets: []target.Build{oldestSender}},
		{name: "6.12 writes", kernel: Kernel{"6.12", "amd64", "trixie"}, suites: injection("allowed", recentSender, "http1", "http2", "net2", "unary", "stream"), targets: []target.Build{recentSender}},
		{name: "6.18 writes", kernel: linux618, suites: injection("allowed", middleSender, "http1", "http2", "net2", "unary", "stream"), targets: []target.Build{middleSender}},
		{name: "7 writes", kernel: Kernel{"7", "amd64", "trixie-backports"}, suites: injection("allowed", newestSender, "http1", "http2", "unary", "stream"), targets: []target.Build{newestSender}},
		{
			name: "6.18 fully preemptible, writes", kernel: linux618, commandLine: "preempt=full",
			suites: injection("allowed", olderSender, "http1", "http2", "unary"), targets: []target.Build{olderSender},
		},
		{
			name: "6.18 locked down, writes", kernel: linux618, commandLine: "lockdown=integrity lsm=lockdown,bpf",
			suites: injection("refused", newestSender, "http1", "http2", "unary"), targets: []target.Build{newestSender},
		},
		{name: "6.12 arm64 writes", kernel: Kernel{"6.12", "arm64", "trixie"}, suites: injection("allowed", recentSender, "http1", "http2", "unary"), targets: []target.Build{recentSender}},
	} {
		t.Run(c.name, func(t *testing.T) {
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), machinePatience)
			defer cancel()
			cache, err := CacheFolder()
			if err != nil {
				t.Fatal(err)
			}
			if err := ProvideEmulator(ctx, cache, c.kernel.Arch); err != nil {
				t.Fatal(err)
			}
			kernel, err := c.kernel.Find(ctx, cache)
			if err != nil {
				t.Fatal(err)
			}
			buildStatically(t, cache)
			image := Image{Kernel: kernel, Arch: c.kernel.Arch, Suites: c.suites, Targets: c.targets, Timeout: suitePatience}
			initramfs, err := image.Write(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("kernel %s is ready to boot after %v", kernel.Release, time.Since(began).Round(time.Second))
			report, err := Machine{Kernel: kernel, Arch: c.kernel.Arch, Initramfs: initramfs, CommandLine: c.commandLine, Log: t.Output()}.Boot(ctx)
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
			t.Logf("kernel %s: %v in all, %v of a processor for the emulator", kernel.Release, time.Since(began).Round(time.Second), report.Processor.Round(time.Second))
		})
	}
}

// buildStatically has target.Compile make programs that need no C library, which
// a machine does not have, and keep them apart from those that need one: how it
// names what it keeps does not tell them apart.
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
