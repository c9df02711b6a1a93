// Command calls calls functions with frames of all sizes, each a known number of
// times, on stacks that have to grow for it, and says how often it has called each
// function.
package main

import (
	"fmt"
	"runtime"
	"sync"
)

const (
	goroutines = 200
	depth      = 100 // of Deep's recursion: its stack grows on the way
)

func main() {
	// A collection asks every goroutine to yield, which makes stack checks fail
	// although there is room.
	go func() {
		for {
			runtime.GC()
		}
	}()
	var caller Caller = &method{1}
	var all sync.WaitGroup
	for i := 0; i < goroutines; i++ {
		for _, call := range []func(int) int{
			func(i int) int { return Deep(depth, i) }, Medium, Large, Huge, Deferring, caller.Call,
		} {
			all.Add(1)
			go func(call func(int) int, i int) {
				defer all.Done()
				call(i)
			}(call, i)
		}
		all.Wait()
	}
	fmt.Println("main.Deep", goroutines*(depth+1))
	for _, name := range []string{"Medium", "Large", "Huge", "Deferring", "(*method).Call"} {
		fmt.Println("main."+name, goroutines)
	}
}

// Deep has a small frame.
//
//go:noinline
func Deep(n, i int) int {
	if n == 0 {
		return i
	}
	return Deep(n-1, i) + n
}

// Medium has a frame for which the stack check computes where it ends.
//
//go:noinline
func Medium(i int) int {
	var room [1000]byte
	return fill(room[:], i)
}

// Large has one for which it also checks that this did not overflow.
//
//go:noinline
func Large(i int) int {
	var room [5000]byte
	return fill(room[:], i)
}

// Huge has one whose size is a constant that some instructions do not hold.
//
//go:noinline
func Huge(i int) int {
	var room [200000]byte
	return fill(room[:], i)
}

// Deferring has a deferred function that runs at its end.
//
//go:noinline
func Deferring(i int) (n int) {
	defer func() { n += Medium0(i) }()
	return Medium0(i)
}

// Caller is called through an interface.
type Caller interface{ Call(i int) int }

type method struct{ by int }

//go:noinline
func (m *method) Call(i int) int { return Medium0(i) + m.by }

// Medium0 is as Medium, and not counted.
//
//go:noinline
func Medium0(i int) int {
	var room [1000]byte
	return fill(room[:], i)
}

//go:noinline
func fill(room []byte, i int) int {
	for at := range room {
		room[at] = byte(i)
	}
	return int(room[i%len(room)])
}
