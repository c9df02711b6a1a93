//go:build linux && (amd64 || arm64)

package engine

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/spanprobe/spanprobe/internal/wire"
)

func TestLossesAreLoggedOnceInAWhileAndNoneIsLeftOut(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	lost, of := map[LostReason]uint64{}, map[wire.Loss]uint64{}
	var broken error
	log := newLossLog(Settings{Logger: zap.New(core)}, func() (Stats, error) {
		return Stats{Lost: lost, LostOf: maps.Clone(of)}, broken
	})
	now := time.Now()
	log.look(now)
	lost[LostUnfinished] = 3
	of[wire.Loss{Reason: LostUnfinished}] = 2
	of[wire.Loss{Service: "shop", Reason: LostUnfinished}] = 1
	log.look(now)
	lost[LostUnfinished], lost[LostActiveSpansFull] = 5, 1
	log.look(now.Add(time.Second))
	lost[LostActiveSpansFull] = 2
	of[wire.Loss{Service: "shop", Reason: LostUnfinished}] = 3
	of[wire.Loss{Service: "cart", Reason: LostActiveSpansFull}] = 2
	log.look(now.Add(lossLogInterval))
	log.look(now.Add(2 * lossLogInterval))
	broken = errors.New("no counters")
	log.look(now.Add(3 * lossLogInterval))
	var lines []map[string]any
	for _, line := range logs.All() {
		fields := line.ContextMap()
		fields["message"] = line.Message
		lines = append(lines, fields)
	}
	const message = "Operations gave no span; see the receiver's metrics"
	want := []map[string]any{
		{"message": message, "unfinished": uint64(3), "services": []any{"shop"}},
		{
			"message": message, "unfinished": uint64(2), "active_spans_full": uint64(2),
			"services": []any{"cart", "shop"},
		},
		{"message": "The counters cannot be read", "error": "no counters"},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
}

func TestALackOfRoomStaysInTheStatusForAWhile(t *testing.T) {
	for reason, is := range map[LostReason]bool{
		LostRingBufferFull: true, LostActiveSpansFull: true, LostUnfinished: false, LostRefused: false,
	} {
		lost := map[LostReason]uint64{}
		log := newLossLog(Settings{Logger: zap.NewNop()}, func() (Stats, error) {
			return Stats{Lost: lost}, nil
		})
		now := time.Now()
		log.look(now)
		if err := log.lackOfRoom(now); err != nil {
			t.Errorf("%s: at first: %v", reason, err)
		}
		lost[reason]++
		log.look(now)
		log.look(now.Add(overrunTime - 1))
		if err := log.lackOfRoom(now.Add(overrunTime - 1)); (err != nil) != is {
			t.Errorf("%s: for a while: %v", reason, err)
		}
		if err := log.lackOfRoom(now.Add(overrunTime)); err != nil {
			t.Errorf("%s: after that: %v", reason, err)
		}
	}
}
