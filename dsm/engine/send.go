package engine

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/boxo/bitswap/message"
	"github.com/ipfs/boxo/bitswap/network"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	libnetwork "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// sender is boxo's network but for the sending of blocks, for which boxo opens a stream for each
// message: both sides negotiate its protocol, and it begins with a window that a block of
// 256 KiB just exceeds, so that the last bytes of each wait for the peer. Here streams are used
// again, as many as messages are sent to a peer at once.
type sender struct {
	network.BitSwapNetwork
	mu   sync.Mutex // guards idle
	idle map[peer.ID][]*stream
}

// stream is one for messages to a peer. It belongs to one message at a time.
type stream struct {
	libnetwork.Stream
	end *time.Timer // while it is idle
}

const (
	// idleStream is how long a stream is kept: some implementations wait five seconds for the next
	// message in one.
	idleStream = time.Second
	// A message may take as long as its bytes take at the slowest rate that is worth it, within bounds.
	slowest   = 12_500 // bytes a second
	leastTime = 10 * time.Second
	mostTime  = 2 * time.Minute
)

// protocols are those of Bitswap, the best first.
var protocols = []protocol.ID{bsnet.ProtocolBitswap, bsnet.ProtocolBitswapOneOne, bsnet.ProtocolBitswapOneZero, bsnet.ProtocolBitswapNoVers}

func newSender(n network.BitSwapNetwork) *sender {
	return &sender{BitSwapNetwork: n, idle: map[peer.ID][]*stream{}}
}

// SendMessage sends a message with blocks, whose memory is given back: nobody reads them any more.
func (n *sender) SendMessage(ctx context.Context, p peer.ID, m message.BitSwapMessage) error {
	defer giveBack(m.Blocks())
	deadline := time.Now().Add(min(max(leastTime, time.Duration(m.Size())*time.Second/slowest), mostTime))
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if s := n.take(p); s != nil && n.send(p, s, m, deadline) == nil {
		return nil
	} // or its connection ended, or the peer closed it: whoever does not read has no more time for that
	s, err := n.Host().NewStream(ctx, p, protocols...)
	if err != nil {
		return err
	}
	return n.send(p, &stream{Stream: s}, m, deadline)
}

// take takes an idle stream, the one that was used last; nil if there is none.
func (n *sender) take(p peer.ID) *stream {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.idle[p]
	if len(list) == 0 {
		return nil
	}
	s := list[len(list)-1]
	s.end.Stop()
	n.set(p, list[:len(list)-1])
	return s
}

// set changes the idle streams of a peer, with mu held.
func (n *sender) set(p peer.ID, list []*stream) {
	if n.idle[p] = list; len(list) == 0 {
		delete(n.idle, p)
	}
}

// send sends a message in a stream, which is idle then, or gone.
func (n *sender) send(p peer.ID, s *stream, m message.BitSwapMessage, deadline time.Time) error {
	_ = s.SetWriteDeadline(deadline) // a stream that has none ends with its connection
	var err error
	switch s.Protocol() {
	case bsnet.ProtocolBitswapOneZero, bsnet.ProtocolBitswapNoVers:
		err = m.ToNetV0(s)
	default:
		err = writeMessage(s, m)
	}
	if err != nil {
		_ = s.Reset()
		return fmt.Errorf("sending blocks: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s.end = time.AfterFunc(idleStream, func() { n.close(p, s) })
	n.set(p, append(n.idle[p], s))
	return nil
}

// close closes a stream if it is idle.
func (n *sender) close(p peer.ID, s *stream) {
	n.mu.Lock()
	i := slices.Index(n.idle[p], s)
	if i >= 0 {
		n.set(p, slices.Delete(n.idle[p], i, i+1))
	}
	n.mu.Unlock()
	if i >= 0 {
		_ = s.SetReadDeadline(time.Now().Add(leastTime)) // closing may read the end of a negotiation
		_ = s.Close()
	}
}

// Numbers of fields in Bitswap's messages.
const (
	fieldPayload = 3 // of a message
	fieldPrefix  = 1 // of a block in it
	fieldData    = 2
)

// writeMessage writes what boxo's ToNetV1 does, without making the message in memory first.
func writeMessage(w io.Writer, m message.BitSwapMessage) error {
	p := m.ToProtoV1()
	blocks := p.Payload
	p.Payload = nil
	rest, err := proto.Marshal(p)
	if err != nil {
		return err
	}
	heads := make([][]byte, len(blocks))
	size := len(rest)
	for i, b := range blocks {
		head := protowire.AppendTag(nil, fieldPayload, protowire.BytesType)
		head = protowire.AppendVarint(head, uint64(protowire.SizeTag(fieldPrefix)+protowire.SizeBytes(len(b.Prefix))+protowire.SizeTag(fieldData)+protowire.SizeBytes(len(b.Data))))
		head = protowire.AppendBytes(protowire.AppendTag(head, fieldPrefix, protowire.BytesType), b.Prefix)
		heads[i] = protowire.AppendVarint(protowire.AppendTag(head, fieldData, protowire.BytesType), uint64(len(b.Data)))
		size += len(heads[i]) + len(b.Data)
	}
	out := frames{w: w, room: rooms.Get().(*[frameBytes]byte)}
	defer rooms.Put(out.room)
	out.write(append(protowire.AppendVarint(nil, uint64(size)), rest...))
	for i, b := range blocks {
		out.write(heads[i])
		out.write(b.Data)
	}
	return out.flush()
}

// frameBytes is what fits into a frame of yamux as newHost has it.
const frameBytes = noise.MaxPlaintextLength - 12

// frames gathers what is written into frames that are full, and copies nothing that fills one by
// itself. After an error it writes nothing more.
type frames struct {
	w    io.Writer
	room *[frameBytes]byte
	n    int // bytes in it
	err  error
}

var rooms = sync.Pool{New: func() any { return new([frameBytes]byte) }}

func (f *frames) write(b []byte) {
	for len(b) > 0 && f.err == nil {
		if f.n == 0 && len(b) >= frameBytes {
			_, f.err = f.w.Write(b[:frameBytes])
			b = b[frameBytes:]
			continue
		}
		k := copy(f.room[f.n:], b)
		b, f.n = b[k:], f.n+k
		if f.n == frameBytes {
			_ = f.flush() // the error is kept
		}
	}
}

func (f *frames) flush() error {
	if f.n > 0 && f.err == nil {
		_, f.err = f.w.Write(f.room[:f.n])
		f.n = 0
	}
	return f.err
}
