package sim

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/crustgo/crust/substrate/blocktree"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/types"
)

// VotersOptions say how many voters make how many blocks final.
type VotersOptions struct {
	Seed       uint64
	Validators int
	Offline    int // of them
	Blocks     int // one a second
	Peers      int // that a voter has, about; 0 stands for 25
}

// VotersResult is how long finality took, by the simulated clock, and what it cost.
type VotersResult struct {
	Validators int           `json:"validators"`
	Offline    int           `json:"offline"`
	Blocks     int           `json:"blocks"`
	P50        time.Duration `json:"p50"` // from the author's clock to finality, over all voters and blocks
	P99        time.Duration `json:"p99"`
	SlowestP50 time.Duration `json:"slowestP50"` // to finality at the slowest voter, over all blocks
	Messages   int           `json:"messages"`   // that a voter gets for a block
	CPU        time.Duration `json:"cpu"`        // of one voter for a block after the first, alone in a process, its signatures verified for itself
	Batch      time.Duration `json:"batch"`      // of bare batch verification of a round's votes
	Wall       time.Duration `json:"wall"`       // of the whole run
	Blamed     int           `json:"blamed"`
}

// String is the result in a line.
func (r VotersResult) String() string {
	return fmt.Sprintf("%d validators, %d offline, %d blocks: final after %v (p50), %v (p99), %v at the slowest (p50); %d messages a voter and block; CPU a voter and block %v, %.2f of batch verification (%v); %v in all",
		r.Validators, r.Offline, r.Blocks, r.P50, r.P99, r.SlowestP50, r.Messages, r.CPU.Round(time.Microsecond), r.Ratio(), r.Batch.Round(time.Microsecond), r.Wall.Round(time.Millisecond))
}

// Ratio is CPU to that of bare batch verification.
func (r *VotersResult) Ratio() float64 { return float64(r.CPU) / float64(max(r.Batch, 1)) }

// crowd is many voters and the blocks that they vote for. There is one chain, and
// nobody executes it.
type crowd struct {
	opt     VotersOptions
	rng     *rand.Rand
	now     types.Moment
	todo    queue
	set     *grandpa.VoterSet
	keys    []*ed25519.KeyPair
	sigs    *signatures
	voters  []*single
	hashes  []types.Hash // of all blocks, by number
	headers map[types.Hash]*types.Header
	born    []types.Moment // by number
	waits   []types.Moment
	slowest []types.Moment // by number
	sent    int
	blamed  int
	tape    []news // all that the first voter heard
}

// single is one of them.
type single struct {
	c     *crowd
	index int
	id    types.PeerID
	peers []wire
	links map[types.PeerID]int // places in peers
	tree  *blocktree.Tree
	voter *grandpa.Voter
	inbox []grandpa.Inbound
	wake  types.Moment
	alone bool // nobody hears it

	announced types.BlockNumber // of the highest block that peers were told of
	asked     []func()          // by peers, for a block that was not here
}

// news is what a voter hears: messages, a block, or that it is time.
type news struct {
	at    types.Moment
	batch []grandpa.Inbound
	block types.BlockNumber
}

// wire leads to a peer.
type wire struct {
	to      *single
	latency types.Moment
}

// Voters measures how long finality takes with many voters.
func Voters(opt VotersOptions) (VotersResult, error) {
	if opt.Peers == 0 {
		opt.Peers = 25
	}
	if opt.Validators < 1 || opt.Blocks < 1 || opt.Offline > (opt.Validators-1)/3 {
		return VotersResult{}, fmt.Errorf("%d of %d voters are offline for %d blocks: that cannot be", opt.Offline, opt.Validators, opt.Blocks)
	}
	began := time.Now()
	c, err := newCrowd(opt)
	if err != nil {
		return VotersResult{}, err
	}
	if err := c.run(); err != nil {
		return VotersResult{}, err
	}
	online := len(c.voters)
	r := VotersResult{
		Validators: opt.Validators, Offline: opt.Offline, Blocks: opt.Blocks, P50: percentile(c.waits, 50), P99: percentile(c.waits, 99),
		SlowestP50: percentile(c.slowest[1:], 50), Messages: c.sent / online / opt.Blocks, Blamed: c.blamed,
	}
	r.Wall = time.Since(began)
	r.CPU, r.Batch, err = c.costs()
	return r, err
}

func newCrowd(opt VotersOptions) (*crowd, error) {
	genesis := &types.Header{}
	c := &crowd{
		opt: opt, rng: rand.New(rand.NewPCG(opt.Seed, uint64(opt.Validators))), now: start, sigs: newSignatures(),
		hashes: []types.Hash{genesis.Hash()}, headers: map[types.Hash]*types.Header{genesis.Hash(): genesis}, born: []types.Moment{0}, slowest: []types.Moment{0},
	}
	var authorities []grandpa.Authority
	for i := range opt.Validators {
		var seed [32]byte
		binary.LittleEndian.PutUint64(seed[:], uint64(i)+1)
		c.keys = append(c.keys, ed25519.FromSeed(seed))
		authorities = append(authorities, grandpa.Authority{Key: c.keys[i].Public(), Weight: 1})
	}
	var err error
	if c.set, err = grandpa.NewVoterSet(0, authorities); err != nil {
		return nil, err
	}
	for i := range opt.Validators - opt.Offline {
		c.voters = append(c.voters, c.single(i))
	}
	c.connect()
	for _, s := range c.voters {
		if err := s.begin(c.sigs.verify); err != nil {
			return nil, err
		}
	}
	for _, s := range c.voters {
		s.meet()
	}
	return c, nil
}

func (c *crowd) single(index int) *single {
	return &single{c: c, index: index, id: types.PeerID(fmt.Sprintf("voter-%04d", index)), links: map[types.PeerID]int{}, tree: blocktree.New(c.hashes[0], 0, 1<<10)}
}

// begin makes the voter; verify may be nil.
func (s *single) begin(verify func([]ed25519.Item) []bool) (err error) {
	cfg := grandpa.VoterConfig{Seed: s.c.opt.Seed<<16 | uint64(s.index), Verify: verify}
	s.voter, err = grandpa.NewVoter(s.c.set, []grandpa.Key{s.c.keys[s.index]}, grandpa.State{}, s, start, cfg)
	return err
}

// meet connects the voter to its peers.
func (s *single) meet() {
	for _, p := range s.peers {
		s.voter.Connected(start, p.to.id, types.RoleAuthority)
	}
	s.act()
}

// connect gives everybody peers: a ring, and others at random.
func (c *crowd) connect() {
	n := len(c.voters)
	linked := map[[2]int]bool{}
	join := func(a, b int) {
		if a == b || linked[[2]int{a, b}] {
			return
		}
		linked[[2]int{a, b}], linked[[2]int{b, a}] = true, true
		latency := types.Moment(minLatency + c.rng.Uint64N(maxLatency-maxJitter-minLatency+1))
		c.voters[a].link(c.voters[b], latency)
		c.voters[b].link(c.voters[a], latency)
	}
	for a := range n {
		join(a, (a+1)%n)
		for range (c.opt.Peers - 1) / 2 {
			join(a, c.rng.IntN(n))
		}
	}
}

// link gives the voter a peer.
func (s *single) link(to *single, latency types.Moment) {
	s.links[to.id] = len(s.peers)
	s.peers = append(s.peers, wire{to, latency})
}

// run makes blocks until all are final everywhere.
func (c *crowd) run() error {
	for i := range c.opt.Blocks {
		c.todo.push(start+types.Moment(2+i)*1000, c.author)
	}
	end := start + types.Moment(2+c.opt.Blocks)*1000 // by then the last block is as old as the others were
	limit := end + 30_000
	for want := c.opt.Blocks * len(c.voters); len(c.waits) < want || c.now < end; {
		if c.todo.empty() || c.now > limit {
			return fmt.Errorf("blocks became final %d times, not %d, within %v", len(c.waits), want, milliseconds(c.now-start))
		}
		var do func()
		c.now, do = c.todo.pop()
		do()
	}
	return nil
}

// author makes a block somewhere.
func (c *crowd) author() {
	number := types.BlockNumber(len(c.hashes))
	header := &types.Header{ParentHash: c.hashes[number-1], Number: number, StateRoot: types.Hash{1}}
	hash := header.Hash()
	c.hashes, c.headers[hash] = append(c.hashes, hash), header
	c.born, c.slowest = append(c.born, c.now), append(c.slowest, 0)
	c.voters[c.rng.IntN(len(c.voters))].take(number)
}

// take imports a block, and sends it to who has asked for it.
func (s *single) take(number types.BlockNumber) {
	if s.has(number) {
		return
	}
	if err := s.insert(number); err != nil {
		s.c.todo.push(s.c.now+50, func() { s.take(number) }) // the parent is not here yet
		return
	}
	s.announce(number)
	asked := s.asked
	s.asked = nil
	for _, ask := range asked {
		ask()
	}
	s.hear(news{at: s.c.now, block: number})
}

func (s *single) has(number types.BlockNumber) bool {
	return s.tree.Contains(s.c.hashes[number]) || s.tree.Root().Number >= number
}

// announce tells peers of a block whose header is here, as soon as it is.
func (s *single) announce(number types.BlockNumber) {
	if s.announced >= number {
		return
	}
	s.announced = number
	for _, p := range s.peers {
		s.c.todo.push(s.c.now+p.latency+s.c.jitter(), func() { p.to.fetch(number, s, p.latency) })
	}
}

// fetch passes a header on that a peer has announced first, and asks the peer for the block. The peer sends
// it when it is there.
func (s *single) fetch(number types.BlockNumber, from *single, latency types.Moment) {
	if s.announced >= number {
		return
	}
	s.announce(number)
	later := func(do func()) { s.c.todo.push(s.c.now+latency+s.c.jitter(), do) }
	var ask func()
	ask = func() {
		if from.has(number) {
			later(func() { s.take(number) })
		} else {
			from.asked = append(from.asked, ask)
		}
	}
	later(ask)
}

// insert puts a block into the voter's tree.
func (s *single) insert(number types.BlockNumber) error {
	return s.tree.Insert(blocktree.Block{Hash: s.c.hashes[number], Parent: s.c.hashes[number-1], Number: number, Weight: 1})
}

func (c *crowd) jitter() types.Moment { return types.Moment(c.rng.Uint64N(maxJitter + 1)) }

// hear tells the voter.
func (s *single) hear(n news) {
	if s.index == 0 && !s.alone {
		s.c.tape = append(s.c.tape, n)
	}
	switch {
	case n.block != 0:
		s.voter.Imported(n.at)
	case n.batch != nil:
		s.voter.Receive(n.at, n.batch)
	default:
		s.voter.Tick(n.at)
	}
	s.act()
}

// act does what the voter wants.
func (s *single) act() {
	for {
		r := s.voter.Ready()
		for i := range r.Finalise {
			s.finalise(&r.Finalise[i])
		}
		if !s.alone {
			s.pass(&r)
		}
		if len(r.Finalise) == 0 {
			return
		}
	}
}

// pass sends what the voter says, and wakes it.
func (s *single) pass(r *grandpa.Ready) {
	c := s.c
	for i := range r.Send {
		s.send(&r.Send[i])
	}
	c.blamed += len(r.Reports)
	if at := max(r.Wake, c.now+1); len(r.Finalise) == 0 && r.Wake != 0 && (s.wake == 0 || at < s.wake) {
		s.wake = at
		c.todo.push(at, func() {
			if s.wake == at {
				s.wake = 0
				s.hear(news{at: c.now})
			}
		})
	}
}

// finalise moves the root, and notes how long it took.
func (s *single) finalise(j *grandpa.Justification) {
	c := s.c
	for n := s.tree.Root().Number + 1; n <= j.Target.Number; n++ {
		wait := c.now - c.born[n]
		c.waits = append(c.waits, wait)
		c.slowest[n] = max(c.slowest[n], wait)
	}
	if _, err := s.tree.Finalise(j.Target.Hash); err != nil {
		panic(err) // the voter finalises what is above the root
	}
	s.voter.Finalised(c.now, c.set)
}

// send has a message arrive at peers; what arrives at one moment is taken together.
func (s *single) send(o *grandpa.Outbound) {
	c := s.c
	for _, id := range o.To {
		p := &s.peers[s.links[id]]
		c.sent++
		to, in := p.to, grandpa.Inbound{Peer: s.id, Message: o.Message}
		c.todo.push(c.now+p.latency+c.jitter(), func() {
			if to.inbox = append(to.inbox, in); len(to.inbox) == 1 {
				c.todo.push(c.now, to.receive)
			}
		})
	}
}

func (s *single) receive() {
	batch := s.inbox
	s.inbox = nil
	s.hear(news{at: s.c.now, batch: batch})
}

// costs is what a voter takes for a block, and what bare batch verification of a round's votes takes:
// the least of some turns. The first voter hears everything again, alone: it does not share the
// processor's caches with all others, and the collector with no more than a node has. If there are more, its first block is not
// counted, because it prepares the keys of the set then; bare verification prepares none.
func (c *crowd) costs() (cpu, batch time.Duration, err error) {
	online := len(c.voters)
	var peers []wire
	for _, p := range c.voters[0].peers {
		peers = append(peers, wire{to: &single{id: p.to.id}})
	}
	others := c.disband()
	defer runtime.KeepAlive(others)
	from, blocks := c.born[min(2, c.opt.Blocks)], max(1, c.opt.Blocks-1)
	const turns = 10
	for turn := range turns {
		s := c.single(0)
		s.peers, s.alone = peers, true
		if err := s.begin(nil); err != nil {
			return 0, 0, err
		}
		runtime.GC()
		s.meet()
		began := time.Now()
		for _, n := range c.tape {
			if n.at < from {
				began = time.Now()
			}
			c.now = n.at
			if n.block != 0 {
				if err := s.insert(n.block); err != nil {
					return 0, 0, err
				}
			}
			s.hear(n)
		}
		if n := s.tree.Root().Number; int(n) != c.opt.Blocks {
			return 0, 0, fmt.Errorf("alone the first voter makes block %d final, not %d", n, c.opt.Blocks)
		}
		took, bare := time.Since(began)/time.Duration(blocks), c.batch(online)
		if turn == 0 || took < cpu {
			cpu = took
		}
		if turn == 0 || bare < batch {
			batch = bare
		}
	}
	return cpu, batch, nil
}

// nodeBytes is about what a node has in use.
const nodeBytes = 60 << 20

// disband makes the crowd garbage but for the tape and for as many voters as have as much in use as
// a node: how often the collector runs, and what it then looks at, depends on that.
func (c *crowd) disband() (kept []*single) {
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for _, s := range c.voters {
		s.peers, s.links = nil, nil // they lead to all others
	}
	c.sigs, c.todo = nil, queue{}
	kept, c.voters = slices.Clone(c.voters[1:]), nil
	half := len(kept) / 2
	all := inUse()
	clear(kept[half:])
	less := inUse()
	each := max(1, (all-min(less, all))/uint64(max(1, len(kept)-half)))
	rest := less - min(less, each*uint64(half)) // what is not voters
	clear(kept[min(half, int((nodeBytes-min(nodeBytes, rest))/each)):])
	return kept
}

// batch is what it takes to verify the votes of a round, those of each stage together.
func (c *crowd) batch(voters int) time.Duration {
	round := grandpa.Round{Set: 0, Number: 1}
	target := grandpa.Target{Hash: c.hashes[1], Number: 1}
	var items [2][]ed25519.Item
	for s := range items {
		for i := range voters {
			stage := grandpa.Stage(s)
			payload := grandpa.SignedPayload(stage, target, round)
			vote := grandpa.Sign(c.keys[i], stage, target, round)
			items[s] = append(items[s], ed25519.Item{Public: vote.ID, Message: payload[:], Signature: vote.Signature})
		}
	}
	began := time.Now()
	for _, votes := range items {
		if ed25519.VerifyAll(votes, nil) >= 0 {
			panic("the votes are not right")
		}
	}
	return time.Since(began)
}

// Finalised and what follows is the chain as the voter asks for it.
func (s *single) Finalised() grandpa.Target { return targetOf(s.tree.Root()) }

func targetOf(b blocktree.Block) grandpa.Target {
	return grandpa.Target{Hash: b.Hash, Number: b.Number}
}

// BestContaining is the best block.
func (s *single) BestContaining(h types.Hash) (grandpa.Target, bool) {
	b, err := s.tree.Agreeable(h)
	return targetOf(b), err == nil
}

// Number is a block's number, if the voter has it.
func (s *single) Number(h types.Hash) (types.BlockNumber, bool) {
	if b, ok := s.tree.Get(h); ok {
		return b.Number, true
	}
	header, ok := s.c.headers[h]
	if !ok || header.Number >= s.tree.Root().Number {
		return 0, false
	}
	return header.Number, true
}

// AncestorAt is the block with a number: there is one chain.
func (s *single) AncestorAt(h types.Hash, n types.BlockNumber) (types.Hash, bool) {
	number, ok := s.Number(h)
	if !ok || n > number {
		return types.Hash{}, false
	}
	return s.c.hashes[n], true
}

// Header is a block's header.
func (s *single) Header(h types.Hash) (*types.Header, bool) {
	header, ok := s.c.headers[h]
	return header, ok
}

// Change finds none.
func (s *single) Change(types.Hash) (grandpa.Target, bool) { return grandpa.Target{}, false }

// Contested reports that there are no forks.
func (s *single) Contested(types.Hash) bool { return false }
