package discover

import "github.com/spanprobe/spanprobe/internal/model"

// FileID identifies the content of a file as processes are identified by their
// executables.
func FileID(path string) (model.ExeID, error) { return fileID(path) }
