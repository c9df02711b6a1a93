// hey, which loads servers of HTTP, for the tests in the folder above: in a module of its own, so that
// what it requires enters nothing else.
module github.com/spanprobe/spanprobe/testbed/suites/programs/hey

go 1.26.0

tool github.com/rakyll/hey

require (
	github.com/rakyll/hey v0.1.5 // indirect
	golang.org/x/net v0.48.0 // indirect
	golang.org/x/text v0.33.0 // indirect
)
