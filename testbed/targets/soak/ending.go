package main

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ending is how a call is to end. It travels with the call.
type ending string

const (
	endsWell   ending = "well"
	endsSlowly ending = "slowly" // well, after a while
	fails      ending = "fails"  // with an error of the server's
	timesOut   ending = "times-out"
	cancelled  ending = "cancelled"
	refused    ending = "refused" // nobody listens
)

const (
	// slow is how long a slow call takes, so that there is always something under way.
	slow = time.Second
	// patience is how long a client waits for what does not come, and soon after which
	// one changes its mind.
	patience = 100 * time.Millisecond
	// most is how long a call may take that ends as it should.
	most = 20 * time.Second
)

// endings are those of calls of a class that follow each other.
var endings = []ending{
	endsWell, endsWell, fails, endsWell, timesOut, endsSlowly, endsWell,
	cancelled, endsWell, refused,
}

// obey is what a server does about an ending.
func obey(ctx context.Context, e ending) error {
	switch e {
	case fails:
		return status.Error(codes.Internal, "as asked")
	case endsSlowly:
		time.Sleep(slow)
	case timesOut, cancelled:
		<-ctx.Done() // the client has gone
		return status.FromContextError(ctx.Err()).Err()
	}
	return nil
}

// within gives the context of a call that is to end in this way.
func within(e ending) (context.Context, context.CancelFunc) {
	limit := most
	if e == timesOut {
		limit = patience
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	if e == cancelled {
		time.AfterFunc(patience, cancel)
	}
	return ctx, cancel
}
