// Package lines is how a target program and its test talk: the program says a line when it is
// ready, and answers each line of its standard input with one, until that is closed.
//
// Old releases of Go compile it: see testbed/harness/target.
package lines

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// Serve says what the program has to say first, and answers each line. What is no text is said in
// JSON.
func Serve(ready interface{}, answer func(line string) interface{}) {
	say(ready)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		say(answer(lines.Text()))
	}
}

func say(what interface{}) {
	if text, ok := what.(string); ok {
		fmt.Println(text)
	} else if err := json.NewEncoder(os.Stdout).Encode(what); err != nil {
		panic(err)
	}
}

// Parse reads an order, which is JSON.
func Parse(line string, order interface{}) {
	if err := json.Unmarshal([]byte(line), order); err != nil {
		panic(err)
	}
}
