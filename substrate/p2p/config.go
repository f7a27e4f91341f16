package p2p

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/crustgo/crust/substrate/types"
)

// Config says what a host is.
type Config struct {
	// Key is the ed25519 seed that the peer id derives from; see LoadKey.
	Key Key
	// Listen are multiaddresses to accept connections on, such as
	// /ip4/0.0.0.0/tcp/30333 and /ip4/0.0.0.0/tcp/30334/ws; none means to dial only.
	Listen []string
	// Public are multiaddresses to tell others in addition to those of Listen.
	Public []string
	// Genesis and ForkID name the chain in all protocol names.
	Genesis types.Hash
	ForkID  string
	// Agent is what identify tells: "crust/<version> (<name>)".
	Agent string
	// Bootnodes and Reserved are multiaddresses with /p2p/ and a peer id. Bootnodes
	// are where discovery begins; reserved peers are always kept connected.
	Bootnodes []string
	Reserved  []string
	// ReservedOnly refuses all others, and turns discovery off.
	ReservedOnly bool
	// NoPrivate keeps the node from dialling private and loopback addresses, except
	// those of Bootnodes and Reserved: others may claim any address for theirs.
	NoPrivate bool
	// Notifications are the protocols of long-lived substreams; the first one is
	// the gate. The rest of the package calls them by their index.
	Notifications []Notification
	// Requests are the protocols of one question and one answer, called by index.
	Requests []RequestProtocol
	Limits   Limits
	// Metrics counts; nil counts nowhere.
	Metrics *Metrics
	// Log is told what an operator would want to know; nil discards it.
	Log *slog.Logger
}

// Notification is a notification protocol.
type Notification struct {
	// Name follows /<genesis>/ in the protocol's id: "block-announces/1".
	Name string
	// Handshake returns what a new substream begins with. It is called from many
	// goroutines. The gate's begins with the role (types.Role).
	Handshake func() []byte
	// MaxBytes bounds a message and the remote's handshake; 0 means 1 MiB.
	MaxBytes int
	// Lossy says that a message may be discarded when a peer's queue is full; of
	// other protocols a peer gets all messages, or is dropped.
	Lossy bool
}

// RequestProtocol is a protocol of one question and one answer.
type RequestProtocol struct {
	// Name follows /<genesis>/ in the protocol's id: "sync/2".
	Name string
	// MaxRequest and MaxResponse bound payloads in bytes; 0 means 1 MiB and 16 MiB.
	MaxRequest, MaxResponse int
	// Timeout bounds one exchange, asked or answered; 0 means 20 s.
	Timeout time.Duration
	// Before, if it is not nil, is called before Serve and may wait for what will be asked for: it takes none of
	// the places of Limits.Serving.
	Before func(ctx context.Context, peer types.PeerID, payload []byte)
	// Serve answers; nil leaves the protocol unanswered. It is called from many
	// goroutines. An error ends the exchange without an answer. The payload is
	// Serve's own, the answer is not changed after Serve has returned.
	Serve func(ctx context.Context, peer types.PeerID, payload []byte) ([]byte, error)
}

// Handler is the layer above. Calls for one peer come in order and one at a time
// from a goroutine of that peer, except for Accept. While the handler blocks, no
// more is read from that peer.
type Handler interface {
	// Accept judges a handshake of the gate; an error refuses the peer. It is called
	// for each of a peer's two gate substreams, before Opened, from any goroutine,
	// and must not block.
	Accept(peer types.PeerID, handshake []byte) error
	// Opened says that the peer is there. handshake is its latest; inbound says that
	// the peer began.
	Opened(peer types.PeerID, handshake []byte, inbound bool)
	// Closed follows every Opened once. The peer may be opened again later.
	Closed(peer types.PeerID)
	// Notified brings a message, which is the handler's to keep.
	Notified(peer types.PeerID, protocol int, msg []byte)
}

// Limits bounds what peers can cost. A field that is 0 has its default.
type Limits struct {
	// Out is how many peers the node dials, In how many others may dial it, and
	// InLight how many light clients beside those. Defaults 8, 32 and 100; a negative
	// number means none. Reserved peers do not count.
	Out, In, InLight int

	// Handshake is the time to open a substream; default 10 s.
	Handshake time.Duration
	// Drain is the time a message may wait in a peer's queue; default 20 s.
	Drain time.Duration
	// QueueMessages and QueueBytes bound a peer's queue of one protocol; defaults
	// 4096 and 8 MiB. Messages are shared by queues.
	QueueMessages, QueueBytes int

	// NoticeRate and NoticeBurst bound the notifications of a peer and protocol: a
	// second, and at once; NoticeByteRate and NoticeByteBurst their bytes. Beyond
	// them it floods. Defaults 1000, 10000, 4 MiB and 64 MiB.
	NoticeRate, NoticeBurst         int
	NoticeByteRate, NoticeByteBurst int

	// Serving and ServingPeer are how many requests are answered at a time, in all
	// and for one peer; defaults 64 and 4.
	Serving, ServingPeer int
	// RequestRate and RequestBurst bound the requests of a peer: a second, and at
	// once. AnswerRate and AnswerBurst bound the bytes answered. Defaults 50, 200,
	// 8 MiB and 64 MiB.
	RequestRate, RequestBurst int
	AnswerRate, AnswerBurst   int

	// Ban is for how long a peer whose reputation fell below BanThreshold is refused;
	// default 10 min.
	Ban time.Duration
	// RetryMin and RetryMax bound the time between attempts to dial a peer, which
	// doubles with every failure; defaults 2 s and 5 min, for reserved peers 30 s.
	RetryMin, RetryMax time.Duration
	// Discover is the time between random walks through Kademlia; default 1 min. It
	// is a tenth of that while no peer is known.
	Discover time.Duration
	// Known bounds the peers that the node remembers; default 1000.
	Known int
	// Connections bounds connections, peers or not; default 4 × slots + 64.
	Connections int
}

// maxHandshakeBytes bounds a remote's handshake; Substrate's is 69 bytes.
const maxHandshakeBytes = 1024

// retryMaxReserved bounds the time between attempts to reach a reserved peer.
const retryMaxReserved = 30 * time.Second

func (l *Limits) fill() {
	or(&l.Out, 8)
	or(&l.In, 32)
	or(&l.InLight, 100)
	l.Out, l.In, l.InLight = max(l.Out, 0), max(l.In, 0), max(l.InLight, 0)
	or(&l.Handshake, 10*time.Second)
	or(&l.Drain, 20*time.Second)
	or(&l.QueueMessages, 4096)
	or(&l.QueueBytes, 8<<20)
	or(&l.NoticeRate, 1000)
	or(&l.NoticeBurst, 10_000)
	or(&l.NoticeByteRate, 4<<20)
	or(&l.NoticeByteBurst, 64<<20)
	or(&l.Serving, 64)
	or(&l.ServingPeer, 4)
	or(&l.RequestRate, 50)
	or(&l.RequestBurst, 200)
	or(&l.AnswerRate, 8<<20)
	or(&l.AnswerBurst, 64<<20)
	or(&l.Ban, 10*time.Minute)
	or(&l.RetryMin, 2*time.Second)
	or(&l.RetryMax, 5*time.Minute)
	or(&l.Discover, time.Minute)
	or(&l.Known, 1000)
	or(&l.Connections, 4*(l.Out+l.In+l.InLight)+64)
}

func or[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// prepare checks a copy of the configuration and sets its defaults.
func (c *Config) prepare() error {
	if len(c.Notifications) == 0 {
		return errors.New("no notification protocol: the first one is the gate that makes peers")
	}
	c.Notifications = append([]Notification(nil), c.Notifications...)
	for i := range c.Notifications {
		n := &c.Notifications[i]
		if n.Name == "" || n.Handshake == nil {
			return fmt.Errorf("notification protocol %d needs a name and a handshake", i)
		}
		or(&n.MaxBytes, 1<<20)
	}
	c.Requests = append([]RequestProtocol(nil), c.Requests...)
	for i := range c.Requests {
		r := &c.Requests[i]
		if r.Name == "" {
			return fmt.Errorf("request protocol %d needs a name", i)
		}
		or(&r.MaxRequest, 1<<20)
		or(&r.MaxResponse, 16<<20)
		or(&r.Timeout, 20*time.Second)
	}
	c.Limits.fill()
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
