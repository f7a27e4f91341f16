package sync

import (
	"fmt"
	"strings"
	"testing"

	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// A peer that named a block by its header alone, before its slot had begun here, is not to blame if it
// turns out wrong meanwhile.
func TestEarlyHeaderOfABadBlock(t *testing.T) {
	s := newStory()
	s.hash["b1"] = s.jump(s.genesis, "b", badBlock, 1000, 0, 1)
	s.names[s.hash["b1"]] = "b1"
	for _, step := range []struct{ do, want string }{
		{"peer honest genesis", ""}, {"peer author genesis", ""},
		{"at 900", ""}, {"announce honest b1", ""}, // the slot begins at 1000
		{"at 1010", ""}, {"announce author b1", "ask author"}, {"answer author", "import b1"},
		{"at 1100", ""}, {"import", "report author: bad block"}, {"at 1400", ""},
	} {
		if got := s.run(t, strings.Fields(step.do)); !strings.Contains(got, step.want) || step.want == "" && strings.Contains(got, "report") {
			t.Errorf("%s: %q, want %q", step.do, got, step.want)
		}
	}
}

// Many peers name a block by its header alone. The first that has it says so again, and is asked next.
func TestToldAgain(t *testing.T) {
	for _, peers := range []int{2, 8, 40} {
		w := newWorld()
		m := New(newLedger(w), Config{Limits: DefaultLimits(), Check: inspect})
		b := w.blocks[w.grow(w.genesis, "b", goodBlock, 0, 0)]
		id := func(i int) types.PeerID { return types.PeerID(fmt.Sprint("p", i)) }
		for i := range peers {
			m.Connected(0, id(i), w.target(w.genesis))
		}
		for i := range peers {
			m.Announced(0, id(i), b.Header, true)
		}
		const has, patience = 2_500, 1_100 // when the first has it, and how long peers leave a request
		var open []Request
		var since []types.Moment
		var came types.Moment
		for now := types.Moment(10); came == 0 && now < 60_000; now += 10 {
			m.Tick(now)
			if now == has {
				m.Announced(now, id(0), b.Header, true)
			}
			for _, q := range m.Ready().Requests {
				open, since = append(open, q), append(since, now)
			}
			for i := 0; i < len(open); i++ {
				q := open[i]
				switch {
				case q.Peer == id(0) && now >= has:
					m.Responded(now, q.Peer, q.ID, []protocol.BlockData{cut(*b, q.Fields)})
					came = now
				case now >= since[i]+patience:
					m.Responded(now, q.Peer, q.ID, nil)
				default:
					continue
				}
				open, since = append(open[:i:i], open[i+1:]...), append(since[:i:i], since[i+1:]...)
				i--
			}
		}
		if came == 0 || came > has+patience+50 {
			t.Errorf("%d peers: the block came at %d, the first has it at %d", peers, came, has)
		}
	}
}
