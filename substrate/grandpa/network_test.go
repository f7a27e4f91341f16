package grandpa

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/types"
)

// network is many voters in one thread: an event heap, links that delay, lose
// and reorder, nodes that crash, and faulty voters who sign everything.
type network struct {
	t      testing.TB
	rnd    *rand.Rand
	now    types.Moment
	events eventHeap
	seq    int
	nodes  []*node
	keys   []Key
	sets   []*VoterSet
	byID   map[types.PeerID]int
	byHash map[types.Hash]*types.Header
	finals map[types.BlockNumber]types.Hash // what anybody holds final
	proofs map[types.BlockNumber]*Justification
	cfg    netConfig
	cut    bool // the network is ill
	signed map[signedOnce]Target
	faulty map[int]bool
	first  map[types.BlockNumber]types.Moment // when a block was authored
	delays []types.Moment                     // from authoring to finality, of all nodes and blocks
	sends  int
	blame  map[[2]types.PeerID]int32 // what honest nodes cost each other: who reports, and whom
}

type signedOnce struct {
	voter [32]byte
	stage Stage
	round Round
}

type netConfig struct {
	voters, extra   int // extra nodes have no key
	degree          int // peers of each node; 0: everybody
	minDelay, delay types.Moment
	lossPercent     int
	forks           bool
	ties            bool // two nodes make a block in each slot
	changeEvery     types.BlockNumber
	faulty          int
	crashes         bool
	offline         int
}

type node struct {
	net     *network
	i       int
	keys    []Key
	chain   *treeChain
	voter   *Voter
	state   State
	set     int
	peers   []int
	inbox   []Inbound
	wake    types.Moment
	down    bool
	orphans map[types.Hash][]*types.Header
	life    int
	// crashing, if it is set, says whether the node stops here.
	crashing func(stage string) bool
}

type event struct {
	at  types.Moment
	seq int
	do  func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].seq < h[j].seq
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}

func (n *network) after(d types.Moment, do func()) {
	n.seq++
	heap.Push(&n.events, event{n.now + d, n.seq, do})
}

func (n *network) run(until types.Moment) {
	for len(n.events) > 0 && n.events[0].at <= until {
		e := heap.Pop(&n.events).(event)
		n.now = e.at
		e.do()
	}
	n.now = until
}

func newNetwork(t testing.TB, seed uint64, cfg netConfig) *network {
	n := &network{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: 1_000_000, cfg: cfg, byID: map[types.PeerID]int{}, byHash: map[types.Hash]*types.Header{},
		finals: map[types.BlockNumber]types.Hash{}, proofs: map[types.BlockNumber]*Justification{},
		signed: map[signedOnce]Target{}, faulty: map[int]bool{}, first: map[types.BlockNumber]types.Moment{},
		blame: map[[2]types.PeerID]int32{}}
	var as []Authority
	for i := range cfg.voters {
		k := stamp{byte(i), byte(i >> 8)}
		n.keys = append(n.keys, k)
		as = append(as, Authority{k, 1})
	}
	for s := range 64 {
		set, err := NewVoterSet(types.SetID(s), as)
		if err != nil {
			t.Fatal(err)
		}
		n.sets = append(n.sets, set)
	}
	total := cfg.voters + cfg.extra
	for i := range total {
		nd := &node{net: n, i: i, down: true, chain: newTreeChain(types.Header{}), orphans: map[types.Hash][]*types.Header{}}
		if i < cfg.voters {
			nd.keys = []Key{n.keys[i]}
		}
		n.nodes = append(n.nodes, nd)
		n.byID[id(i)] = i
	}
	n.byHash[n.nodes[0].chain.tree.Root().Hash] = &types.Header{}
	n.link(total)
	for i := range cfg.faulty {
		n.faulty[i] = true
	}
	for i, nd := range n.nodes {
		if i < cfg.voters-cfg.offline || i >= cfg.voters {
			nd.start()
		}
	}
	return n
}

func (n *network) link(total int) {
	linked := map[[2]int]bool{}
	join := func(a, b int) {
		if a != b && !linked[[2]int{a, b}] {
			linked[[2]int{a, b}], linked[[2]int{b, a}] = true, true
			n.nodes[a].peers = append(n.nodes[a].peers, b)
			n.nodes[b].peers = append(n.nodes[b].peers, a)
		}
	}
	for a := range total {
		join(a, (a+1)%total)
		if n.cfg.degree == 0 {
			for b := range a {
				join(a, b)
			}
			continue
		}
		for range n.cfg.degree / 2 {
			join(a, n.rnd.IntN(total))
		}
	}
}

func id(i int) types.PeerID { return types.PeerID(fmt.Sprintf("peer %04d", i)) }

func verifyStamps(items []ed25519.Item) []bool {
	out := make([]bool, len(items))
	for i, it := range items {
		out[i] = stamp(it.Public).Sign(it.Message) == it.Signature
	}
	return out
}

// verifyStamped is VoterSet.Verify for stamps.
func verifyStamped(v *VoterSet, j *Justification) error {
	for i := range j.Precommits {
		p := &j.Precommits[i]
		payload := SignedPayload(Precommit, p.Target, Round{v.id, j.Round})
		if stamp(p.ID).Sign(payload[:]) != p.Signature {
			return errors.New("wrong stamp")
		}
	}
	return errorsOf(v, j)
}

func (nd *node) start() {
	n := nd.net
	v, err := NewVoter(n.sets[nd.set], nd.keys, nd.state, nd.chain, n.now, VoterConfig{Seed: uint64(nd.i), Verify: verifyStamps, smallSet: 1 + nd.i%2*smallSet}) // every other one gathers messages
	if err != nil {
		n.t.Fatal(err)
	}
	nd.voter, nd.down, nd.inbox, nd.wake = v, false, nil, 0
	nd.life++
	for _, p := range nd.peers {
		if other := n.nodes[p]; !other.down {
			v.Connected(n.now, id(p), types.RoleAuthority)
			other.voter.Disconnected(id(nd.i))
			other.voter.Connected(n.now, id(nd.i), types.RoleAuthority)
			other.act()
		}
	}
	nd.act()
}

func (nd *node) crash() {
	nd.down = true
	for _, p := range nd.peers {
		if other := nd.net.nodes[p]; !other.down {
			other.voter.Disconnected(id(nd.i))
		}
	}
}

// act does what the voter wants done.
func (nd *node) act() {
	n := nd.net
	for {
		r := nd.voter.Ready()
		if nd.stops("before persisting") {
			return
		}
		nd.state = mergeState(nd.state, r.Persist)
		if nd.stops("before sending") {
			return
		}
		for i := range r.Finalise {
			nd.finalise(&r.Finalise[i])
		}
		for _, o := range r.Send {
			n.deliver(nd, o)
		}
		for _, e := range r.Equivocations {
			if i, _ := n.sets[0].Index(e.First.ID); !n.faulty[i] {
				n.t.Fatalf("honest voter %d equivocates in %v", i, e.Round)
			}
		}
		for _, p := range r.Reports {
			n.blame[[2]types.PeerID{id(nd.i), p.Peer}] += p.Cost
			if p.Cost <= costBadSignature && len(n.faulty) == 0 {
				n.t.Fatalf("%s is reported for %s", p.Peer, p.Reason)
			}
		}
		if nd.stops("after sending") {
			return
		}
		if len(r.Finalise) == 0 {
			nd.sleep(r.Wake)
			return
		}
	}
}

// stops crashes the node if its time has come; it is back soon.
func (nd *node) stops(stage string) bool {
	if nd.crashing == nil || !nd.crashing(stage) {
		return false
	}
	nd.crash()
	nd.net.after(400, nd.start)
	return true
}

func mergeState(old, s State) State {
	if s.Votes != nil {
		old.Votes = s.Votes
	}
	if s.Round != nil {
		old.Round = s.Round
	}
	return old
}

func (nd *node) sleep(wake types.Moment) {
	n, life := nd.net, nd.life
	if wake == 0 || nd.wake > n.now && nd.wake <= wake {
		return
	}
	nd.wake = wake
	n.after(max(wake, n.now)-n.now, func() {
		if nd.life == life && !nd.down {
			nd.voter.Tick(n.now)
			nd.act()
		}
	})
}

func (nd *node) finalise(j *Justification) {
	n := nd.net
	if err := verifyStamped(n.sets[nd.set], j); err != nil {
		n.t.Fatalf("node %d: %v", nd.i, err)
	}
	if h, ok := n.finals[j.Target.Number]; ok && h != j.Target.Hash {
		n.t.Fatalf("node %d finalises another block %d", nd.i, j.Target.Number)
	}
	if c, ok := nd.chain.Change(j.Target.Hash); ok && c != j.Target {
		n.t.Fatalf("node %d finalises block %d beyond the change in %d", nd.i, j.Target.Number, c.Number)
	}
	was := nd.chain.Finalised().Number
	if err := nd.chain.finalise(j.Target.Hash); err != nil {
		n.t.Fatalf("node %d: %v", nd.i, err)
	}
	for h := was + 1; h <= j.Target.Number; h++ {
		if at, ok := n.finals[h]; ok && at != nd.chain.final[h] {
			n.t.Fatalf("node %d finalises another block %d", nd.i, h)
		}
		n.finals[h] = nd.chain.final[h]
		n.delays = append(n.delays, n.now-n.first[h])
	}
	if n.proofs[j.Target.Number] == nil {
		n.proofs[j.Target.Number] = j
	}
	if change, _ := ReadLogs(nd.chain.headers[j.Target.Hash].Digest); change != nil {
		nd.set++
	}
	nd.voter.Finalised(n.now, n.sets[nd.set])
}

// deliver sends a message over lossy links.
func (n *network) deliver(from *node, o Outbound) {
	if m, ok := o.Message.(*VoteMessage); ok && from.i < n.cfg.voters && m.Vote.ID == n.keys[from.i].Public() && !n.faulty[from.i] {
		k := signedOnce{m.Vote.ID, m.Stage, m.Round}
		if t, ok := n.signed[k]; ok && t != m.Vote.Target {
			n.t.Fatalf("node %d signs two votes in stage %d of %v: blocks %d and %d", from.i, m.Stage, m.Round, t.Number, m.Vote.Target.Number)
		}
		n.signed[k] = m.Vote.Target
	}
	for _, to := range o.To {
		nd := n.nodes[n.byID[to]]
		n.sends++
		if n.cut && n.rnd.IntN(100) < n.cfg.lossPercent {
			continue
		}
		m := o.Message
		if vm, ok := m.(*VoteMessage); ok && n.faulty[from.i] && vm.Vote.ID == n.keys[from.i].Public() && vm.Stage != PrimaryPropose && n.rnd.IntN(2) == 0 {
			m = n.twist(from.i, vm)
		}
		life := nd.life
		n.after(n.cfg.minDelay+types.Moment(n.rnd.Uint64N(uint64(n.cfg.delay-n.cfg.minDelay)+1)), func() {
			if !nd.down && nd.life == life {
				if nd.inbox = append(nd.inbox, Inbound{id(from.i), m}); len(nd.inbox) == 1 {
					n.after(0, nd.drain)
				}
			}
		})
	}
}

func (nd *node) drain() {
	if nd.down || len(nd.inbox) == 0 {
		return
	}
	batch := nd.inbox
	nd.inbox = nil
	nd.voter.Receive(nd.net.now, batch)
	nd.act()
}

// twist is another vote of a faulty voter: for the block's parent or any block.
func (n *network) twist(i int, m *VoteMessage) *VoteMessage {
	t := m.Vote.Target
	if h := n.byHash[t.Hash]; h != nil && t.Number > 1 && n.rnd.IntN(2) == 0 {
		t = Target{h.ParentHash, t.Number - 1}
	} else {
		best := n.nodes[n.rnd.IntN(len(n.nodes))].chain.tree.Best()
		t = Target{best.Hash, best.Number}
	}
	return &VoteMessage{m.Round, m.Stage, Sign(n.keys[i], m.Stage, t, m.Round)}
}

// author makes a block on a node's best chain every second; with forks,
// sometimes two nodes do.
func (n *network) author(at types.Moment, until types.Moment) {
	n.after(at-n.now, func() {
		if n.now >= until {
			return
		}
		n.author(n.now+1000, until)
		count := 1
		if n.cfg.ties || n.cfg.forks && n.rnd.IntN(4) == 0 {
			count = 2
		}
		first := n.rnd.IntN(len(n.nodes))
		for i := range count {
			nd := n.nodes[n.rnd.IntN(len(n.nodes))]
			if n.cfg.ties {
				nd = n.nodes[(first+i)%len(n.nodes)]
			}
			if nd.down {
				continue
			}
			best := nd.chain.tree.Best()
			h := &types.Header{ParentHash: best.Hash, Number: best.Number + 1, StateRoot: types.Hash{byte(n.rnd.Uint32()), byte(n.rnd.Uint32())}}
			if e := n.cfg.changeEvery; e != 0 && h.Number%e == 0 {
				h.Digest = types.Digest{ScheduledChange(n.sets[0].Authorities(), 0).Item()}
			}
			n.byHash[h.Hash()] = h
			if _, ok := n.first[h.Number]; !ok {
				n.first[h.Number] = n.now
			}
			for _, other := range n.nodes {
				d := types.Moment(0)
				if other != nd {
					d = n.cfg.minDelay + types.Moment(n.rnd.Uint64N(uint64(n.cfg.delay-n.cfg.minDelay)+1))
				}
				n.after(d, func() { other.receiveBlock(h) })
			}
		}
	})
}

func (nd *node) receiveBlock(h *types.Header) {
	if nd.chain.tree.Contains(h.Hash()) {
		return
	}
	if !nd.chain.insert(h) {
		if h.Number > nd.chain.Finalised().Number {
			nd.orphans[h.ParentHash] = append(nd.orphans[h.ParentHash], h)
		}
		return
	}
	later := nd.orphans[h.Hash()]
	delete(nd.orphans, h.Hash())
	for _, o := range later {
		nd.receiveBlock(o)
	}
	if !nd.down {
		nd.voter.Imported(nd.net.now)
		nd.act()
	}
}

// sync gives nodes that are a set or more behind the proofs that block
// announcements would make them ask for.
func (n *network) sync(until types.Moment) {
	n.after(3000, func() {
		for _, nd := range n.nodes {
			top := nd.chain.Finalised().Number
			if e := n.cfg.changeEvery; e != 0 && !nd.down {
				next := (top/e + 1) * e
				if j := n.proofs[next]; j != nil && n.now > n.first[next]+5000 && nd.chain.tree.Contains(j.Target.Hash) {
					nd.finalise(j)
					nd.act()
				}
			}
		}
		if n.now < until {
			n.sync(until)
		}
	})
}

func (n *network) crashes(until types.Moment) {
	n.after(types.Moment(500+n.rnd.IntN(3000)), func() {
		if n.now >= until {
			return
		}
		nd := n.nodes[n.rnd.IntN(len(n.nodes))]
		if !nd.down {
			nd.crash()
			n.after(types.Moment(n.rnd.IntN(4000)), nd.start)
		}
		n.crashes(until)
	})
}

// settle plays a network that is ill for a while, and checks that it recovers.
func (n *network) settle(ill, well types.Moment) {
	start := n.now
	n.cut = n.cfg.lossPercent > 0
	n.author(n.now+1000, start+ill+well)
	n.sync(start + ill + well)
	if n.cfg.crashes {
		n.crashes(start + ill)
	}
	n.run(start + ill)
	n.cut = false
	n.run(start + ill + 4000) // all are up again
	n.run(start + ill + well)
	for _, nd := range n.nodes {
		best, f := nd.chain.tree.Best(), nd.chain.Finalised()
		if !nd.down && best.Number > f.Number+3 {
			n.t.Fatalf("node %d: block %d is best and %d final; round %v, completable %v; last %d",
				nd.i, best.Number, f.Number, nd.voter.cur.id(), nd.voter.cur.completable, nd.voter.last.number)
		}
	}
}

func TestNetworkIsSafeAndLive(t *testing.T) {
	seeds := 40
	if testing.Short() {
		seeds = 5
	}
	for name, cfg := range map[string]netConfig{
		"honest":      {voters: 4, minDelay: 1, delay: 50},
		"loss":        {voters: 4, extra: 1, minDelay: 1, delay: 300, lossPercent: 30, forks: true},
		"crashes":     {voters: 4, minDelay: 1, delay: 100, lossPercent: 10, crashes: true, changeEvery: 7, forks: true},
		"equivocator": {voters: 4, extra: 1, minDelay: 1, delay: 150, faulty: 1, forks: true, changeEvery: 6},
		"all":         {voters: 7, extra: 2, degree: 6, minDelay: 1, delay: 200, lossPercent: 20, faulty: 2, forks: true, changeEvery: 9, crashes: true},
		"ring":        {voters: 5, degree: 1, minDelay: 1, delay: 100, lossPercent: 40},
		"offline":     {voters: 7, minDelay: 1, delay: 100, lossPercent: 20, offline: 2, forks: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(seeds) {
				t.Run(fmt.Sprint(seed), func(t *testing.T) { newNetwork(t, seed, cfg).settle(15_000, 25_000) })
			}
		})
	}
}

// Too few are left for finality, for half an hour: all repeat what they have said
// in case it got lost, and nobody is to blame for that.
func TestStandstillBlamesNobody(t *testing.T) {
	for _, voters := range []int{4, 25} {
		t.Run(fmt.Sprint(voters), func(t *testing.T) {
			n := newNetwork(t, 1, netConfig{voters: voters, minDelay: 1, delay: 100, offline: (voters + 2) / 3})
			n.author(n.now+1000, n.now+20_000)
			n.run(n.now + 30*60_000)
			if len(n.finals) > 0 {
				t.Fatal("there is finality")
			}
			for pair, cost := range n.blame {
				if cost < -100 {
					t.Errorf("%s blames %s by %d", pair[0], pair[1], cost)
				}
			}
		})
	}
}

// TestFinalityIsFast measures in simulated time: from the clock of a block's
// author to finality, at every node.
func TestFinalityIsFast(t *testing.T) {
	for _, tc := range []struct {
		name   string
		cfg    netConfig
		blocks types.Moment
		want   types.Moment
	}{
		{"4 near", netConfig{voters: 4, minDelay: 1, delay: 5}, 20, 20},
		{"4 near with two blocks a slot", netConfig{voters: 4, minDelay: 1, delay: 5, ties: true}, 20, 270},
		{"100", netConfig{voters: 100, degree: 24, minDelay: 20, delay: 150}, 3, 650},
		{"100 with 10 % offline", netConfig{voters: 100, degree: 24, minDelay: 20, delay: 150, offline: 10}, 3, 1950},
		{"300", netConfig{voters: 300, degree: 16, minDelay: 20, delay: 150}, 1, 950},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if testing.Short() && tc.cfg.voters > 100 {
				t.Skip("long")
			}
			n := newNetwork(t, 1, tc.cfg)
			n.author(n.now+1000, n.now+1000*tc.blocks+999)
			n.run(n.now + 1000*tc.blocks + 3000)
			slices.Sort(n.delays)
			if want := len(n.first) * (tc.cfg.voters - tc.cfg.offline); len(n.delays) != want {
				t.Fatalf("%d times a block became final, want %d", len(n.delays), want)
			}
			p50, p99 := n.delays[len(n.delays)/2], n.delays[len(n.delays)*99/100]
			t.Logf("half after %d ms, 99 %% after %d ms; %d messages for a node and block", p50, p99, n.sends/len(n.nodes)/int(tc.blocks))
			if p50 > tc.want {
				t.Errorf("half of the blocks are final after %d ms, want %d", p50, tc.want)
			}
		})
	}
}
