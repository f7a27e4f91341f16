package grandpa

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/types"
)

// TestCrashAtEveryPoint plays a network and stops one voter after every Ready in
// turn: before it persists, or after that and before anything is sent, or after
// both. The network fails if it ever signs two votes in one stage of a round.
func TestCrashAtEveryPoint(t *testing.T) {
	for _, how := range []string{"before persisting", "before sending", "after sending"} {
		t.Run(how, func(t *testing.T) {
			for at := 1; at < 120; at++ {
				n := newNetwork(t, 3, netConfig{voters: 4, minDelay: 1, delay: 120, forks: true, changeEvery: 3})
				nd, count := n.nodes[2], 0
				nd.crashing = func(stage string) bool {
					if stage == "before persisting" {
						count++
					}
					return count == at && stage == how
				}
				n.author(n.now+1000, n.now+7000)
				n.run(n.now + 9000)
				if count < at {
					break
				}
				nd.crashing = nil
				if f := nd.chain.Finalised().Number; f < 5 {
					t.Fatalf("stopped %s at Ready %d, it got only to block %d", how, at, f)
				}
			}
		})
	}
}

// alone is a chain of blocks and a voter of a set of four, whose messages the test sees.
type alone struct {
	t     *testing.T
	keys  []*ed25519.KeyPair
	sets  []*VoterSet
	chain *treeChain
	state State
	v     *Voter
	now   types.Moment
	head  types.Header
}

func newAlone(t *testing.T) *alone {
	a := &alone{t: t, keys: keys(4), chain: newTreeChain(types.Header{}), now: 1000}
	for i := range 70 {
		a.sets = append(a.sets, voters(t, types.SetID(i), a.keys))
	}
	return a
}

func (a *alone) start(set int) {
	a.t.Helper()
	v, err := NewVoter(a.sets[set], []Key{a.keys[0]}, a.state, a.chain, a.now, VoterConfig{})
	if err != nil {
		a.t.Fatal(err)
	}
	a.v = v
	v.Connected(a.now, "p", types.RoleAuthority)
	v.Receive(a.now, []Inbound{{"p", &Neighbor{Round: v.cur.id()}}})
}

// votes are the votes that leave; what has to be durable is.
func (a *alone) votes() []*VoteMessage {
	r := a.v.Ready()
	a.state = mergeState(a.state, r.Persist)
	var out []*VoteMessage
	for _, o := range r.Send {
		if m, ok := o.Message.(*VoteMessage); ok {
			out = append(out, m)
		}
	}
	return out
}

func (a *alone) block() {
	a.head = types.Header{ParentHash: a.head.Hash(), Number: a.head.Number + 1, StateRoot: types.Hash{byte(a.now)}}
	h := a.head
	a.chain.insert(&h)
	a.v.Imported(a.now)
}

// finalise makes a block final by other means.
func (a *alone) finalise(set int) {
	if err := a.chain.finalise(a.head.Hash()); err != nil {
		a.t.Fatal(err)
	}
	a.v.Finalised(a.now, a.sets[set])
	a.v.Receive(a.now, []Inbound{{"p", &Neighbor{Round: a.v.cur.id()}}})
}

func (a *alone) want(got []*VoteMessage, set types.SetID, round uint64, stages ...Stage) {
	a.t.Helper()
	if len(got) != len(stages) {
		a.t.Fatalf("%d votes, want %d", len(got), len(stages))
	}
	for i, m := range got {
		if m.Round != (Round{set, round}) || m.Stage != stages[i] {
			a.t.Errorf("vote %d in stage %d of %v, want stage %d of round %d in set %d", i, m.Stage, m.Round, stages[i], round, set)
		}
	}
}

func TestRestartAfterARevert(t *testing.T) {
	a := newAlone(t)
	a.start(0)
	a.block()
	a.want(a.votes(), 0, 1, Prevote)
	a.finalise(1) // the block changes the set
	a.block()
	a.want(a.votes(), 1, 1, Prevote)

	// An older set, whose chain was given up: nothing of it is voted in again.
	a.chain, a.head = newTreeChain(types.Header{}), types.Header{}
	a.now++ // other blocks
	a.start(0)
	a.block()
	a.want(a.votes(), 0, restartRounds, Prevote)
	// The same set again.
	a.finalise(1)
	a.block()
	a.want(a.votes(), 1, restartRounds, Prevote)
	// A restart there resumes: nothing is signed again.
	a.start(1)
	a.want(a.votes(), 1, restartRounds, Prevote) // the same vote, for a newcomer
	// A newer set than that of the state begins at its first round.
	a.start(2)
	a.block()
	a.want(a.votes(), 2, 1, Prevote)
	// A revert within the set.
	a.finalise(2)
	a.block()
	a.votes()
	a.v.memory.sign(&VoteMessage{Round: Round{2, 7}}, a.chain.Finalised())
	a.state.Votes = a.v.memory.encode()
	a.chain, a.head = newTreeChain(types.Header{}), types.Header{}
	a.start(2)
	a.block()
	a.want(a.votes(), 2, restartRounds, Prevote)
}

func TestForgottenSetsAreNotVotedIn(t *testing.T) {
	var m memory
	for s := range types.SetID(maxVotedSets + 2) {
		m.sign(&VoteMessage{Round: Round{s + 1, 5}}, Target{})
	}
	var back memory
	if err := back.load(m.encode()); err != nil {
		t.Fatal(err)
	}
	for set, muted := range map[types.SetID]bool{0: true, 1: true, 2: true, 3: false, 66: false, 67: false} {
		if back.muted(set) != muted {
			t.Errorf("set %d is muted: %v", set, !muted)
		}
	}
	if got := back.firstRound(3); got != restartRounds {
		t.Errorf("set 3 begins again at round %d", got)
	}
	if got := back.firstRound(99); got != 1 {
		t.Errorf("set 99 begins at round %d", got)
	}
	if !bytes.Equal(back.encode(), m.encode()) {
		t.Error("the record does not come back")
	}
}

func TestObserverFollows(t *testing.T) {
	n := newNetwork(t, 1, netConfig{voters: 4, extra: 2, minDelay: 1, delay: 30})
	n.author(n.now+1000, n.now+6000)
	n.run(n.now + 8000)
	if f := n.nodes[5].chain.Finalised().Number; f < 5 {
		t.Errorf("who has no key got to block %d", f)
	}
	if s := n.nodes[5].state; !s.Empty() {
		t.Error("who signs nothing has something to keep")
	}
}

// TestForgedVotesCountForNothing: neither alone, nor among others, nor in a commit.
func TestForgedVotesCountForNothing(t *testing.T) {
	a := newAlone(t)
	a.start(0)
	a.block()
	a.votes()
	r := Round{0, 1}
	vote := func(s Stage, i int, forged bool) Inbound {
		m := &VoteMessage{r, s, Sign(a.keys[i], s, target(a.head), r)}
		if forged {
			m.Vote.Signature[3] ^= 1
		}
		return Inbound{"p", m}
	}
	reports := func() (n int) {
		out := a.v.Ready()
		for _, p := range out.Reports {
			if p.Cost == costBadSignature {
				n++
			}
		}
		if len(out.Finalise) > 0 {
			t.Fatal("a forgery makes a block final")
		}
		return n
	}
	a.v.Receive(a.now, []Inbound{vote(Prevote, 1, true)})
	if reports() != 1 || a.v.State().Best.Prevotes.Weight != 1 {
		t.Error("a forged vote counts")
	}
	a.v.Receive(a.now, []Inbound{vote(Prevote, 1, false), vote(Prevote, 2, true), vote(Prevote, 3, false), vote(Precommit, 1, false)})
	if s := a.v.State().Best; reports() != 1 || s.Prevotes.Weight != 3 || s.Precommits.Weight != 2 {
		t.Errorf("with a forged vote among others %+v", s)
	}
	c := &CommitMessage{Round: r, Target: target(a.head)}
	for i := 1; i < 4; i++ {
		c.Precommits = append(c.Precommits, vote(Precommit, i, i == 3).Message.(*VoteMessage).Vote)
	}
	a.v.Receive(a.now, []Inbound{{"p", c}})
	if reports() != 1 {
		t.Error("a forged commit is not reported")
	}
	other := keys(5)[4]
	a.v.Receive(a.now, []Inbound{{"p", &VoteMessage{r, Prevote, Sign(other, Prevote, target(a.head), r)}}})
	if out := a.v.Ready(); len(out.Reports) != 1 || out.Reports[0].Cost != costStranger {
		t.Errorf("a stranger's vote is reported as %v", out.Reports)
	}
}

// TestLightClientsGetCommitsOnly: of their set, above what they know, once.
func TestLightClientsGetCommitsOnly(t *testing.T) {
	a := newAlone(t)
	a.start(0)
	for _, p := range []types.PeerID{"silent", "low", "high", "elsewhere"} {
		a.v.Connected(a.now, p, types.RoleLight)
	}
	a.v.Receive(a.now, []Inbound{{"low", &Neighbor{Round{0, 1}, 0}}, {"high", &Neighbor{Round{0, 1}, 1}}, {"elsewhere", &Neighbor{Round{1, 1}, 0}}})
	a.block()
	r := Round{0, 1}
	for s := range Stage(2) {
		for i := 1; i < 4; i++ {
			a.v.Receive(a.now, []Inbound{{"p", &VoteMessage{r, s, Sign(a.keys[i], s, target(a.head), r)}}})
		}
	}
	got := map[types.PeerID]int{}
	for range 20 {
		out := a.v.Ready()
		if len(out.Finalise) > 0 {
			a.finalise(0)
		}
		for _, o := range out.Send {
			for _, p := range o.To {
				switch o.Message.(type) {
				case *Neighbor:
				case *CommitMessage:
					got[p]++
				default:
					if p != "p" {
						t.Fatalf("%s gets %T", p, o.Message)
					}
				}
			}
		}
		a.now += 1000
		a.v.Tick(a.now)
	}
	if got["low"] != 1 || got["silent"]+got["high"]+got["elsewhere"] != 0 {
		t.Errorf("commits are sent to %v", got)
	}
	if got["p"] < 2 {
		t.Error("a full node that does not move is not told again")
	}
}

// TestLightClientsHearOfFinalityLater: half a second after the voter, or when they would
// have heard of a block before that they were not told of yet.
func TestLightClientsHearOfFinalityLater(t *testing.T) {
	a := newAlone(t)
	a.start(0)
	a.v.Connected(a.now, "light", types.RoleLight)
	a.v.Receive(a.now, []Inbound{{"light", &Neighbor{Round{0, 1}, 0}}})
	var told []types.BlockNumber // 0 for none, every 100 ms
	for i := range 30 {
		if i == 0 || i == 3 || i == 20 {
			a.block()
			m := &CommitMessage{Round: Round{0, uint64(a.head.Number)}, Target: target(a.head)}
			for _, k := range a.keys[1:] {
				m.Precommits = append(m.Precommits, Sign(k, Precommit, m.Target, m.Round))
			}
			a.v.Receive(a.now, []Inbound{{"p", m}})
		}
		var n types.BlockNumber
		out := a.v.Ready()
		for ; len(out.Finalise) > 0; out = a.v.Ready() {
			a.finalise(0)
		}
		for _, o := range out.Send {
			if m, ok := o.Message.(*CommitMessage); ok && slices.Contains(o.To, "light") {
				n = m.Target.Number
			}
		}
		told = append(told, n)
		a.now += 100
		a.v.Tick(a.now)
	}
	want := make([]types.BlockNumber, 30)
	want[5], want[25] = 2, 3
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// TestNeighborsAreToldWhereWeAre also if nothing changes: every two minutes.
func TestNeighborsAreToldWhereWeAre(t *testing.T) {
	a := newAlone(t)
	a.start(0)
	told := 0
	for end := a.now + 600_000; a.now < end; {
		r := a.v.Ready()
		for _, o := range r.Send {
			if _, ok := o.Message.(*Neighbor); ok {
				told++
			}
		}
		if r.Wake <= a.now {
			t.Fatalf("asks to be woken at %d, %d ms ago", r.Wake, a.now-r.Wake)
		}
		a.now = r.Wake
		a.v.Tick(a.now)
	}
	if told != 5 {
		t.Errorf("told %d times in 10 minutes, want 5", told)
	}
}

// What was to be said before we moved on must not arrive after what is said then.
func TestNeighborsNeverGoBack(t *testing.T) {
	a := newAlone(t)
	a.start(0)
	a.votes()
	a.block()
	a.v.Connected(a.now, "q", types.RoleAuthority) // is to be told of round 1
	var batch []Inbound
	target := Target{a.head.Hash(), a.head.Number}
	for _, s := range []Stage{Prevote, Precommit} {
		for _, k := range a.keys[1:] {
			batch = append(batch, Inbound{"p", &VoteMessage{Round{0, 1}, s, Sign(k, s, target, Round{0, 1})}})
		}
	}
	a.v.Receive(a.now, batch)
	a.finalise(0)
	told := map[types.PeerID]uint64{}
	for _, o := range a.v.Ready().Send {
		if m, ok := o.Message.(*Neighbor); ok {
			for _, p := range o.To {
				if m.Round.Number < told[p] {
					t.Errorf("%s is told of round %d after round %d", p, m.Round.Number, told[p])
				}
				told[p] = m.Round.Number
			}
		}
	}
	if told["q"] != 2 {
		t.Errorf("q believes us in round %d, want 2", told["q"])
	}
}

// Honest peers send votes again when a round stands still, for as long as it does.
func TestVotesSentAgainCostNothing(t *testing.T) {
	a := newAlone(t)
	a.start(0)
	a.block()
	vote := &VoteMessage{Round{0, 1}, Prevote, Sign(a.keys[1], Prevote, Target{a.head.Hash(), 1}, Round{0, 1})}
	for range 1000 {
		a.now += 8000
		a.v.Tick(a.now)
		a.v.Receive(a.now, []Inbound{{"p", vote}, {"p", vote}})
		if r := a.v.Ready(); len(r.Reports) > 0 {
			t.Fatalf("reports %+v", r.Reports)
		}
	}
}

// A vote for a block that peers do not know counts for nothing: while the round
// stands still they are told of the block again, until it is final.
func TestVotedBlocksAreAnnounced(t *testing.T) {
	a := newAlone(t)
	a.start(0)
	a.block()
	if r := a.v.Ready(); len(r.Announce) > 0 {
		t.Errorf("announces %v at once", r.Announce)
	}
	for range 2 {
		a.now += 5000
		a.v.Tick(a.now)
		if r := a.v.Ready(); len(r.Announce) != 1 || r.Announce[0] != a.head.Hash() {
			t.Errorf("announces %v, want %v", r.Announce, a.head.Hash())
		}
	}
	a.finalise(0)
	a.now += 60_000
	a.v.Tick(a.now)
	if r := a.v.Ready(); len(r.Announce) > 0 {
		t.Errorf("announces %v, which is final", r.Announce)
	}
}

// FuzzReceive gives a voter messages of everybody, in the middle of a round.
func FuzzReceive(f *testing.F) {
	k := keys(4)
	g := types.Header{}
	b := chain(g, 2, 1)
	r := Round{0, 1}
	for _, m := range []Message{
		&VoteMessage{r, Prevote, Sign(k[1], Prevote, target(b[0]), r)},
		&VoteMessage{r, Precommit, Sign(k[2], Precommit, target(b[1]), r)},
		&VoteMessage{r, PrimaryPropose, Sign(k[1], PrimaryPropose, target(b[0]), r)},
		&CommitMessage{r, target(b[0]), []SignedVote{Sign(k[1], Precommit, target(b[0]), r), Sign(k[2], Precommit, target(b[1]), r), Sign(k[3], Precommit, target(b[0]), r)}},
		&Neighbor{Round{0, 9}, 1}, &CatchUpRequest{r},
		&CatchUp{Round{0, 8}, nil, nil, target(g)},
	} {
		enc := AppendMessage(nil, m)
		f.Add(append([]byte{byte(len(enc)), byte(len(enc) >> 8)}, enc...))
	}
	set := voters(f, 0, k)
	f.Fuzz(func(t *testing.T, data []byte) {
		c := newTreeChain(g)
		for i := range b {
			c.insert(&b[i])
		}
		v, err := NewVoter(set, []Key{k[0]}, State{}, c, 1, VoterConfig{smallSet: 1 + len(data)%2*smallSet, Verify: func(items []ed25519.Item) []bool {
			ok := make([]bool, len(items)) // everybody can sign everything
			for i := range ok {
				ok[i] = true
			}
			return ok
		}})
		if err != nil {
			t.Fatal(err)
		}
		v.Connected(1, "p", types.RoleAuthority)
		v.Connected(1, "q", types.RoleLight)
		now := types.Moment(1)
		for len(data) > 2 {
			n := min(int(data[0])|int(data[1])<<8, len(data)-2)
			m, err := DecodeMessage(data[2 : 2+n])
			data = data[2+n:]
			if err != nil {
				continue
			}
			now += 300
			v.Receive(now, []Inbound{{"p", m}, {"q", m}, {"r", m}})
			for range 3 {
				out := v.Ready()
				for i := range out.Finalise {
					j := &out.Finalise[i]
					if err := errorsOf(set, j); err != nil {
						t.Fatal(err)
					}
					if err := c.finalise(j.Target.Hash); err != nil {
						t.Fatal(err)
					}
					v.Finalised(now, set)
				}
			}
			if len(v.rounds) > maxBackground+4 || len(v.early) > maxEarly {
				t.Fatalf("%d rounds and %d commits are kept", len(v.rounds), len(v.early))
			}
			v.State()
		}
	})
}

// In a large set votes are gathered: one alone is looked at at once, those that follow
// within gather together, and those that decide nothing any more within gatherLate. In
// a small one all are looked at at once.
func TestVotesAreGathered(t *testing.T) {
	for _, n := range []int{smallSet, smallSet + 1} {
		f := newRoundBench(t, n)
		c := newTreeChain(f.genesis)
		c.insert(&f.block)
		var looks []int // at so many signatures
		v, err := NewVoter(f.set, []Key{f.key}, State{}, c, 1, VoterConfig{Verify: func(items []ed25519.Item) []bool {
			looks = append(looks, len(items))
			return slices.Repeat([]bool{true}, len(items))
		}})
		if err != nil {
			t.Fatal(err)
		}
		v.Connected(1, id(0), types.RoleAuthority)
		votes := f.messages[Prevote]
		next := func() Inbound { // of the one peer
			m := votes[0]
			votes = votes[4:]
			return m
		}
		now := types.Moment(2500)
		receive := func(count int) {
			for range count {
				v.Receive(now, []Inbound{next()})
			}
		}
		wait := func(want types.Moment) { // until the voter wants to be woken
			t.Helper()
			if wake := v.Ready().Wake; n > smallSet && wake != now+want {
				t.Errorf("wants to be woken %d ms later, not %d", wake-now, want)
			}
			now += want
			v.Tick(now)
		}
		receive(5)
		wait(gather)
		v.Ready()
		if v.Receive(now, []Inbound{f.messages[Prevote][0]}); n > smallSet && (len(v.gathered) != 0 || v.changed) {
			t.Errorf("%d voters: a vote that is known waits, or has the voter do something", n)
		}
		most := int(f.set.Threshold()) - 1 // with its own
		receive(most - 5)
		wait(gather)
		receive(10)
		now += gather
		receive(10)
		wait(gatherLate - gather)
		want := []int{1, 4, most - 5, 20}
		if n == smallSet {
			want = slices.Repeat([]int{1}, most+20)
		}
		if !slices.Equal(looks, want) {
			t.Errorf("%d voters: looks at %v, not %v", n, looks, want)
		}
		if got := int(v.State().Best.Prevotes.Weight); got != most+21 {
			t.Errorf("%d voters: %d prevotes count", n, got)
		}
	}
}

// Votes are verified for real, one by one and together, and a wrong one leaves no trace
// in what is verified next.
func TestVotesAreVerified(t *testing.T) {
	for _, small := range []int{1, smallSet} {
		f := newRoundBench(t, 40)
		c := newTreeChain(f.genesis)
		c.insert(&f.block)
		v, err := NewVoter(f.set, []Key{f.key}, State{}, c, 1, VoterConfig{smallSet: small})
		if err != nil {
			t.Fatal(err)
		}
		v.Connected(1, id(0), types.RoleAuthority)
		var batch []Inbound
		for i := 0; i < len(f.messages[Prevote]); i += 4 {
			batch = append(batch, f.messages[Prevote][i])
		}
		now := types.Moment(2500)
		receive := func(some ...Inbound) {
			now += gatherLate
			v.Receive(now, some)
		}
		forged := *batch[0].Message.(*VoteMessage)
		forged.Vote.Signature[3]++
		bad := Inbound{batch[0].Peer, &forged}
		receive(bad)
		receive(append([]Inbound{bad}, batch[1:13]...)...)
		receive(batch[13:15]...)
		receive(append(slices.Clone(batch[15:26]), bad)...)
		receive(batch[26])
		if got := v.State().Best.Prevotes.Weight; got != 1+26 {
			t.Errorf("%d prevotes count", got)
		}
		if n := len(v.Ready().Reports); n != 3 {
			t.Errorf("%d reports of 3 wrong signatures", n)
		}
		receive(batch[0])
		if got := v.State().Best.Prevotes.Weight; got != 1+27 {
			t.Errorf("%d prevotes count after the right one", got)
		}
	}
}

// What a peer said before it left is acted on then, and does not wait for another message.
func TestLastWordsAreActedOn(t *testing.T) {
	f := newRoundBench(t, 40)
	c := newTreeChain(f.genesis)
	c.insert(&f.block)
	v, err := NewVoter(f.set, []Key{f.key}, State{}, c, 1, VoterConfig{smallSet: 1})
	if err != nil {
		t.Fatal(err)
	}
	v.Connected(1, id(0), types.RoleAuthority)
	const now = 2500
	votes := f.messages[Prevote]
	v.Receive(now, votes[:1]) // alone: it is looked at
	v.Ready()
	v.Receive(now, votes[1:])
	if v.Ready(); len(v.gathered) == 0 {
		t.Fatal("nothing waits")
	}
	v.Disconnected(id(0))
	v.Ready()
	if signed := v.memory.signed; len(signed) == 0 || signed[len(signed)-1].Stage != Precommit {
		t.Errorf("with all prevotes there the voter has signed %d votes, and no precommit", len(signed))
	}
}

// BenchmarkRound is all the work of one voter in a round: prevotes and precommits,
// each from four peers, and the justification. So many messages come together as the
// name says, and in a large set late votes wait for more. "of-batch" is what that takes
// to what bare batch verification of the same votes takes, measured beside it.
func BenchmarkRound(b *testing.B) {
	for _, n := range []int{4, 100, 1000} {
		f := newRoundBench(b, n)
		for _, waiting := range []int{4, 64, 4 * (n - 1)} {
			b.Run(fmt.Sprintf("voters=%d/waiting=%d", n, waiting), func(b *testing.B) {
				b.ReportAllocs()
				var bare time.Duration
				for b.Loop() {
					f.round(b, waiting)
					b.StopTimer()
					began := time.Now()
					f.verify(b)
					bare += time.Since(began)
					b.StartTimer()
				}
				b.ReportMetric(float64(b.Elapsed())/float64(bare), "of-batch")
			})
		}
	}
}

// roundBench is a round of many voters.
type roundBench struct {
	genesis  types.Header
	block    types.Header
	key      Key
	set      *VoterSet
	messages [2][]Inbound
	items    [2][]ed25519.Item
	prepared []*ed25519.PreparedKey // as a voter has them after its first round
}

func newRoundBench(b testing.TB, n int) *roundBench {
	k := keys(n)
	f := &roundBench{key: k[0], set: voters(b, 0, k)}
	f.block = chain(f.genesis, 1, 1)[0]
	r := Round{0, 1}
	for s := range f.messages {
		for i := 1; i < n; i++ {
			vote := Sign(k[i], Stage(s), target(f.block), r)
			payload := SignedPayload(Stage(s), vote.Target, r)
			f.items[s] = append(f.items[s], ed25519.Item{Public: vote.ID, Message: payload[:], Signature: vote.Signature})
			for p := range 4 {
				f.messages[s] = append(f.messages[s], Inbound{id(p), &VoteMessage{r, Stage(s), vote}})
			}
		}
	}
	return f
}

// round plays it for a new voter.
func (f *roundBench) round(b *testing.B, waiting int) {
	c := newTreeChain(f.genesis)
	c.insert(&f.block)
	v, err := NewVoter(f.set, []Key{f.key}, State{}, c, 1, VoterConfig{})
	if err != nil {
		b.Fatal(err)
	}
	v.prepared = f.prepared
	for p := range 20 {
		v.Connected(1, id(p), types.RoleAuthority)
		v.Receive(1, []Inbound{{id(p), &Neighbor{Round: Round{0, 1}}}})
	}
	v.Ready()
	final, now := 0, types.Moment(1)
	for s := range f.messages {
		for some := range slices.Chunk(f.messages[s], waiting) {
			now += gather
			v.Receive(now, some)
			final += len(v.Ready().Finalise)
		}
	}
	v.Tick(now + gatherLate)
	if final += len(v.Ready().Finalise); final != 1 || len(v.gathered) > 0 {
		b.Fatalf("%d blocks are final, %d messages wait", final, len(v.gathered))
	}
	f.prepared = v.prepared
}

// verify does nothing but check the votes.
func (f *roundBench) verify(b *testing.B) {
	for s := range f.items {
		if ed25519.VerifyAll(f.items[s], nil) >= 0 {
			b.Fatal("wrong")
		}
	}
}
