package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// background is what belongs to no request.
var background = schedule{counts: map[string]int{}}

// schedule says whether that is to be done, and counts it.
type schedule struct {
	mu      sync.Mutex
	running bool
	counts  map[string]int // of calls, by their kind
	busy    sync.WaitGroup
}

func (s *schedule) begin() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = true
	return "begun"
}

// end returns how many calls there were of each kind, once the last has ended.
func (s *schedule) end() string {
	s.mu.Lock()
	s.running = false
	s.mu.Unlock()
	s.busy.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprint(s.counts["ticker"], s.counts["refresher"], s.counts["opener"])
}

// call makes a call, if that is to be done.
func (s *schedule) call(ctx context.Context, kind, via string) error {
	s.mu.Lock()
	if !s.running {
		s.mu.Unlock()
		return nil
	}
	n := s.counts[kind]
	s.counts[kind]++
	s.busy.Add(1)
	s.mu.Unlock()
	defer s.busy.Done()
	return call(ctx, via, fmt.Sprintf("/background/%s/%d", kind, n))
}

const tickTime = 5 * time.Millisecond

// tick makes calls over and over. Memory of what requests had is collected, and
// becomes that of contexts of its calls.
func tick(kind string) {
	for i := 0; ; i++ {
		time.Sleep(tickTime)
		ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), valueKey(i), i),
			time.Minute)
		if err := background.call(ctx, kind, []string{"http", "grpc"}[i%2]); err != nil {
			panic(err)
		}
		cancel()
		if i%20 == 0 {
			runtime.GC()
		}
	}
}

var refresher sync.Once

// refreshed has the first request start what refreshes something from then on.
func refreshed(ctx context.Context, r request) error {
	refresher.Do(func() { go tick("refresher") })
	return r.call(ctx, 0)
}

var database struct {
	once sync.Once
	db   *sql.DB
}

// queried asks a database, whose one connection is bad when it has been used. The goroutine of
// database/sql that opens connections makes a call for each new one, as do requests that open one
// themselves.
func queried(ctx context.Context, r request) error {
	database.once.Do(func() {
		database.db = sql.OpenDB(connector{})
		database.db.SetMaxOpenConns(1)
	})
	c, err := database.db.Conn(context.WithValue(ctx, requestKey{}, r))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := r.call(ctx, 0); err != nil {
		return err
	}
	_ = c.Raw(func(interface{}) error { return driver.ErrBadConn }) // which discards it
	return nil
}

// requestKey is what a request is known by that opens a connection itself.
type requestKey struct{}

type connector struct{}

func (connector) Connect(ctx context.Context) (driver.Conn, error) {
	if r, ok := ctx.Value(requestKey{}).(request); ok {
		return connection{}, r.call(ctx, 1)
	}
	return connection{}, background.call(ctx, "opener", "http")
}

func (connector) Driver() driver.Driver { return nil }

// connection is a database/sql connection of no use.
type connection struct{}

var errNoUse = errors.New("of no use")

func (connection) Prepare(string) (driver.Stmt, error) { return nil, errNoUse }
func (connection) Close() error                        { return nil }
func (connection) Begin() (driver.Tx, error)           { return nil, errNoUse }
