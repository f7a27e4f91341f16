package voter

import (
	"testing"

	"github.com/crustgo/crust/substrate/grandpa"
)

// A peer that sends faster than the voter takes loses its own messages, and no others'.
func TestInboxIsShared(t *testing.T) {
	v := New(nil, Config{})
	message := grandpa.AppendMessage(nil, &grandpa.VoteMessage{Round: grandpa.Round{Number: 1}})
	for range 100_000 {
		if err := v.Receive("loud", message); err != nil {
			t.Fatal(err)
		}
	}
	if n, most := len(v.inbox), maxPeerInbox/len(message); n == 0 || n > most {
		t.Errorf("%d of its messages wait; at most %d may", n, most)
	}
	before := len(v.inbox)
	if err := v.Receive("quiet", message); err != nil || len(v.inbox) != before+1 {
		t.Errorf("another one's message is lost: %v", err)
	}
}
