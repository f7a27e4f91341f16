package jsonrpc

// Reply is a result whose handler wants to know when the answer is on its way:
// a call that starts work whose outcome arrives as a notification returns one,
// and begins in Answered, so that nobody hears the outcome before the answer.
type Reply struct {
	Value any
	// Answered is called once, with whether the answer was queued for the client.
	// It must not block. Over HTTP it is called when the answer has been made.
	Answered func(queued bool)
}

// waiter is something that waits for an answer to be queued; answered is called
// exactly once.
type waiter interface{ answered(queued bool) }

type onAnswered func(queued bool)

func (f onAnswered) answered(queued bool) { f(queued) }

// answered lets the subscription send, or ends it: nobody knows its id.
func (s *Subscription) answered(queued bool) {
	if queued {
		close(s.gate)
		return
	}
	s.conn.drop(s)
}
