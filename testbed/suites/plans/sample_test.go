//go:build !matrix

package plans

const wholeMatrix = false

// programs are some of what `make test-matrix` goes through: by the oldest Go for arm64, and by the
// newest.
func programs() []program {
	return []program{
		server("1.18.10"), client("1.18.10"), grpcServer("1.18.10", "1.40.0"), grpcClient("1.18.10",
			"1.40.0"),
		server("1.27.4"), client("1.27.4"), grpcServer("1.27.4", "1.85.0"), grpcClient("1.27.4",
			"1.85.0"),
	}
}
