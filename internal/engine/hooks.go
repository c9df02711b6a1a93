//go:build linux && (amd64 || arm64)

package engine

import "go.uber.org/zap"

// missingHooks names a library whose hooks on demand are missed in the executable of a process.
type missingHooks struct {
	process processKey
	library string
}

// attachMissing attaches hooks on demand, in the background: the kernel may wait for every process
// of the executable.
func (b *executables) attachMissing(hooks missingHooks) {
	p := b.processes.tracedBy(hooks.process)
	if p == nil {
		return
	}
	attached, path := p.executable.probes, p.Exe
	go func() {
		if err := attached.Demand(hooks.library); err != nil {
			b.counts.failToAttach()
			b.logger.Warn("Hooks that would tell more cannot be attached",
				zap.String("library", hooks.library), zap.String("exe", path), zap.Error(err))
		}
	}()
}
