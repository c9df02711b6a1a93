//go:build go1.21

package main

import "context"

func init() { withoutCancel = context.WithoutCancel }
