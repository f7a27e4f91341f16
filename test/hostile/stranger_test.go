package hostile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2pproto "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/testnet"
)

// stranger is a bare libp2p host that is connected to a node and speaks its
// protocols as badly as it likes.
type stranger struct {
	host.Host
	t       *testing.T
	ctx     context.Context
	victim  *testnet.Node
	genesis types.Hash
	at      peer.ID

	mu     sync.Mutex // guards blocks
	blocks map[types.Hash]protocol.BlockData
}

// meet connects a new stranger with the node; key may be nil for a new identity.
func (w *world) meet(t *testing.T, key crypto.PrivKey) *stranger {
	t.Helper()
	s, err := w.connect(t, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// connect is meet for a stranger who may be refused.
func (w *world) connect(t *testing.T, key crypto.PrivKey) (*stranger, error) {
	t.Helper()
	options := []libp2p.Option{libp2p.NoListenAddrs}
	if key != nil {
		options = append(options, libp2p.Identity(key))
	}
	h, err := libp2p.New(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	info, err := peer.AddrInfoFromString(w.victim.Address())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	s := &stranger{Host: h, t: t, ctx: ctx, victim: w.victim, genesis: w.genesis, at: info.ID, blocks: map[types.Hash]protocol.BlockData{}}
	return s, h.Connect(ctx, *info)
}

func (s *stranger) protocol(name string) libp2pproto.ID {
	return libp2pproto.ID("/" + hex.EncodeToString(s.genesis[:]) + "/" + name)
}

// framed is a message with its length.
func framed(msg []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(msg))), msg...) }

func readFrame(r *bufio.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(n, 64<<20))
	_, err = io.ReadFull(r, b)
	return b, err
}

// open opens a substream and sends bytes; it returns nil if the node has hung up.
func (s *stranger) open(name string, b []byte) network.Stream {
	st, err := s.NewStream(network.WithNoDial(s.ctx, "once is enough"), s.at, s.protocol(name))
	if err != nil {
		return nil
	}
	if _, err := st.Write(b); err != nil {
		return nil
	}
	return st
}

// The notification protocols.
const (
	announces    = "block-announces/1"
	transactions = "transactions/1"
	votes        = "grandpa/1"
)

// hello is the handshake of a protocol.
func (s *stranger) hello(name string) []byte {
	if name != announces {
		return []byte{byte(types.RoleFull)}
	}
	status := protocol.Status{Role: types.RoleFull, BestHash: s.genesis, Genesis: s.genesis}
	return status.Append(nil)
}

// join becomes a peer: it answers the node's substreams and requests, and returns
// its own substreams by protocol.
func (s *stranger) join() map[string]network.Stream {
	s.t.Helper()
	for _, name := range []string{announces, transactions, votes} {
		s.SetStreamHandler(s.protocol(name), func(st network.Stream) {
			r := bufio.NewReader(st)
			if _, err := readFrame(r); err == nil {
				_, _ = st.Write(framed(s.hello(name)))
				_, _ = io.Copy(io.Discard, r)
			}
		})
	}
	s.SetStreamHandler(s.protocol("sync/2"), s.answer)
	own := map[string]network.Stream{}
	for _, name := range []string{announces, transactions, votes} {
		st := s.open(name, framed(s.hello(name)))
		if st == nil {
			s.t.Fatalf("%s was refused", name)
		}
		if _, err := readFrame(bufio.NewReader(st)); err != nil {
			s.t.Fatalf("%s: %v", name, err)
		}
		own[name] = st
	}
	return own
}

// answer gives the blocks that the stranger claims to have.
func (s *stranger) answer(st network.Stream) {
	defer func() { _ = st.Close() }()
	b, err := readFrame(bufio.NewReader(st))
	if err != nil {
		return
	}
	req, err := protocol.DecodeBlockRequest(b)
	if err != nil {
		return
	}
	var resp protocol.BlockResponse
	s.mu.Lock()
	for at := req.FromHash; len(resp.Blocks) < int(req.Max); {
		d, ok := s.blocks[at]
		if !ok {
			break
		}
		at = d.Header.ParentHash
		if req.Fields&protocol.FieldHeader == 0 {
			d.Header = nil
		}
		if req.Fields&protocol.FieldBody == 0 {
			d.Body, d.HasBody = nil, false
		}
		resp.Blocks = append(resp.Blocks, d)
	}
	s.mu.Unlock()
	_, _ = st.Write(framed(resp.Append(nil)))
}

// offer announces a block and has it ready.
func (s *stranger) offer(to network.Stream, b *types.Block, justification []byte) {
	d := protocol.BlockData{Hash: b.Header.Hash(), Header: &b.Header, Body: b.Body, HasBody: true}
	if justification != nil {
		d.Justifications = types.Justifications{{Engine: types.EngineGRANDPA, Data: justification}}
	}
	s.mu.Lock()
	s.blocks[d.Hash] = d
	s.mu.Unlock()
	a := protocol.Announce{Header: b.Header, Best: true}
	_, _ = to.Write(framed(a.Append(nil))) // the node may have hung up
}

// gone reports whether the node has closed all connections.
func (s *stranger) gone() bool { return len(s.Network().ConnsToPeer(s.at)) == 0 }

// flood writes a message until the node hangs up, at most n times.
func (s *stranger) flood(st network.Stream, n int, message func(i int) []byte) {
	_ = st.SetWriteDeadline(time.Now().Add(patience))
	for i := range n {
		if _, err := st.Write(framed(message(i))); err != nil || s.gone() {
			return
		}
	}
}

// told are the lines in which the node says that it dropped the stranger.
func (s *stranger) told() (lines []string) {
	text, err := os.ReadFile(s.victim.Log)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "dropped a peer") && strings.Contains(line, s.ID().String()) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// dropped waits until the node has hung up and has said so, once, with the reason.
func (s *stranger) dropped(reason string) {
	s.t.Helper()
	for !s.gone() || len(s.told()) == 0 {
		select {
		case <-s.ctx.Done():
			s.t.Fatalf("not dropped; connections %d, log %q\n%s", len(s.Network().ConnsToPeer(s.at)), s.told(), s.lines())
		case <-time.After(50 * time.Millisecond):
		}
	}
	lines := s.told()
	if len(lines) != 1 || !strings.Contains(lines[0], reason) {
		s.t.Errorf("the node says %q, where one line with %q is due", lines, reason)
	}
}

// lines are the last lines of the node's log about the stranger.
func (s *stranger) lines() string {
	text, _ := os.ReadFile(s.victim.Log)
	var about []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, s.ID().String()) {
			about = append(about, line)
		}
	}
	return strings.Join(about[max(0, len(about)-20):], "")
}

// garbage is bytes that are no message of any protocol.
func garbage(n int) []byte { return bytes.Repeat([]byte{0xfe}, n) }

// randomHash is the i-th hash of no block.
func randomHash(i int) (h types.Hash) {
	binary.LittleEndian.PutUint64(h[:], uint64(i)+1)
	h[31] = 0xaa
	return h
}

// bogus are n transactions with an index, whose signatures are wrong.
func bogus(good types.Extrinsic, n, index int) []byte {
	xs := make([]types.Extrinsic, n)
	for i := range xs {
		x := bytes.Clone(good)
		binary.LittleEndian.PutUint64(x[40:], uint64(index*n+i)) // in the signature
		xs[i] = x
	}
	return protocol.AppendTransactions(nil, xs)
}

// rss is the resident memory of a node in bytes, 0 where the system does not tell.
func rss(t *testing.T, n *testnet.Node) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.PID()))
	if err != nil {
		return 0
	}
	_, tail, _ := strings.Cut(string(text), "VmRSS:")
	var kib int64
	if _, err := fmt.Sscan(tail, &kib); err != nil {
		t.Fatal(err)
	}
	return kib << 10
}
