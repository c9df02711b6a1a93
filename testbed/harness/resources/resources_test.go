package resources

import "testing"

func TestFdinfoTellsMapsAndProgramsFromAllElse(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Object
		memory     int64
		ok         bool
	}{
		{
			"a map", "pos:\t0\nflags:\t02000002\nmap_type:\t1\nmax_entries:\t16384\n" +
				"memlock:\t2629376\nmap_id:\t7\nfrozen:\t0\n",
			Object{ID: 7},
			2629376,
			true,
		},
		{
			"a program", "pos:\t0\nprog_type:\t2\nprog_jited:\t1\nprog_tag:\tab01\n" +
				"memlock:\t8192\nprog_id:\t9\nrun_time_ns:\t1500\nrun_cnt:\t3\n",
			Object{true, 9},
			8192,
			true,
		},
		{
			"a link, which names its program",
			"pos:\t0\nlink_type:\tuprobe_multi\nlink_id:\t4\nprog_tag:\tab01\nprog_id:\t9\n",
			Object{},
			0,
			false,
		},
		{"a socket", "pos:\t0\nflags:\t02\nmnt_id:\t9\nino:\t1234\n", Object{}, 0, false},
		{"a memlock that is no number", "memlock:\tmuch\nmap_id:\t1\n", Object{}, 0, false},
	} {
		got, memory, ok := parse(test.text)
		if ok != test.ok || ok && (got != test.want || memory != test.memory) {
			t.Errorf("%s: %+v of %d, %v; want %+v", test.name, got, memory, ok, test)
		}
	}
}
