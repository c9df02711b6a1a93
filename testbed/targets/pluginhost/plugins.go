//go:build !serves

package main

import "plugin"

func listen() string { return "" }

func use(loaded *plugin.Plugin) string { return find(loaded, "Serve").(func() string)() }
