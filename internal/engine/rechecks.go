//go:build linux && (amd64 || arm64)

package engine

// recheck is a process that is to be looked at again.
type recheck struct {
	pid  int
	anew bool // as if it ran another program since
}

// rechecks is the queue of the processes that are to be looked at again: whoever finds that this
// is due is in the middle of following what an earlier look has found.
type rechecks struct{ queue []recheck }

func (r *rechecks) add(due recheck) { r.queue = append(r.queue, due) }

// next takes the first one out of the queue.
func (r *rechecks) next() (recheck, bool) {
	if len(r.queue) == 0 {
		return recheck{}, false
	}
	first := r.queue[0]
	r.queue = r.queue[1:]
	return first, true
}
