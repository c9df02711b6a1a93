package probe

import "go.opentelemetry.io/otel/attribute"

// Attribute documents one that spans of a library may have, for docs/spans.md.
type Attribute struct {
	Key attribute.Key // a constant of semconv
	// From says in Markdown where the value is from, and when it is missing.
	From string
}

// Support is a section of the page of what is supported, docs/support.md: a table of the builds
// that a suite of tests was passed with.
type Support struct {
	Title string // "Servers and clients of example.com/m"
	Suite string // the folder in testbed/suites
	// Module is the path of the module whose versions are rows, beside those of Go. "": the builds
	// of the suite that name no module.
	Module string
	// Short is how names of tests of other suites call the module before a version ("m 1.2.3"),
	// and Label what the page calls it there. "": they do not name it.
	Short, Label string
	// ARM64 says what `make test-vm` traces on arm64, as an item of a list in Markdown. "":
	// nothing.
	ARM64 string
}
