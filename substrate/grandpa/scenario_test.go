package grandpa

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/scenario"
	"github.com/crustgo/crust/substrate/types"
)

// TestScenarios plays testdata/*.txt: a command, a line ----, what it prints, an
// empty line. Lines that begin with # are the story. The voter is a, of the set
// a, b, c, d; a peer p is where we are and passes on what the others vote.
func TestScenarios(t *testing.T) {
	scenario.Play(t, func(t *testing.T) scenario.Run {
		s := newStory(t)
		return func(_ *testing.T, words []string) string { return s.run(words) }
	})
}

type story struct {
	t      *testing.T
	keys   map[string]stamp
	sets   []*VoterSet
	set    int
	chain  *treeChain
	state  State
	v      *Voter
	now    types.Moment
	names  map[types.Hash]string
	blocks map[string]*types.Header
	out    strings.Builder
	away   bool // the peer says itself where it is
}

func newStory(t *testing.T) *story {
	s := &story{t: t, keys: map[string]stamp{}, now: 10_000, names: map[types.Hash]string{}, blocks: map[string]*types.Header{}}
	var as []Authority
	for _, name := range strings.Fields("a b c d") {
		s.keys[name] = stamp{name[0]}
		as = append(as, Authority{stamp{name[0]}, 1})
	}
	for i := range 4 {
		set, err := NewVoterSet(types.SetID(i), as)
		if err != nil {
			t.Fatal(err)
		}
		s.sets = append(s.sets, set)
	}
	g := types.Header{}
	s.blocks["G"], s.names[g.Hash()] = &g, "G"
	s.chain = newTreeChain(g)
	s.start()
	s.do()
	return s
}

func (s *story) start() {
	v, err := NewVoter(s.sets[s.set], []Key{s.keys["a"]}, s.state, s.chain, s.now, VoterConfig{Verify: verifyStamps})
	if err != nil {
		s.t.Fatal(err)
	}
	s.v = v
	v.Connected(s.now, "p", types.RoleAuthority)
}

func (s *story) target(name string) Target {
	h := s.blocks[name]
	if h == nil {
		s.t.Fatalf("no block %s", name)
	}
	return target(*h)
}

func (s *story) run(args []string) string {
	s.out.Reset()
	opt := map[string]uint64{"round": s.v.cur.number, "set": uint64(s.set)}
	for _, a := range args {
		if k, v, ok := strings.Cut(a, "="); ok {
			opt[k], _ = strconv.ParseUint(v, 10, 64)
		}
	}
	r := Round{types.SetID(opt["set"]), opt["round"]}
	switch args[0] {
	case "block": // NAME PARENT [change] [later]: a block arrives, or exists elsewhere
		p := s.blocks[args[2]]
		h := &types.Header{ParentHash: p.Hash(), Number: p.Number + 1, StateRoot: types.Hash([]byte(fmt.Sprintf("%-32s", args[1])))}
		if len(args) > 3 && args[3] == "change" {
			h.Digest = types.Digest{ScheduledChange(s.sets[0].Authorities(), 0).Item()}
		}
		s.blocks[args[1]], s.names[h.Hash()] = h, args[1]
		if args[len(args)-1] != "later" {
			s.chain.insert(h)
			s.v.Imported(s.now)
		}
	case "import": // BLOCK...
		for _, name := range args[1:] {
			s.chain.insert(s.blocks[name])
		}
		s.v.Imported(s.now)
	case "reconnect":
		s.away = true
		s.v.Disconnected("p")
		s.v.Connected(s.now, "p", types.RoleAuthority)
	case "prevote", "precommit", "propose": // WHO BLOCK
		stage := map[string]Stage{"prevote": Prevote, "precommit": Precommit, "propose": PrimaryPropose}[args[0]]
		var batch []Inbound
		for _, who := range strings.Split(args[1], ",") {
			batch = append(batch, Inbound{"p", &VoteMessage{r, stage, Sign(s.keys[who], stage, s.target(args[2]), r)}})
		}
		s.v.Receive(s.now, batch)
	case "commit": // WHO BLOCK
		s.v.Receive(s.now, []Inbound{{"p", &CommitMessage{r, s.target(args[2]), s.votes(args[1], args[2], Precommit, r)}}})
	case "caughtup": // WHO BLOCK
		s.v.Receive(s.now, []Inbound{{"p", &CatchUp{r, s.votes(args[1], args[2], Prevote, r), s.votes(args[1], args[2], Precommit, r), s.target("G")}}})
	case "request":
		s.v.Receive(s.now, []Inbound{{"p", &CatchUpRequest{r}}})
	case "peer": // round= set= final=: it does not follow us any more
		s.away = true
		s.v.Receive(s.now, []Inbound{{"p", &Neighbor{r, types.BlockNumber(opt["final"])}}})
	case "wait":
		s.now += types.Moment(opt["ms"])
		s.v.Tick(s.now)
	case "restart":
		s.start()
	default:
		s.t.Fatalf("unknown command %v", args)
	}
	s.do()
	return s.out.String()
}

func (s *story) votes(who, block string, stage Stage, r Round) []SignedVote {
	var out []SignedVote
	for _, w := range strings.Split(who, ",") {
		out = append(out, Sign(s.keys[w], stage, s.target(block), r))
	}
	return out
}

// do acts on what is ready, and prints it.
func (s *story) do() {
	for more := true; more; {
		more = false
		r := s.v.Ready()
		s.state = mergeState(s.state, r.Persist)
		for i := range r.Finalise {
			j := &r.Finalise[i]
			if err := verifyStamped(s.sets[s.set], j); err != nil {
				s.t.Fatal(err)
			}
			fmt.Fprintf(&s.out, "final %s with %d votes and %d headers\n", s.names[j.Target.Hash], len(j.Precommits), len(j.Ancestry))
			if err := s.chain.finalise(j.Target.Hash); err != nil {
				s.t.Fatal(err)
			}
			if c, _ := ReadLogs(s.chain.headers[j.Target.Hash].Digest); c != nil {
				s.set++
			}
			s.v.Finalised(s.now, s.sets[s.set])
			more = true
		}
		for _, o := range r.Send {
			if n, ok := o.Message.(*Neighbor); ok && !s.away {
				s.v.Receive(s.now, []Inbound{{"p", &Neighbor{n.Round, 0}}})
				more = true
			}
			s.print(o.Message)
		}
		for _, e := range r.Equivocations {
			fmt.Fprintf(&s.out, "equivocation of %c in round %d: %s and %s\n", e.First.ID[0], e.Round.Number, s.names[e.First.Target.Hash], s.names[e.Second.Target.Hash])
		}
		for _, p := range r.Reports {
			fmt.Fprintf(&s.out, "report %d: %s\n", p.Cost, p.Reason)
		}
	}
}

func (s *story) print(m Message) {
	switch m := m.(type) {
	case *VoteMessage:
		fmt.Fprintf(&s.out, "%s of %c for %s in round %d\n", [...]string{"prevote", "precommit", "proposal"}[m.Stage], m.Vote.ID[0], s.names[m.Vote.Target.Hash], m.Round.Number)
	case *CommitMessage:
		fmt.Fprintf(&s.out, "commit of %s\n", s.names[m.Target.Hash])
	case *Neighbor:
		fmt.Fprintf(&s.out, "here: set %d, round %d, final %d\n", m.Round.Set, m.Round.Number, m.Finalised)
	case *CatchUpRequest:
		fmt.Fprintf(&s.out, "asks for round %d\n", m.Round.Number)
	case *CatchUp:
		fmt.Fprintf(&s.out, "answers with round %d: %d prevotes, %d precommits\n", m.Round.Number, len(m.Prevotes), len(m.Precommits))
	}
}
