package sync

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/scenario"
	"github.com/crustgo/crust/substrate/types"
)

// TestScenarios plays testdata/*.txt: a command, a line ----, what it prints, an
// empty line. Lines that begin with # are the story.
func TestScenarios(t *testing.T) {
	scenario.Play(t, func(*testing.T) scenario.Run {
		s := newStory()
		return func(t *testing.T, words []string) string {
			out := s.run(t, words)
			if s.m != nil {
				if err := s.m.check(); err != nil {
					t.Fatalf("after %q: %v", words, err)
				}
			}
			return out
		}
	})
}

// story is a machine whose peers answer when they are told to.
type story struct {
	*world
	l     *ledger
	m     *Machine
	cfg   Config
	now   types.Moment
	names map[types.Hash]string
	hash  map[string]types.Hash
	best  map[types.PeerID]types.Hash
	open  []Request
	waits []Block // handed out
}

func newStory() *story {
	w := newWorld()
	return &story{world: w, l: newLedger(w), names: map[types.Hash]string{w.genesis: "genesis"}, hash: map[string]types.Hash{"genesis": w.genesis},
		best: map[types.PeerID]types.Hash{}, cfg: Config{Limits: DefaultLimits(), Check: inspect}}
}

// machine begins at the first command that needs it.
func (s *story) machine() *Machine {
	if s.m == nil {
		s.m = New(s.l, s.cfg)
	}
	return s.m
}

// values reads arguments of the form name=value.
func values(args []string) map[string]string {
	v := map[string]string{}
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		v[name] = value
	}
	return v
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// run plays one command. Blocks are called by chain and number: main7.
func (s *story) run(t *testing.T, args []string) string {
	v := values(args)
	switch args[0] {
	case "limits":
		l := &s.cfg.Limits
		for name, x := range map[string]*int{"peers": &l.Peers, "perpeer": &l.PerPeer, "headers": &l.Headers, "bytes": &l.Bytes, "importing": &l.Importing} {
			if v[name] != "" {
				*x = number(v[name])
			}
		}
		return ""
	case "chain": // chain NAME COUNT from=BLOCK bad body=BYTES begin=TIME jump=NUMBERS
		h, kind := s.genesis, byte(goodBlock)
		if v["from"] != "" {
			h = s.block(t, v["from"])
		}
		if slices.Contains(args, "bad") {
			kind = badBlock
		}
		for range number(args[2]) {
			h = s.jump(h, args[1], kind, types.Moment(number(v["begin"])), number(v["body"]), max(1, number(v["jump"])))
			name := fmt.Sprint(args[1], s.number(h))
			s.names[h], s.hash[name] = name, h
		}
		return ""
	case "have": // have BLOCK: it and what is below is imported
		h := s.block(t, args[1])
		for i := s.l.finalised.Number + 1; i <= s.number(h); i++ {
			b := s.blocks[s.below(h, i)]
			s.l.place(s.now, Block{Hash: b.Hash, Block: types.Block{Header: *b.Header, Body: b.Body}})
		}
	case "finalise":
		s.l.finalise(s.block(t, args[1]))
		s.machine().ChainMoved(s.now)
	case "at":
		s.now = types.Moment(number(args[1]))
		s.machine().Tick(s.now)
	case "peer": // peer NAME BEST
		p := types.PeerID(args[1])
		s.best[p] = s.block(t, args[2])
		s.machine().Connected(s.now, p, s.target(s.best[p]))
	case "leave":
		s.machine().Disconnected(s.now, types.PeerID(args[1]))
		s.open = slices.DeleteFunc(s.open, func(r Request) bool { return string(r.Peer) == args[1] })
	case "announce": // announce PEER BLOCK other
		p, h := types.PeerID(args[1]), s.block(t, args[2])
		if !slices.Contains(args, "other") {
			s.best[p] = h
		}
		s.machine().Announced(s.now, p, s.blocks[h].Header, !slices.Contains(args, "other"))
	case "answer", "fail":
		if !slices.ContainsFunc(s.open, func(r Request) bool { return string(r.Peer) == args[1] }) {
			return "nothing is asked of " + args[1] + "\n"
		}
		s.answer(t, args, v)
	case "import":
		s.importAll(t, v)
	case "want":
		s.machine().WantJustification(s.now, s.target(s.block(t, args[1])))
	case "checked":
		s.machine().JustificationChecked(s.now, s.target(s.block(t, args[1])), types.PeerID(args[2]), args[3] == "ok")
	case "best":
		best, ok := s.machine().PeerBest(types.PeerID(args[1]))
		return fmt.Sprintln(s.names[best.Hash], ok)
	case "prove": // the peers have a justification of the block
		s.blocks[s.block(t, args[1])].Justifications = types.Justifications{{Engine: types.EngineGRANDPA, Data: []byte(args[1])}}
		return ""
	case "status":
		st := s.machine().Status()
		return fmt.Sprintf("%+v; best %s\n", st, s.names[s.l.best.Hash])
	default:
		t.Fatalf("what is %q?", args[0])
	}
	return s.ready()
}

func (s *story) block(t *testing.T, name string) types.Hash {
	h, ok := s.hash[name]
	if !ok {
		t.Fatalf("no block %q", name)
	}
	return h
}

// answer answers the oldest request to a peer: honestly, or as told.
func (s *story) answer(t *testing.T, args []string, v map[string]string) {
	i := slices.IndexFunc(s.open, func(r Request) bool { return string(r.Peer) == args[1] })
	q := s.open[i]
	s.open = slices.Delete(s.open, i, i+1)
	if args[0] == "fail" {
		s.m.Failed(s.now, q.Peer, q.ID)
		return
	}
	most := protocol.MaxBlocks
	if v["max"] != "" {
		most = number(v["max"])
	}
	best := s.best[q.Peer]
	if v["of"] != "" {
		best = s.block(t, v["of"])
	}
	blocks := s.serve(best, q.BlockRequest, most)
	for _, how := range args[2:] {
		switch how {
		case "empty":
			blocks = nil
		case "wrong":
			blocks[0].Hash[0] ^= 1
		case "gap":
			blocks = slices.Delete(blocks, 1, 2)
		case "more":
			blocks = append(blocks, blocks[len(blocks)-1])
		case "nobodies":
			for i := range blocks {
				blocks[i].Body, blocks[i].HasBody = nil, false
			}
		case "bodies":
			blocks[len(blocks)-1].Body = []types.Extrinsic{{9}}
		case "other":
			q.ID += 100
		}
	}
	s.m.Responded(s.now, q.Peer, q.ID, blocks)
}

// importAll imports what is handed out, but for blocks that are said to fail: import main5=failure.
func (s *story) importAll(t *testing.T, v map[string]string) {
	outcomes := map[string]Outcome{"failure": OurFailure, "badbody": BadBody, "bad": BadBlock, "unknown": UnknownParent, "future": Future, "known": Known}
	var results []Result
	for _, b := range s.waits {
		o, ok := outcomes[v[s.names[b.Hash]]]
		if !ok {
			o = s.l.place(s.now, b)
		}
		results = append(results, Result{b.Hash, o})
	}
	s.waits = nil
	s.machine().Imported(s.now, results)
}

// ready prints what the machine wants.
func (s *story) ready() string {
	if s.m == nil {
		return ""
	}
	var out strings.Builder
	r := s.m.Ready()
	for _, id := range r.Cancel {
		if i := slices.IndexFunc(s.open, func(q Request) bool { return q.ID == id }); i >= 0 {
			fmt.Fprintf(&out, "cancel %s\n", s.request(s.open[i]))
			s.open = slices.Delete(s.open, i, i+1)
		}
	}
	for _, q := range r.Requests {
		fmt.Fprintf(&out, "ask %s\n", s.request(q))
		s.open = append(s.open, q)
	}
	for _, run := range r.Import {
		fmt.Fprintf(&out, "import %s to %s", s.names[run[0].Hash], s.names[run[len(run)-1].Hash])
		for _, b := range run {
			if b.Justification != nil {
				fmt.Fprintf(&out, ", %s proven", s.names[b.Hash])
			}
		}
		out.WriteString("\n")
		s.waits = append(s.waits, run...)
	}
	for _, j := range r.Justifications {
		fmt.Fprintf(&out, "check %q of %s for %s\n", j.Proof, j.Peer, s.names[j.Hash])
	}
	for _, p := range r.Reports {
		fmt.Fprintf(&out, "report %s: %v\n", p.Peer, p.Reason)
	}
	return out.String()
}

func (s *story) request(q Request) string {
	what := map[protocol.BlockFields]string{protocol.FieldHeader: "headers", protocol.FieldBody | protocol.FieldJustification: "bodies",
		protocol.FieldHeader | protocol.FieldBody | protocol.FieldJustification: "blocks", protocol.FieldJustification: "justification"}[q.Fields]
	from := s.names[q.FromHash]
	if q.FromHash == (types.Hash{}) {
		from = fmt.Sprint(q.FromNumber)
	} else if from == "" {
		from = "?"
	}
	return fmt.Sprintf("%s: %d %s from %s %s", q.Peer, q.Max, what, from, [...]string{"up", "down"}[q.Direction])
}
