package network

import (
	stdsync "sync"

	"github.com/crustgo/crust/substrate/types"
)

// maxBacklog is how many bytes of transactions one peer may have waiting for the
// pool, but for its last message.
const maxBacklog = 2 << 20

// backlog counts the transactions of peers that have not been judged, in bytes of
// messages: judging is slow where signatures are wrong, and a peer could send much
// meanwhile. The zero value is ready for use.
type backlog struct {
	mu    stdsync.Mutex // guards bytes
	bytes map[types.PeerID]int
}

// take counts a message, or reports that the peer has too many.
func (b *backlog) take(peer types.PeerID, n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes == nil {
		b.bytes = map[types.PeerID]int{}
	}
	if b.bytes[peer] >= maxBacklog {
		return false
	}
	b.bytes[peer] += n
	return true
}

// give says that a message has been judged or dropped.
func (b *backlog) give(peer types.PeerID, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes[peer] -= n; b.bytes[peer] == 0 {
		delete(b.bytes, peer)
	}
}
