//go:build matrix

package plans

// programs are one of each minor release of Go, but for those that compile what they are probed in as their
// neighbour does, and gRPC with each form that its code has had.
func programs() []program {
	var all []program
	for _, goVersion := range []string{"1.18.10", "1.20.14", "1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.26.11", "1.27.4"} {
		all = append(all, server(goVersion), client(goVersion))
	}
	for _, v := range []struct {
		goVersion, grpc string
		tags            []string
	}{
		{"1.18.10", "1.40.0", nil},
		{"1.21.13", "1.50.0", nil},
		{"1.22.12", "1.58.0", nil},
		{"1.22.12", "1.69.4", []string{"newclient"}},
		{"1.24.13", "1.75.0", []string{"newclient"}},
		{"1.27.4", "1.85.0", []string{"newclient"}},
	} {
		all = append(all, grpcServer(v.goVersion, v.grpc), grpcClient(v.goVersion, v.grpc, v.tags...))
	}
	return all
}
