//go:build linux && amd64 && !matrix

package binaries

func binaries() map[string]binary { return sample() }
