// Command host loads the plugin that its first argument names, once it reads a line. It
// serves HTTP with the plugin's handler, if it is compiled with the tag "serves"; else
// the plugin serves. It prints the address that it serves at, if it does, and the
// address that is served at when the plugin is there.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"plugin"
)

func main() {
	fmt.Println(listen())
	lines := bufio.NewScanner(os.Stdin)
	if !lines.Scan() {
		return
	}
	loaded, err := plugin.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(use(loaded))
	for lines.Scan() {
		fmt.Println()
	}
}

func find(loaded *plugin.Plugin, name string) plugin.Symbol {
	symbol, err := loaded.Lookup(name)
	if err != nil {
		log.Fatal(err)
	}
	return symbol
}
