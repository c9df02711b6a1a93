package discover

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/spanprobe/spanprobe/internal/model"
)

func appeared(t *testing.T, target Target, p fakeProcess) (process model.Process, errs []error) {
	t.Helper()
	proc := newFakeProc(t)
	if p.exe == "" {
		p.exe = "shop"
	}
	proc.set(10, p)
	target.PID = 10
	changes := proc.finder(Config{Targets: []Target{target}}).Scan()
	if len(changes.Appeared) != 1 {
		t.Fatalf("got %q", summary(changes))
	}
	return changes.Appeared[0].Process, changes.Errors
}

func TestTheServiceNameIsTheFirstThatIsThere(t *testing.T) {
	for _, c := range []struct {
		name   string
		target string
		env    []string
		want   string
	}{
		{"the executable's", "", nil, "shop"},
		{"of the resource attributes", "", []string{"OTEL_RESOURCE_ATTRIBUTES=a=b,service.name=from%2Cattributes"}, "from,attributes"},
		{"OTEL_SERVICE_NAME", "", []string{"OTEL_RESOURCE_ATTRIBUTES=service.name=x", "OTEL_SERVICE_NAME=from-env"}, "from-env"},
		{"the entry's", "from-entry", []string{"OTEL_SERVICE_NAME=from-env"}, "from-entry"},
		{"empty is none", "", []string{"OTEL_SERVICE_NAME=", "OTEL_RESOURCE_ATTRIBUTES=service.name="}, "shop"},
		{"the first of two", "", []string{"OTEL_SERVICE_NAME=a", "OTEL_SERVICE_NAME=b"}, "a"},
		{"a longer name is another variable", "", []string{"OTEL_SERVICE_NAME_X=a"}, "shop"},
		{"malformed attributes", "", []string{"OTEL_RESOURCE_ATTRIBUTES=service.name=x,y"}, "shop"},
		{"not UTF-8", "", []string{"OTEL_SERVICE_NAME=a\xffb"}, "a\uFFFDb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			process, _ := appeared(t, Target{ServiceName: c.target}, fakeProcess{env: c.env})
			if process.ServiceName != c.want {
				t.Errorf("got %q, want %q", process.ServiceName, c.want)
			}
			if _, ok := process.Resource["service.name"]; ok {
				t.Error("service.name is among the resource attributes")
			}
		})
	}
}

func TestResourceAttributesAreDecodedOrVoidAsAWhole(t *testing.T) {
	for _, c := range []struct {
		text string
		want map[string]string
		err  string
	}{
		{"", map[string]string{}, ""},
		{" a = b , c=d,", map[string]string{"a": "b", "c": "d"}, ""},
		{"a=x%20y%3D%2c+,%61b=1=2", map[string]string{"a": "x y=,+", "ab": "1=2"}, ""},
		{"a=1,a=2", map[string]string{"a": "2"}, ""},
		{"a=", map[string]string{"a": ""}, ""},
		{"a=1,b", nil, `"b" has no =`},
		{"a=1,=2", nil, `"=2" has no key`},
		{"a=1,b=%zz", nil, `value of "b=%zz": invalid URL escape "%zz"`},
		{"%f=1", nil, `key of "%f=1": invalid URL escape "%f"`},
		{"a=%ff", nil, `value of "a=%ff": is not UTF-8`},
	} {
		got, cut, err := parseResource(c.text)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if diff := cmp.Diff(c.want, got); diff != "" || text != c.err || cut != nil {
			t.Errorf("%q: error %q, want %q; (-want +got)\n%s", c.text, text, c.err, diff)
		}
	}
}

func TestResourceAttributesAreBounded(t *testing.T) {
	pairs := func(n, size int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("k%d=%s", i, strings.Repeat("x", size)))
		}
		return strings.Join(all, ",")
	}
	for name, c := range map[string]struct {
		text    string
		count   int
		warning string
	}{
		"as many as there may be": {pairs(128, 1), 128, ""},
		"too many":                {pairs(3000, 1), 128, "there are more than 128 attributes"},
		"too much":                {pairs(20, 1024), 15, "all of them have more than 16384 bytes"},
		"the last of equal keys":  {pairs(128, 1) + ",k0=b,k0=c", 128, ""},
		"a key over the limit":    {strings.Repeat("k", 257) + "=1,a=b", 1, "a key has more than 256 bytes"},
		"a value over the limit":  {"a=" + strings.Repeat("x", 1025), 1, "a value has more than 1024 bytes"},
		"a character over it":     {"a=" + strings.Repeat("x", 1023) + "€", 1, "a value has more than 1024 bytes"},
		"a name over the limit": {
			"service.name=" + strings.Repeat("x", 257), 0, "the service name has more than 256 bytes",
		},
		"two limits": {
			pairs(3000, 1) + "," + strings.Repeat("k", 257) + "=1", 128,
			"there are more than 128 attributes, a key has more than 256 bytes",
		},
	} {
		t.Run(name, func(t *testing.T) {
			process, errs := appeared(t, Target{}, fakeProcess{
				env: []string{"OTEL_RESOURCE_ATTRIBUTES=" + c.text},
			})
			if len(process.Resource) != c.count {
				t.Errorf("%d attributes, want %d", len(process.Resource), c.count)
			}
			if c.warning == "" && len(errs) != 0 || c.warning != "" && (len(errs) != 1 ||
				!strings.HasSuffix(errs[0].Error(), "is cut: "+c.warning)) {
				t.Errorf("warnings %v, want %q", errs, c.warning)
			}
			size := len(process.ServiceName)
			for key, value := range process.Resource {
				size += len(key) + len(value)
				if !utf8.ValidString(value) {
					t.Errorf("%q is %q", key, value)
				}
			}
			if size > 16384+256 {
				t.Errorf("%d bytes in all", size)
			}
		})
	}
}

func TestAServiceNameIsBounded(t *testing.T) {
	process, errs := appeared(t, Target{}, fakeProcess{
		env: []string{"OTEL_SERVICE_NAME=" + strings.Repeat("x", 5000)},
	})
	if len(process.ServiceName) != 256 || len(errs) != 1 {
		t.Errorf("%d bytes, warnings %v", len(process.ServiceName), errs)
	}
}

func TestAnEnvironmentThatIsTooLongIsReadAsFarAsItGoes(t *testing.T) {
	long := "PADDING=" + strings.Repeat("x", maxEnvironSize)
	process, errs := appeared(t, Target{}, fakeProcess{env: []string{"OTEL_SERVICE_NAME=a", long}})
	if process.ServiceName != "a" || len(errs) != 1 ||
		!strings.Contains(errs[0].Error(), "longer than 1048576 bytes") {
		t.Errorf("service name %q, errors %v", process.ServiceName, errs)
	}
	// The variable that the limit goes through is left out, not cut.
	name := "OTEL_SERVICE_NAME=abcdef"
	pad := "P=" + strings.Repeat("x", maxEnvironSize-len("P=")-1-len(name)+3)
	process, _ = appeared(t, Target{}, fakeProcess{env: []string{pad, name}})
	if process.ServiceName != "shop" {
		t.Errorf("service name %q", process.ServiceName)
	}
}

func TestAVariableThatIsTooLongIsReadAsFarAsItGoes(t *testing.T) {
	long := strings.Repeat("x", maxVariable)
	for name, c := range map[string]struct {
		env      []string
		name     string // of the service
		warnings []string
	}{
		"another one":        {[]string{"A=" + long, "OTEL_SERVICE_NAME=a"}, "a", nil},
		"the last one":       {[]string{"OTEL_SERVICE_NAME=a", "A=" + long}, "a", nil},
		"that fills a read":  {[]string{"A=" + long[3:], "OTEL_SERVICE_NAME=a"}, "a", nil},
		"that is one longer": {[]string{"A=" + long[2:], "OTEL_SERVICE_NAME=a"}, "a", nil},
		"of the attributes": {
			[]string{"OTEL_RESOURCE_ATTRIBUTES=service.name=a,b=" + long, "C=d"},
			"a",
			[]string{"OTEL_RESOURCE_ATTRIBUTES: longer than 32768 bytes: the rest is ignored"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			process, errs := appeared(t, Target{}, fakeProcess{env: c.env})
			if process.ServiceName != c.name {
				t.Errorf("service name %q, want %q", process.ServiceName, c.name)
			}
			if len(errs) != len(c.warnings) {
				t.Fatalf("warnings %v", errs)
			}
			for i, want := range c.warnings {
				if !strings.HasSuffix(errs[i].Error(), want) {
					t.Errorf("warning %v, want %q", errs[i], want)
				}
			}
		})
	}
}

func TestAnEnvironmentMayEndWithoutANUL(t *testing.T) {
	var env environment
	warnings := env.read(strings.NewReader("A=b\x00OTEL_SERVICE_NAME=shop"))
	if env.serviceName != "shop" || warnings != nil {
		t.Errorf("%+v, %v", env, warnings)
	}
}
