package discover

import "testing"

func TestEntriesThatCannotSelectAreRefusedByKey(t *testing.T) {
	for _, c := range []struct {
		name    string
		targets []Target
		exclude []Target
		want    string
	}{
		{"none", nil, nil, `targets: name at least one process to trace, for example:
receivers:
  spanprobe:
    targets:
      - exe: /usr/local/bin/*`},
		{"empty entry", []Target{{PID: 1}, {ServiceName: "shop"}}, nil, "targets[1]: selects nothing: give exe, port or pid"},
		{"negative port", []Target{{Port: -1}}, nil, "targets[0].port: -1 is no TCP port: it must be from 1 to 65535"},
		{"no port", []Target{{Port: 65536}}, nil, "targets[0].port: 65536 is no TCP port: it must be from 1 to 65535"},
		{"negative pid", []Target{{PID: -1}}, nil, "targets[0].pid: -1 is no process id: it must be positive"},
		{"bad glob", []Target{{Exe: "/bin/[a"}}, nil, `targets[0].exe: "/bin/[a" is no glob: a [, a { or a backslash is not closed`},
		{"a name only", []Target{{Exe: "shop"}}, nil, `targets[0].exe: "shop" matches no path, since each begins with a slash: write "/**/shop" for any folder`},
		{"a name with a star", []Target{{Exe: "*.bin"}}, nil, `targets[0].exe: "*.bin" matches no path, since each begins with a slash: write "/**/*.bin" for any folder`},
		{"a star", []Target{{Exe: "*"}}, nil, `targets[0].exe: "*" matches no path, since each begins with a slash: write "/**/*" for any folder`},
		{"the working directory", []Target{{Exe: "./shop"}}, nil, `targets[0].exe: "./shop" matches no path, since each begins with a slash: write "/**/shop" for any folder`},
		{"a folder", []Target{{Exe: "/usr/local/bin/"}}, nil, `targets[0].exe: "/usr/local/bin/" matches no executable, since it ends with a slash: write "/usr/local/bin/*" for all in that folder`},
		{"names in braces", []Target{{Exe: "{a,b}"}}, nil, `targets[0].exe: "a" matches no path, since each begins with a slash: write "/**/a" for any folder`},
		{"one of two braces", []Target{{Exe: "{/opt,{/bin,srv}}/x"}}, nil, `targets[0].exe: "srv/x" matches no path, since each begins with a slash: write "/**/srv/x" for any folder`},
		{"half a **", []Target{{Exe: "/opt/shop**"}}, nil, `targets[0].exe: "/opt/shop**": ** crosses slashes only when it stands alone between two of them, as in "/opt/**/server"`},
		{
			"bad exclude",
			[]Target{{PID: 1}},
			[]Target{{PID: 2, ServiceName: "x"}, {}},
			"exclude[0].service_name: what is excluded has no service name: remove the key\nexclude[1]: selects nothing: give exe, port or pid",
		},
		{
			"two mistakes",
			[]Target{{PID: -1, Exe: "x"}},
			nil,
			`targets[0].exe: "x" matches no path, since each begins with a slash: write "/**/x" for any folder` +
				"\ntargets[0].pid: -1 is no process id: it must be positive",
		},
		{"good", []Target{{Exe: "/usr/{bin,**}/[*][**]x*"}, {Port: 1}, {PID: 1, Port: 65535, Exe: "/**"}}, []Target{{Exe: "**/x"}, {Exe: "{/a,**}/{b,c}"}, {Exe: `{/[,}],/\}}/x`}, {Exe: "*/x"}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := ValidateTargets(c.targets, c.exclude); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if _, err := New(
				Config{Targets: c.targets, Exclude: c.exclude},
			); (err != nil) != (c.want != "") {
				t.Errorf("New: %v", err)
			}
		})
	}
}

func TestGlobsMatchWholePaths(t *testing.T) {
	for _, c := range []struct {
		glob, path string
		want       bool
	}{
		{"/usr/local/bin/*", "/usr/local/bin/shop", true},
		{"/usr/local/bin/*", "/usr/local/bin/a/shop", false},
		{"/usr/local/bin/*", "/usr/local/bin", false},
		{"/opt/**", "/opt/a/b/shop", true},
		{"/opt/**/shop", "/opt/shop", true},
		{"/opt/**/shop", "/opt/a/b/shop", true},
		{"/opt/**/shop", "/opt/a/b/shop2", false},
		{"/**/bin/**/shop", "/a/bin/b/bin/c/shop", true},
		{"**/shop", "/a/shop", true},
		{"/{opt,srv/**}/shop", "/srv/a/b/shop", true},
		{"/{opt,srv/**}/shop", "/opt/a/shop", false},
		{"/usr/bin/docker*", "/usr/bin/dockerd", true},
		{"/usr/bin/docker*", "/usr/bin/docker", true},
		{"/a/[x-z]?", "/a/yy", true},
		{`/a/\*`, "/a/*", true},
		{`/a/\*`, "/a/b", false},
		{"/usr/bin/*", "/srv/root/usr/bin/shop", false},
	} {
		target := Target{Exe: c.glob}
		if errs := target.validate(c.glob); errs != nil {
			t.Error(errs)
		}
		if got := target.matchesExe(c.path); got != c.want {
			t.Errorf("%s matches %s: %v", c.glob, c.path, got)
		}
	}
}
