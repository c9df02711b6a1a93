// Package spanprobereceiver is the spanprobe receiver of the OpenTelemetry
// Collector. It traces running Go programs from outside, with eBPF uprobes.
package spanprobereceiver

//go:generate go tool -modfile=../../tools/mdatagen/go.mod mdatagen metadata.yaml
