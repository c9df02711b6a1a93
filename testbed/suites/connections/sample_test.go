//go:build !matrix

package connections

// pairs are a sample of what `make test-matrix` goes through.
func pairs() []ends { return []ends{{newest, newest}, {oldest, newest}, {newest, middle}} }
