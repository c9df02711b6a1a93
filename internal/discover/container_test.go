package discover

import (
	"strings"
	"testing"
)

func TestAContainerIsNamedByItsControlGroup(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	other := strings.Repeat("fedcba9876543210", 4)
	for name, c := range map[string]struct{ list, want string }{
		"no container":                 {"0::/user.slice/user-1000.slice/session-2.scope\n", ""},
		"a service":                    {"0::/system.slice/cron.service\n", ""},
		"nothing":                      {"", ""},
		"Docker, version 1":            {"12:pids:/docker/" + id + "\n11:memory:/docker/" + id + "\n1:name=systemd:/docker/" + id + "\n0::/\n", id},
		"Docker, version 2":            {"0::/system.slice/docker-" + id + ".scope\n", id},
		"containerd in Kubernetes":     {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podf1_2.slice/cri-containerd-" + id + ".scope\n", id},
		"Kubernetes, cgroupfs":         {"1:cpu:/kubepods/besteffort/pod8f2c8e2b-7d2a-4b2c-9e55-000000000000/" + id + "\n", id},
		"containerd, mixed drivers":    {"0::/kubepods-burstable-podf1_2.slice:cri-containerd:" + id + "\n", id},
		"CRI-O":                        {"0::/kubepods.slice/crio-" + id + ".scope\n", id},
		"CRI-O's monitor":              {"0::/kubepods.slice/crio-conmon-" + id + ".scope\n", ""},
		"Podman":                       {"0::/machine.slice/libpod-" + id + ".scope/container\n", id},
		"Podman's monitor":             {"0::/machine.slice/libpod-conmon-" + id + ".scope\n", ""},
		"systemd in a container":       {"0::/docker/" + id + "/system.slice/app.service\n", id},
		"a container in a container":   {"0::/docker/" + id + "/docker/" + other + "\n", other},
		"seen from another container":  {"0::/../docker-" + id + ".scope\n", id},
		"seen from inside":             {"0::/\n", ""},
		"ECS":                          {"9:perf_event:/ecs/55091c13-b8cf-4801-b527-f4601742204d/432624d2150b349fe35ba397284dea78-3447594535\n", "432624d2150b349fe35ba397284dea78-3447594535"},
		"a hierarchy that is not its":  {"2:cpu:/docker/" + id + "\n1:name=systemd:/user.slice\n", id},
		"two hierarchies at odds":      {"2:cpu:/docker/" + id + "\n1:memory:/docker/" + other + "\n", ""},
		"no digits":                    {"0::/docker/" + strings.Repeat("g", 64) + "\n", ""},
		"capital digits":               {"0::/docker/" + strings.ToUpper(id) + "\n", ""},
		"too long":                     {"0::/docker/" + id + "0\n", ""},
		"too short":                    {"0::/docker/" + id[1:] + "\n", ""},
		"an id in a name that is none": {"0::/system.slice/backup-of" + id + ".scope\n", ""},
		"a service named like one":     {"0::/system.slice/docker-" + id + ".service\n", ""},
		"no path":                      {"0:\nnonsense\n::\n", ""},
		"a path with a colon":          {"0::/odd:name/docker-" + id + ".scope\n", id},
	} {
		if got := parseCgroups(c.list); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}
