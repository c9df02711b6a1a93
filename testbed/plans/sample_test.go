//go:build !matrix

package plans

// programs are the oldest for arm64 and the newest of what `make test-matrix` goes through.
func programs() []program {
	return []program{
		server("1.18.10"), client("1.18.10"), grpcServer("1.18.10", "1.40.0"), grpcClient("1.18.10", "1.40.0"),
		server("1.27.4"), client("1.27.4"), grpcServer("1.27.4", "1.85.0"), grpcClient("1.27.4", "1.85.0", "newclient"),
	}
}
