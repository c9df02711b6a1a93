package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// background is what belongs to no request.
var background = schedule{counts: map[string]*int64{
	"ticker": new(int64), "refresher": new(int64), "opener": new(int64),
}}

// schedule says whether that is to be done, and counts it.
type schedule struct {
	mu      sync.RWMutex // read locked while a call is made
	running bool
	counts  map[string]*int64 // of calls, by their kind; added to atomically
}

func (s *schedule) begin() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = true
	return "begun"
}

func (s *schedule) isRunning() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.running
}

// end returns how many calls there were of each kind, once the last has ended.
func (s *schedule) end() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	return fmt.Sprint(*s.counts["ticker"], *s.counts["refresher"], *s.counts["opener"])
}

// call makes a call, if that is to be done.
func (s *schedule) call(ctx context.Context, kind, via string) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.running {
		return nil
	}
	n := atomic.AddInt64(s.counts[kind], 1) - 1
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
		if i%20 == 0 && background.isRunning() {
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

type connector struct{ driver.Connector }

func (connector) Connect(ctx context.Context) (driver.Conn, error) {
	if r, ok := ctx.Value(requestKey{}).(request); ok {
		return connection{}, r.call(ctx, 1)
	}
	return connection{}, background.call(ctx, "opener", "http")
}

// connection is a database/sql connection of no use.
type connection struct{ driver.Conn }

func (connection) Close() error { return nil }
