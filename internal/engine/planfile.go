package engine

import (
	"io"

	"github.com/spanprobe/spanprobe/internal/inspect"
	"github.com/spanprobe/spanprobe/internal/model"
	"github.com/spanprobe/spanprobe/internal/plan"
	"github.com/spanprobe/spanprobe/internal/probe"
)

// PlanFile inspects an executable of size bytes and plans how it is traced, as
// the engine does before it attaches, with the offsets of table. path is for messages.
func PlanFile(
	file io.ReaderAt,
	size int64,
	path string,
	libraries []probe.Library,
	table plan.Table,
) (*model.Binary, *plan.Plan, error) {
	inspected, err := inspect.Open(file, size, path)
	if err != nil {
		return nil, nil, err
	}
	binary, err := inspected.Binary(probe.Symbols(libraries))
	if err != nil {
		return nil, nil, err
	}
	structs := probe.Structs(libraries)
	lookup := plan.Lookup(
		binary,
		probe.Marks(libraries),
		table,
		func(field model.Field) (uint64, bool, error) {
			return inspected.FieldOffset(field, structs)
		},
	)
	return binary, plan.Build(binary, libraries, lookup, inspected.TypeAddress), nil
}
