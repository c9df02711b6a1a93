//go:build linux && (amd64 || arm64)

package engine

import (
	"time"

	"github.com/spanprobe/spanprobe/internal/model"
)

const (
	// firstPause is the least pause between the second and the third preparation of a file. Each
	// further pause is twice as long, up to longestPause.
	firstPause   = time.Second
	longestPause = time.Minute
	// slowness is how many times longer than a preparation the pause after it is, at least.
	slowness = 10
	// forgetTime is how long a pause must be over before the file counts as a new one.
	forgetTime = 10 * time.Second
)

// pauses bound how often a file is prepared, whatever becomes of it: its preparation fails, its
// probes go with each short process of it, or its owner touches it over and over. Between two
// preparations lies a pause that grows. The first repetition comes at once.
type pauses struct{ byInode map[inode]*repetition }

// inode is a file, whatever its content and its times are.
type inode struct{ device, number uint64 }

func inodeOf(id model.ExeID) inode { return inode{id.Dev, id.Ino} }

// repetition is how often a file was prepared lately.
type repetition struct {
	times   int
	running bool // it is being prepared
	pause   time.Duration
	over    time.Time // when the pause is
}

func newPauses() *pauses { return &pauses{map[inode]*repetition{}} }

// bar tells whether a file may not be prepared yet.
func (p *pauses) bar(id model.ExeID, now time.Time) bool {
	r := p.byInode[inodeOf(id)]
	return r != nil && (r.running || now.Before(r.over))
}

// begin notes that a file is prepared.
func (p *pauses) begin(id model.ExeID) {
	r := p.byInode[inodeOf(id)]
	if r == nil {
		r = &repetition{}
		p.byInode[inodeOf(id)] = r
	}
	r.times++
	r.running = true
}

// end notes that the preparation of a file has ended, and how long it took.
func (p *pauses) end(id model.ExeID, took time.Duration, now time.Time) {
	r := p.byInode[inodeOf(id)]
	if r == nil {
		return
	}
	r.running, r.pause = false, 0
	if r.times > 1 {
		r.pause = max(min(firstPause<<min(r.times-2, 16), longestPause), slowness*took)
	}
	r.over = now.Add(r.pause)
}

// forget forgets the files that were not prepared again for a while after their pause.
func (p *pauses) forget(now time.Time) {
	for file, r := range p.byInode {
		if !r.running && now.Sub(r.over) > max(forgetTime, r.pause) {
			delete(p.byInode, file)
		}
	}
}
