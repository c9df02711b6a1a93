//go:build vm

package vm

import (
	"slices"
	"strings"

	"github.com/spanprobe/spanprobe/testbed/harness/target"
)

// The programs that the tests trace. They are few: a machine is about its kernel, the versions of
// Go are about the library. A test that wants another one fails, since there is no go command in a
// machine.
var (
	newest    = program("nethttp", "1.27.4", target.Stripped)
	oldest    = program("nethttp", "1.17.13", target.Stripped)
	plain     = program("nethttp", "1.26.8")
	elsewhere = program("nethttp", "1.26.8", "-gcflags=all=-N -l")
	stripped  = program("nethttp", "1.26.8", target.Stripped)

	newestCaller = program("httpcaller", "1.27.4", target.Stripped)
	oldestCaller = program("httpcaller", "1.17.13", target.Stripped)

	// As the tests of gRPC build their newest.
	grpcServer = withGRPC("grpc", "1.27.4", "1.85.0", target.Stripped)
	grpcCaller = withGRPC("grpccaller", "1.27.4", "1.85.0", target.Stripped)
)

// The oldest Go for arm64, with the oldest gRPC that `make test-matrix` compiles with it.
var (
	oldestARM           = program("nethttp", "1.18.10", target.Stripped)
	oldestARMCaller     = program("httpcaller", "1.18.10", target.Stripped)
	oldestARMGRPCServer = withGRPC("grpc", "1.18.10", "1.40.0", target.Stripped)
	oldestARMGRPCCaller = withGRPC("grpccaller", "1.18.10", "1.40.0", target.Stripped)
)

// Programs whose requests carry the context of their spans, where the kernel allows it.
var (
	newestSender = withGRPC("peer", "1.27.4", "1.85.0")
	recentSender = withGRPC("peer", "1.26.8", "1.85.0")
	middleSender = withGRPC("peer", "1.24.13", "1.75.0")
	olderSender  = withGRPC("peer", "1.22.12", "1.69.4")
	oldestSender = withGRPC("peer", "1.20.14", "1.58.0")
)

// Programs of which requests pass from one to the other.
var (
	peer   = withGRPC("peer", "1.27.4", "1.85.0", target.Stripped)
	parent = target.Parents("1.27.4", "1.85.0", target.Stripped)
	// chain are those that pass requests on, beside peer.
	chain = []target.Build{
		withGRPC("peer", "1.24.13", "1.75.0", target.Stripped),
		withGRPC("peer", "1.22.12", "1.69.4", target.Stripped),
	}
)

func program(name, goVersion string, flags ...string) target.Build {
	return target.Build{Source: "testbed/targets/" + name, Go: goVersion, Flags: flags}
}

func withGRPC(name, goVersion, grpc string, flags ...string) target.Build {
	return target.GRPC("testbed/targets/"+name, goVersion, grpc, flags...)
}

// with is the name of a test's subtest for a build.
func with(test string, build target.Build) string { return named(test, build.String()) }

func named(test, subtest string) string {
	return test + "/" + strings.ReplaceAll(subtest, " ", "_")
}

// spans is what every kernel must do: whole spans of every kind of request. The oldest programs
// are probed at another instruction than the newest.
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

// contexts is whose children calls and requests are: inside a process, at the other end of a
// connection, and of what passes six services, by headers where the kernel lets requests carry
// them, else by connections.
func contexts() []Suite {
	called := func(b target.Build) string {
		b.Modules = nil
		return b.String() + " grpc 1.85.0"
	}
	return []Suite{
		{Package: "connections", Tests: []string{
			named("TestARequestIsJoinedToTheCallThatSendsIt", called(peer)+" to "+called(peer)),
		}},
		{Package: "parents", Tests: []string{
			named("TestTheParentOfACallIsTheRequestThatItIsFor", called(parent)),
		}},
		{Package: "chain", Tests: []string{"TestARequestThroughSixServicesIsOneTrace"}},
	}
}

// injection is what requests of some forms carry, by what the kernel lets programs do: "allowed"
// or "refused". More tests have requests that are made for others, and a program that has the
// OpenTelemetry SDK at the other end.
func injection(kernel string, build target.Build, forms ...string) []Suite {
	context := with("TestRequestsCarryTheContextOfTheirSpan", build) + "_" + kernel
	suite := Suite{Package: "inject"}
	for _, form := range forms {
		suite.Tests = append(suite.Tests, context+"/"+form)
	}
	suite.Tests = append(suite.Tests,
		with("TestRequestsCarryTheTracestateOfTheirTrace", build)+"_"+kernel,
		with("TestAProgramThatTracesItselfContinuesTheTrace", build)+"_"+kernel)
	return []Suite{suite}
}

// loss is the equation of requests, spans and counted losses. The test of an overrun ring buffer
// is not among them: an emulated machine is too slow for it.
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

// files is what happens to executables, with what a kernel does about leases, overlays and
// breakpoints.
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
