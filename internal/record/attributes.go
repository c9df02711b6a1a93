package record

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/spanprobe/spanprobe/internal/model"
)

// Attributes are those of a span that is being made.
type Attributes []model.Attribute

// Add adds a text, unless it is empty.
func (a *Attributes) Add(key attribute.Key, value string) {
	if value != "" {
		*a = append(*a, model.String(string(key), value))
	}
}

// AddInt adds a number.
func (a *Attributes) AddInt(key attribute.Key, value int64) {
	*a = append(*a, model.Int(string(key), value))
}

// AddPort adds the number of a port, unless it is 0: the port is not known.
func (a *Attributes) AddPort(key attribute.Key, port uint16) {
	if port != 0 {
		a.AddInt(key, int64(port))
	}
}

// AddServer adds the server that a client names, and the port if it names one.
func (a *Attributes) AddServer(address string, port uint16) {
	a.Add(semconv.ServerAddressKey, address)
	if address != "" {
		a.AddPort(semconv.ServerPortKey, port)
	}
}
