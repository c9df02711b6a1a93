package spanprobereceiver

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// The Collector samples its log: of the lines with one level and one message it keeps ten within
// ten seconds, and then every hundredth (service/telemetry/otelconftelemetry/factory.go, v0.162).
// The components of a collector share the ten. So lines with one message that come in quick
// succession are gathered in one.
const (
	gatherInterval = 3 * time.Second // between two lines with one message
	maxGathered    = 128             // in one line
	maxWaiting     = 1024            // for a line, of one message; the rest is counted
	// timesLeft is what an executable gets of that room: no more than this times what is left. So a
	// storm of its processes leaves room for the lines of others.
	timesLeft = 8
)

// gathering gathers the lines of a logger. It is safe for concurrent use.
type gathering struct {
	mu       sync.Mutex
	messages map[message]*waiting // messages are constant: there are few
	ended    bool
}

type message struct {
	level zapcore.Level
	text  string
}

// waiting is what waits for the next line with a message.
type waiting struct {
	since time.Time // when the last line was written
	lines []line
	more  int // lines that found no room
	timer *time.Timer
}

type line struct {
	core   zapcore.Core
	entry  zapcore.Entry
	fields []zapcore.Field
}

func newGathering() *gathering { return &gathering{messages: map[message]*waiting{}} }

// gather gives a logger whose lines are gathered.
func (g *gathering) gather(logger *zap.Logger) *zap.Logger {
	return logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return gatheringCore{core, g}
	}))
}

// add writes a line, or has it wait.
func (g *gathering) add(l line) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended || l.entry.Level >= zapcore.DPanicLevel {
		l.write()
		return
	}
	key, now := message{l.entry.Level, l.entry.Message}, time.Now()
	w := g.messages[key]
	if w == nil {
		w = &waiting{}
		g.messages[key] = w
	}
	rest := gatherInterval - now.Sub(w.since)
	switch {
	case w.timer == nil && rest <= 0:
		w.since = now
		l.write()
		return
	case w.roomFor(l):
		w.lines = append(w.lines, l)
	default:
		w.more++
	}
	if w.timer == nil {
		w.timer = time.AfterFunc(rest, func() { g.due(w) })
	}
}

// roomFor tells whether a line may wait.
func (w *waiting) roomFor(l line) bool {
	most := timesLeft * (maxWaiting - len(w.lines))
	return len(w.lines) < most || w.of(l.executable()) < most
}

// of counts the lines about an executable.
func (w *waiting) of(executable string) (n int) {
	for _, l := range w.lines {
		if l.executable() == executable {
			n++
		}
	}
	return n
}

// executable is what the line is about; "" if that is something else.
func (l line) executable() string {
	for _, field := range l.fields {
		if field.Key == "exe" {
			return field.String
		}
	}
	return ""
}

// due writes what has waited long enough.
func (g *gathering) due(w *waiting) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return
	}
	w.writeSome()
	w.since, w.timer = time.Now(), nil
	if len(w.lines) > 0 {
		w.timer = time.AfterFunc(gatherInterval, func() { g.due(w) })
	}
}

// end writes all that waits. What comes later does not wait.
func (g *gathering) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	for _, w := range g.messages {
		if w.timer != nil {
			w.timer.Stop()
		}
		for len(w.lines) > 0 {
			w.writeSome()
		}
	}
}

// writeSome writes one line of those that wait.
func (w *waiting) writeSome() {
	n := min(len(w.lines), maxGathered)
	some := w.lines[:n]
	w.lines = w.lines[n:]
	if len(w.lines) == 0 {
		w.lines = nil
	}
	first := some[0]
	if n > 1 {
		first.entry.Time = some[n-1].entry.Time
		first.fields = []zapcore.Field{zap.Objects("gathered", some)}
	}
	if len(w.lines) == 0 && w.more > 0 {
		first.fields = append(first.fields, zap.Int("not_shown", w.more))
		w.more = 0
	}
	first.write()
}

// write hands the line to its core, as a logger does: the core may still drop it.
func (l line) write() {
	if checked := l.core.Check(l.entry, nil); checked != nil {
		checked.Write(l.fields...)
	}
}

// MarshalLogObject adds the fields of the line.
func (l line) MarshalLogObject(to zapcore.ObjectEncoder) error {
	for _, field := range l.fields {
		field.AddTo(to)
	}
	return nil
}

// gatheringCore gathers what is written to a core.
type gatheringCore struct {
	zapcore.Core
	gathering *gathering
}

func (c gatheringCore) With(fields []zapcore.Field) zapcore.Core {
	return gatheringCore{c.Core.With(fields), c.gathering}
}

func (c gatheringCore) Check(
	entry zapcore.Entry, checked *zapcore.CheckedEntry,
) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

func (c gatheringCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	c.gathering.add(line{c.Core, entry, fields})
	return nil
}
