package spanprobereceiver

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// collectorLog is a log that is sampled as the Collector's is by default.
type collectorLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (c *collectorLog) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(line)
}

func (c *collectorLog) lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Split(strings.TrimSpace(c.text.String()), "\n")
}

func (c *collectorLog) logger() *zap.Logger {
	core := zapcore.NewCore(
		zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(c), zap.InfoLevel,
	)
	return zap.New(zapcore.NewSamplerWithOptions(core, 10*time.Second, 10, 100))
}

func target(logger *zap.Logger, n int) {
	logger.Info("Tracing a target",
		zap.Int("pid", n), zap.String("exe", fmt.Sprintf("/bin/%d.", n)))
}

func TestEveryTargetIsInTheLogOfACollector(t *testing.T) {
	for name, test := range map[string]struct {
		targets int
		pause   time.Duration
	}{
		"one":                   {1, 0},
		"twenty at once":        {20, 0},
		"a thousand at once":    {1000, 0},
		"ten a second":          {600, 100 * time.Millisecond},
		"one each four seconds": {30, 4 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, g := &collectorLog{}, newGathering()
				logger := g.gather(log.logger())
				for n := range test.targets {
					target(logger, n)
					time.Sleep(test.pause)
				}
				time.Sleep(time.Minute)
				text := strings.Join(log.lines(), "\n")
				for n := range test.targets {
					if strings.Count(text, fmt.Sprintf(`"pid":%d,"exe":"/bin/%d."`, n, n)) != 1 {
						t.Fatalf("target %d is not named once: %.2000s", n, text)
					}
				}
			})
		})
	}
}

func TestTheFirstLineOfAMessageDoesNotWaitAndStaysAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, g := &collectorLog{}, newGathering()
		logger := g.gather(log.logger())
		target(logger, 1)
		logger.Warn("Another message", zap.Int("pid", 2))
		lines := log.lines()
		if len(lines) != 2 || !strings.Contains(lines[0], `"pid":1`) ||
			!strings.Contains(lines[1], `"pid":2`) {
			t.Errorf("%q", lines)
		}
		target(logger, 3)
		time.Sleep(time.Minute)
		if lines := log.lines(); len(lines) != 3 || strings.Contains(lines[2], "gathered") {
			t.Errorf("%q", lines)
		}
	})
}

func TestAFloodOfLinesIsBoundedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, g := &collectorLog{}, newGathering()
		logger := g.gather(log.logger())
		for n := range 1 + 1024 + 500 {
			target(logger, n)
		}
		time.Sleep(time.Minute)
		lines := log.lines()
		if len(lines) != 1+1024/128 ||
			!strings.Contains(lines[len(lines)-1], `"not_shown":500`) {
			t.Errorf("%d lines, the last of which is %.1000s", len(lines), lines[len(lines)-1])
		}
	})
}

func TestAFloodOfLinesLeavesRoomForThoseOfAnotherExecutable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, g := &collectorLog{}, newGathering()
		logger := g.gather(log.logger())
		for n := range 5000 {
			logger.Info("Tracing a target", zap.Int("pid", n), zap.String("exe", "/bin/flood"))
		}
		for n := range 20 {
			target(logger, n)
		}
		time.Sleep(time.Minute)
		text := strings.Join(log.lines(), "\n")
		for n := range 20 {
			if !strings.Contains(text, fmt.Sprintf(`"exe":"/bin/%d."`, n)) {
				t.Errorf("target %d is not named", n)
			}
		}
	})
}

func TestTheEndWritesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, g := &collectorLog{}, newGathering()
		logger := g.gather(log.logger()).With(zap.String("with", "all"))
		for n := range 3 {
			target(logger, n)
		}
		g.end()
		target(logger, 3)
		lines := log.lines()
		if len(lines) != 3 || !strings.Contains(lines[1], `"gathered":[{"pid":1,`) ||
			!strings.Contains(lines[2], `"pid":3`) {
			t.Errorf("%q", lines)
		}
		for _, line := range lines {
			if !strings.Contains(line, `"with":"all"`) {
				t.Errorf("%q", line)
			}
		}
	})
}
