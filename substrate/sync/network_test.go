package sync

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
	"pgregory.net/rapid"
)

// behaviour is what a peer of the model network does with requests.
type behaviour int

const (
	honest     behaviour = iota
	onFork               // honest, but on another fork
	stalls               // never answers
	empties              // answers with nothing
	boasts               // claims a best block that does not exist, else honest
	wrongHash            // sends other blocks than it says
	unlinked             // leaves out a block
	tooMuch              // sends more than was asked for
	fakes                // has a chain of blocks that are wrong
	fakeBodies           // sends bodies of its own making
	flaky                // honest, but loses most requests
	behaviours
)

func (b behaviour) fair() bool { return b == honest || b == onFork || b == flaky }

type netPeer struct {
	id   types.PeerID
	does behaviour
	best types.Hash
	open int
	out  bool
}

// network is a machine among peers, on one thread: events at times, nothing else.
type network struct {
	*world
	rng     *rand.Rand
	chain   *ledger
	m       *Machine
	peers   []*netPeer
	events  events
	now     types.Moment
	seq     int
	main    types.Hash // head of the best honest chain
	busy    types.Moment
	loss    int // of 100 requests
	halted  types.Moment
	open    map[RequestID]types.PeerID
	wakes   map[types.Moment]bool
	trouble error
}

type event struct {
	at  types.Moment
	seq int
	do  func()
}
type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].seq < e[j].seq
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	x := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return x
}

func (n *network) at(t types.Moment, do func()) {
	n.seq++
	heap.Push(&n.events, event{max(t, n.now), n.seq, do})
}

func (n *network) after(d int, do func()) { n.at(n.now+types.Moment(d), do) }

func (n *network) fail(format string, args ...any) {
	if n.trouble == nil {
		n.trouble = fmt.Errorf("at %d: "+format, append([]any{n.now}, args...)...)
	}
}

// run plays events until there are none before the end.
func (n *network) run(end types.Moment) error {
	for n.trouble == nil && len(n.events) > 0 && n.events[0].at <= end {
		e := heap.Pop(&n.events).(event)
		n.now = e.at
		e.do()
		n.act(n.m.Ready())
		if err := n.m.check(); err != nil {
			n.fail("%v", err)
		}
	}
	n.now = end
	return n.trouble
}

// act does what the machine wants.
func (n *network) act(r Ready) {
	for _, id := range r.Cancel {
		if p := n.find(n.open[id]); p != nil {
			p.open--
		}
		delete(n.open, id)
	}
	for _, q := range r.Requests {
		p := n.find(q.Peer)
		if p == nil {
			n.fail("request to %q, who is not connected", q.Peer)
			return
		}
		if p.open++; p.open > n.m.lim.PerPeer {
			n.fail("%d requests to %q at once", p.open, q.Peer)
		}
		n.open[q.ID] = p.id
		n.answer(p, q)
	}
	for _, run := range r.Import {
		n.importRun(run)
	}
	for _, rep := range r.Reports {
		p := n.find(rep.Peer)
		if p == nil {
			n.fail("report on %q, who is not connected", rep.Peer)
			return
		}
		if rep.Reason > Conflict && p.does.fair() {
			n.fail("honest peer %q is blamed: %v", rep.Peer, rep.Reason)
		}
		if rep.Cost() >= 1000 {
			n.after(20, func() { n.disconnect(p) })
		}
	}
	if r.Wake != 0 && !n.wakes[r.Wake] {
		if r.Wake <= n.now {
			n.fail("wake in the past")
		}
		n.wakes[r.Wake] = true
		n.at(r.Wake, func() { n.m.Tick(n.now); delete(n.wakes, n.now) })
	}
}

func (n *network) find(id types.PeerID) *netPeer {
	for _, p := range n.peers {
		if p.id == id && !p.out {
			return p
		}
	}
	return nil
}

func (n *network) disconnect(p *netPeer) {
	if p.out {
		return
	}
	p.out, p.open = true, 0
	for id, owner := range n.open {
		if owner == p.id {
			delete(n.open, id)
		}
	}
	n.m.Disconnected(n.now, p.id)
}

func (n *network) connect(p *netPeer) {
	p.out = false
	t := n.target(p.best)
	if p.does == boasts {
		t = Target{types.Hash{1, byte(n.rng.IntN(250))}, t.Number + types.BlockNumber(n.rng.IntN(5000))}
	}
	n.m.Connected(n.now, p.id, t)
}

// answer lets a peer answer a request, later, or not at all.
func (n *network) answer(p *netPeer, q Request) {
	if p.does == stalls || p.does == flaky && n.rng.IntN(3) > 0 || n.rng.IntN(100) < n.loss {
		if n.rng.IntN(2) == 0 {
			n.after(200, func() {
				if n.open[q.ID] == p.id {
					delete(n.open, q.ID)
					p.open--
					n.m.Failed(n.now, p.id, q.ID)
				}
			})
		}
		return
	}
	n.after(1+n.rng.IntN(100), func() {
		if n.open[q.ID] != p.id {
			return
		}
		delete(n.open, q.ID)
		p.open--
		n.m.Responded(n.now, p.id, q.ID, n.lie(p, q, n.serve(p.best, q.BlockRequest, 1+n.rng.IntN(300))))
	})
}

// lie makes of an honest answer what the peer sends.
func (n *network) lie(p *netPeer, q Request, blocks []protocol.BlockData) []protocol.BlockData {
	if len(blocks) == 0 {
		return nil
	}
	switch p.does {
	case empties:
		return nil
	case wrongHash:
		blocks[n.rng.IntN(len(blocks))].Hash[5] ^= 1
	case unlinked:
		if i := n.rng.IntN(len(blocks)); i < len(blocks)-1 {
			blocks = slices.Delete(blocks, i, i+1)
		}
	case tooMuch:
		for len(blocks) <= int(q.Max) {
			blocks = append(blocks, blocks[len(blocks)-1])
		}
	case fakeBodies:
		for i := range blocks {
			blocks[i].Body = []types.Extrinsic{{byte(i)}}
		}
	default:
	}
	return blocks
}

// importRun imports blocks one after the other, and says so at the end.
func (n *network) importRun(run []Block) {
	n.busy = max(n.busy, n.now) + types.Moment(len(run)/20+n.rng.IntN(3))
	n.at(n.busy, func() {
		var results []Result
		for _, b := range run {
			o := OurFailure
			if n.now >= n.halted {
				o = n.chain.place(n.now, b)
			}
			if o == ImportOK && b.Header.StateRoot[0] == badBlock {
				n.fail("a bad block was imported")
			}
			results = append(results, Result{b.Hash, o})
		}
		n.m.Imported(n.now, results)
	})
}

// announce lets every peer on a chain tell of its new best block.
func (n *network) announce(h types.Hash, does ...behaviour) {
	for _, p := range n.peers {
		if slices.Contains(does, p.does) {
			n.after(n.rng.IntN(150), func() {
				p.best = h
				if !p.out {
					n.m.Announced(n.now, p.id, n.blocks[h].Header, true)
				}
			})
		}
	}
}

// newNetwork draws a world and who lives in it.
func newNetwork(seed uint64) *network {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := newWorld()
	n := &network{world: w, rng: rng, chain: newLedger(w), open: map[RequestID]types.PeerID{}, wakes: map[types.Moment]bool{}, now: 1000, loss: rng.IntN(6)}
	grow := func(h types.Hash, salt string, kind byte, count int) types.Hash {
		for range count {
			h = w.grow(h, salt, kind, 0, rng.IntN(400))
		}
		return h
	}
	trunk := grow(w.genesis, "main", goodBlock, rng.IntN(1500))
	n.main = grow(trunk, "main", goodBlock, 30+rng.IntN(100))
	fork := grow(trunk, "fork", goodBlock, 1+rng.IntN(29))
	fake := grow(w.below(n.main, types.BlockNumber(rng.IntN(int(w.number(n.main))))), "fake", badBlock, 1+rng.IntN(300))
	cfg := Config{Limits: Limits{Peers: 20, PerPeer: 2 + rng.IntN(3), Headers: 300 + rng.IntN(1000), Bytes: 20_000 + rng.IntN(1<<20), Importing: 1 + rng.IntN(300)}}
	if rng.IntN(2) == 0 {
		cfg.Check = inspect
	}
	// The node has a part of one of the chains already.
	start := fork
	if rng.IntN(2) == 0 {
		start = w.below(n.main, types.BlockNumber(rng.IntN(int(w.number(n.main)))))
	}
	if rng.IntN(3) > 0 {
		for i := types.BlockNumber(1); i <= w.number(start); i++ {
			b := w.blocks[w.below(start, i)]
			n.chain.place(n.now, Block{Hash: b.Hash, Block: types.Block{Header: *b.Header, Body: b.Body}})
		}
		n.chain.finalise(w.below(start, min(w.number(trunk), w.number(start))/2))
	}
	n.m = New(n.chain, cfg)
	for i := range 2 + rng.IntN(8) {
		p := &netPeer{id: types.PeerID(fmt.Sprint("p", i)), does: behaviour(rng.IntN(int(behaviours))), best: n.main}
		if i < 2 {
			p.does = honest
		}
		switch p.does {
		case onFork:
			p.best = fork
		case fakes:
			p.best = fake
		default:
		}
		n.peers = append(n.peers, p)
		n.after(rng.IntN(3000), func() { n.connect(p) })
	}
	n.live(fork)
	return n
}

// live lets things happen while the node syncs: blocks, own blocks, finality, peers
// that leave, a halt of import.
func (n *network) live(fork types.Hash) {
	end := 20_000
	for t := 500; t < end; t += 300 + n.rng.IntN(3000) {
		n.after(t, func() {
			begin := n.now
			if n.rng.IntN(5) == 0 {
				begin += types.Moment(n.rng.IntN(3000))
			}
			n.main = n.grow(n.main, "new", goodBlock, begin, n.rng.IntN(400))
			n.announce(n.main, honest, flaky, wrongHash, fakeBodies, tooMuch, boasts, stalls, empties, unlinked)
			if n.rng.IntN(4) == 0 {
				fork = n.grow(fork, "new", goodBlock, 0, 1)
				if n.number(fork) < n.number(n.main) {
					n.announce(fork, onFork)
				}
			}
			if n.rng.IntN(6) == 0 {
				n.announce(n.grow(n.main, "fake", badBlock, 0, 1), fakes)
			}
		})
	}
	for t := 500; t < end; t += 1000 + n.rng.IntN(4000) {
		n.after(t, func() {
			switch n.rng.IntN(4) {
			case 0:
				p := n.peers[n.rng.IntN(len(n.peers))]
				n.disconnect(p)
				n.after(n.rng.IntN(2000), func() {
					if p.out {
						n.connect(p)
					}
				})
			case 1:
				n.halted = n.now + 3000
			case 2: // an own block, or one by another way
				h := n.grow(n.chain.best.Hash, "own", goodBlock, n.now, 5)
				if n.number(h) < n.number(n.main)-10 {
					n.chain.place(n.now, Block{Hash: h, Block: types.Block{Header: *n.blocks[h].Header, Body: n.blocks[h].Body}})
					n.m.ChainMoved(n.now)
				}
			default:
				f := n.below(n.main, n.chain.finalised.Number+types.BlockNumber(n.rng.IntN(200)))
				if n.chain.blocks[f] && n.below(f, n.chain.finalised.Number) == n.chain.finalised.Hash {
					n.chain.finalise(f)
					n.m.ChainMoved(n.now)
				}
			}
		})
	}
	// At last the honest peers are all there.
	n.after(end+3000, func() {
		for _, p := range n.peers {
			if p.out && p.does.fair() {
				n.connect(p)
			}
		}
		n.loss = 0
	})
}

// TestNetwork: whatever peers do, the node ends at the best honest chain, within
// its limits, and blames nobody honest.
func TestNetwork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		n := newNetwork(seed)
		if err := n.run(400_000); err != nil {
			t.Fatal(err)
		}
		if n.chain.best.Number < n.number(n.main) || !n.chain.blocks[n.main] {
			t.Fatalf("ends at %d, not at %d; finalised %d; %+v", n.chain.best.Number, n.number(n.main), n.chain.finalised.Number, n.m.Status())
		}
	})
}

// TestDeterminism: the same events make the same requests.
func TestDeterminism(t *testing.T) {
	trace := func() string {
		n := newNetwork(7)
		out := ""
		for len(n.events) > 0 && n.events[0].at < 60_000 {
			e := heap.Pop(&n.events).(event)
			n.now = e.at
			e.do()
			r := n.m.Ready()
			out += fmt.Sprintln(n.now, r.Requests, r.Cancel, r.Reports, len(r.Import), r.Wake)
			n.act(r)
		}
		return out
	}
	if a, b := trace(), trace(); a != b || len(a) < 1000 {
		t.Error("two runs of the same events differ")
	}
}
