// Package receiver is the spanprobe receiver of the OpenTelemetry Collector. It
// traces running Go programs from outside, with eBPF uprobes.
package receiver

//go:generate go tool -modfile=../tools/go.mod mdatagen metadata.yaml
