package record

import "testing"

func TestAHostIsSplitFromItsPort(t *testing.T) {
	for s, want := range map[string]struct {
		host string
		port uint16
	}{
		"":                   {"", 0},
		"shop.example":       {"shop.example", 0},
		"shop.example:8080":  {"shop.example", 8080},
		"127.0.0.1:80":       {"127.0.0.1", 80},
		":80":                {"", 80},
		"[::1]":              {"::1", 0},
		"[::1]:80":           {"::1", 80},
		"[::1":               {"", 0},
		"[shop":              {"", 0},
		"shop.example:":      {"shop.example", 0},
		"shop.example:http":  {"shop.example", 0},
		"shop.example:0":     {"shop.example", 0},
		"shop.example:99999": {"shop.example", 0},
		"2001:db8::1":        {"2001:db8::1", 0},
	} {
		if host, port := SplitHostPort(s); host != want.host || port != want.port {
			t.Errorf("%q is %q, port %d; want %q, %d", s, host, port, want.host, want.port)
		}
	}
}

func TestAnAddressIsSplitFromItsPort(t *testing.T) {
	for _, c := range []struct {
		text    Text
		address string
		port    uint16
		ok      bool
	}{
		{Text{Raw: "192.0.2.7:80"}, "192.0.2.7", 80, true},
		{Text{Raw: "[::ffff:192.0.2.7]:80"}, "192.0.2.7", 80, true},
		{Text{Raw: "[2001:DB8::1]:0"}, "2001:db8::1", 0, true},
		{Text{Raw: "192.0.2.7:8", Cut: true}, "", 0, false},
		{Text{Raw: "@"}, "", 0, false},
		{Text{}, "", 0, false},
	} {
		address, port, ok := c.text.SplitAddrPort()
		if address != c.address || port != c.port || ok != c.ok {
			t.Errorf("%+v is %q, port %d, %t", c.text, address, port, ok)
		}
	}
}
