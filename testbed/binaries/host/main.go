// Command host loads the plugin that its first argument names. It serves HTTP with the
// plugin's handler, if it is compiled with the tag "serves"; else the plugin serves.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"plugin"
)

func main() {
	loaded, err := plugin.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(serve(loaded))
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
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
