//go:build matrix

package plans

const wholeMatrix = true

// programs are one of each minor release of Go, and one of each form that gRPC's code has had.
func programs() []program {
	var all []program
	for _, goVersion := range []string{
		"1.18.10", "1.19.13", "1.20.14", "1.21.13", "1.22.12", "1.23.12", "1.24.13", "1.25.14",
		"1.26.11", "1.27.4",
	} {
		all = append(all, server(goVersion), client(goVersion))
	}
	for _, v := range []struct{ goVersion, grpc string }{
		{"1.20.14", "1.33.1"},
		{"1.18.10", "1.40.0"},
		{"1.21.13", "1.50.0"},
		{
			"1.22.12",
			"1.58.0",
		},
		{"1.23.12", "1.63.0"},
		{"1.22.12", "1.69.0"},
		{"1.22.12", "1.69.4"},
		{"1.24.13", "1.75.0"},
		{"1.27.4", "1.85.0"},
	} {
		all = append(all, grpcServer(v.goVersion, v.grpc), grpcClient(v.goVersion, v.grpc))
	}
	return all
}
