// Command pluginhost loads the plugin that its first argument names, once it reads a line. It
// serves HTTP with the plugin's handler, if it is compiled with the tag "serves"; else
// the plugin serves. It says the address that it serves at, if it does, and answers the first line
// with the address that is served at when the plugin is there.
package main

import (
	"log"
	"os"
	"plugin"

	"github.com/spanprobe/spanprobe/testbed/targets/shared/lines"
)

// listen and use are how the plugin serves. The tag "serves" has other ones.
var (
	listen = func() string { return "" }
	use    = func(loaded *plugin.Plugin) string { return find(loaded, "Serve").(func() string)() }
)

func main() {
	var loaded *plugin.Plugin
	lines.Serve(listen(), func(string) interface{} {
		if loaded != nil {
			return ""
		}
		var err error
		if loaded, err = plugin.Open(os.Args[1]); err != nil {
			log.Fatal(err)
		}
		return use(loaded)
	})
}

// find finds what the plugin exports.
func find(loaded *plugin.Plugin, name string) plugin.Symbol {
	symbol, err := loaded.Lookup(name)
	if err != nil {
		log.Fatal(err)
	}
	return symbol
}
