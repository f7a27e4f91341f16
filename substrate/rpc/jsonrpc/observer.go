package jsonrpc

import "time"

// Observer hears what the server does, for metrics. Its methods are called
// from many goroutines and must not block. Embed NopObserver to implement only
// some of them.
type Observer interface {
	// CallStarted and CallDone enclose a call. The code is 0 for success;
	// names that do not exist are reported as "unknown", by CallDone alone.
	CallStarted(method string)
	CallDone(method string, code int, took time.Duration)
	// ConnOpened and ConnClosed enclose a WebSocket connection.
	ConnOpened()
	ConnClosed(reason string)
	// Bytes reports message bytes of WebSocket connections and HTTP bodies.
	Bytes(in, out int64)
	// SubscriptionOpened and SubscriptionClosed enclose a subscription.
	SubscriptionOpened(method string)
	SubscriptionClosed(method string)
}

// NopObserver is an Observer that ignores everything.
type NopObserver struct{}

// CallStarted does nothing.
func (NopObserver) CallStarted(string) {}

// CallDone does nothing.
func (NopObserver) CallDone(string, int, time.Duration) {}

// ConnOpened does nothing.
func (NopObserver) ConnOpened() {}

// ConnClosed does nothing.
func (NopObserver) ConnClosed(string) {}

// Bytes does nothing.
func (NopObserver) Bytes(int64, int64) {}

// SubscriptionOpened does nothing.
func (NopObserver) SubscriptionOpened(string) {}

// SubscriptionClosed does nothing.
func (NopObserver) SubscriptionClosed(string) {}
