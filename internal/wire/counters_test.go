package wire

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

// own is the kernel's counter that is no metric: of records, which become spans or are lost.
const own = "SUBMITTED"

// The kernel's counters are named as the metrics are, so that each has one name.
func TestEveryCounterOfTheKernelIsInAMetricOfItsName(t *testing.T) {
	spec, err := loadWire()
	if err != nil {
		t.Fatal(err)
	}
	var enum *btf.Enum
	if err := spec.Types.TypeByName("counter", &enum); err != nil {
		t.Fatal(err)
	}
	inC := map[string]Counter{}
	for _, value := range enum.Values {
		if name, ok := strings.CutPrefix(value.Name, "COUNTER_"); ok && name != own {
			inC[name] = Counter(value.Value)
		}
	}
	inGo := map[string]Counter{}
	add := func(name string, c *source) {
		if c.kernel != nil {
			inGo[strings.ToUpper(name)] = c.kernel[0]
		}
	}
	for i := range Metrics {
		m := &Metrics[i]
		name := strings.TrimPrefix(m.Name, "spans_")
		add(name, &m.source)
		for j := range m.Reasons {
			add(name+"_"+string(m.Reasons[j].Name), &m.Reasons[j].source)
		}
	}
	if diff := cmp.Diff(inC, inGo); diff != "" {
		t.Errorf("enum counter of bpf/include/counters.h, and Metrics (-C +Go):\n%s", diff)
	}
}

func TestEveryFieldOfTheStatsIsTheMetricOfItsName(t *testing.T) {
	var stats Stats
	named := map[string]bool{}
	for i := range Metrics {
		m := &Metrics[i]
		name := ""
		for word := range strings.SplitSeq(strings.TrimPrefix(m.Name, "spans_"), "_") {
			name += strings.ToUpper(word[:1]) + word[1:]
		}
		named[name] = true
		if m.services != nil {
			named[name+"Of"] = true
		}
		field := reflect.ValueOf(&stats).Elem().FieldByName(name)
		if !field.IsValid() {
			t.Errorf("%s: Stats has no field %s", m.Name, name)
			continue
		}
		switch at := field.Addr().Interface().(type) {
		case *uint64:
			if m.Gauge || m.Reasons != nil || m.field == nil || m.field(&stats) != at {
				t.Errorf("%s is not in Stats.%s", m.Name, name)
			}
		case *int:
			if !m.Gauge || m.Reasons != nil || m.gauge == nil || m.gauge(&stats) != at {
				t.Errorf("%s is not in Stats.%s", m.Name, name)
			}
		case *map[ReasonName]uint64:
			*at = map[ReasonName]uint64{}
			if m.Gauge || m.Reasons == nil || m.reasons == nil ||
				reflect.ValueOf(m.reasons(&stats)).Pointer() != reflect.ValueOf(*at).Pointer() {
				t.Errorf("%s is not in Stats.%s", m.Name, name)
			}
		}
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Stats]()) {
		if !named[field.Name] {
			t.Errorf("Stats.%s is no metric", field.Name)
		}
	}
}

func TestWhatTheKernelCountedIsAddedToWhatUserSpaceDid(t *testing.T) {
	var kernel Counts
	for counter := range kernel.N {
		kernel.N[counter] = 1 << counter
	}
	kernel.N[wireCounterCOUNTER_OPERATIONS] = 1 << 30
	stats := Stats{
		Emitted: 3, NotSampled: 5, Processes: 1,
		Lost:     map[ReasonName]uint64{LostUnfinished: 7, LostShutdown: 11, LostRefused: 13},
		LostOf:   map[Loss]uint64{{Service: "cart", Reason: LostUnfinished}: 7},
		Degraded: map[ReasonName]uint64{},
	}
	stats.AddKernel(&kernel)
	ended := kernel.N[wireCounterCOUNTER_SUBMITTED] + stats.NotSampled + stats.Discarded
	for reason, n := range stats.Lost {
		if reason != LostRefused { // a record was sent for it
			ended += n
		}
	}
	if want := 1<<30 - int(ended); stats.Active != want {
		t.Errorf("%d operations in flight, want %d", stats.Active, want)
	}
	if want := kernel.N[wireCounterCOUNTER_NOT_SAMPLED] + 5; stats.NotSampled != want {
		t.Errorf("%d operations are not sampled, want %d", stats.NotSampled, want)
	}
	if want := kernel.N[wireCounterCOUNTER_DISCARDED] + kernel.N[wireCounterCOUNTER_SELF_TRACED]; stats.Discarded != want {
		t.Errorf("%d operations are discarded, want %d", stats.Discarded, want)
	}
	if want := kernel.N[wireCounterCOUNTER_LOST_UNFINISHED] + 7; stats.Lost[LostUnfinished] != want {
		t.Errorf("%d operations are unfinished, want %d", stats.Lost[LostUnfinished], want)
	}
	if n := stats.LostOf[Loss{Reason: LostUnfinished}]; n != kernel.N[wireCounterCOUNTER_LOST_UNFINISHED] {
		t.Errorf("%d operations of unknown processes are unfinished", n)
	}
	if stats.Emitted != 3 || stats.Lost[LostRefused] != 13 || stats.Processes != 1 {
		t.Errorf("what user space counted has changed: %+v", stats)
	}
}

func TestTheReasonsOfProcessesAreThoseOfTheCountersInTheirOrder(t *testing.T) {
	want := []ReasonName{
		LostRingBufferFull, LostActiveSpansFull, LostUnreadable, LostUnsupported, LostUnfinished,
	}
	if diff := cmp.Diff(want, LossReasons()); diff != "" {
		t.Error(diff)
	}
	earlier := LostOperations{N: [5]uint64{1, 2, 3, 4, 5}}
	now := LostOperations{N: [5]uint64{2, 4, 6, 8, 10}}
	got := map[ReasonName]uint64{}
	since := now.Less(earlier)
	since.Each(func(reason ReasonName, n uint64) { got[reason] = n })
	if diff := cmp.Diff(map[ReasonName]uint64{
		LostRingBufferFull: 1, LostActiveSpansFull: 2, LostUnreadable: 3, LostUnsupported: 4,
		LostUnfinished: 5,
	}, got); diff != "" {
		t.Error(diff)
	}
}

// A series that begins at its first loss shows no increase.
func TestAReasonOfTheKernelsIsThereBeforeAnythingIsCounted(t *testing.T) {
	stats := Stats{
		Lost: map[ReasonName]uint64{}, LostOf: map[Loss]uint64{},
		Degraded: map[ReasonName]uint64{},
	}
	stats.AddKernel(&Counts{})
	for i := range Metrics {
		m := &Metrics[i]
		var got, want []ReasonName
		m.Observe(&stats, func(_ int64, of Loss) { got = append(got, of.Reason) })
		for _, reason := range m.Reasons {
			if reason.kernel != nil {
				want = append(want, reason.Name)
			}
		}
		if m.Reasons == nil {
			want = []ReasonName{""}
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", m.Name, diff)
		}
	}
}
