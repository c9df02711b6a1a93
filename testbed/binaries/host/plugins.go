//go:build !serves

package main

import "plugin"

func serve(loaded *plugin.Plugin) string { return find(loaded, "Serve").(func() string)() }
