package sync

import (
	"testing"

	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// FuzzMachine plays random events: whatever peers and importer say, in whatever
// order, nothing panics and the limits hold.
func FuzzMachine(f *testing.F) {
	f.Add([]byte("\x00\x00\x09\x01\x02\x00\x02\x01\x03\x00\x03\x01\x04\x00\x05\x01\x06\x07\x08\x09"))
	f.Add([]byte("\x00\x00\x3f\x02\x00\x00\x02\x10\x01\x04\x00\x00\x02\x00\x00\x04\x11\x22\x01\x05\x05"))
	w := newWorld()
	var all []types.Hash
	for _, c := range []struct {
		salt  string
		from  int
		count int
		kind  byte
		begin types.Moment
	}{{"main", 0, 400, goodBlock, 0}, {"fork", 30, 60, goodBlock, 0}, {"bad", 50, 40, badBlock, 0}, {"late", 60, 30, goodBlock, 3000}} {
		h := w.genesis
		if c.from > 0 {
			h = all[c.from-1]
		}
		for range c.count {
			h = w.grow(h, c.salt, c.kind, c.begin, 50)
			all = append(all, h)
		}
	}
	peers := []types.PeerID{"a", "b", "c", "d"}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := newLedger(w)
		m := New(l, Config{Check: inspect, Limits: Limits{Peers: 3, PerPeer: 2, Headers: 200, Bytes: 5000, Importing: 40}})
		now := types.Moment(1)
		var open []Request
		var handed []Block
		next := func() int {
			if len(data) == 0 {
				return 0
			}
			b := data[0]
			data = data[1:]
			return int(b)
		}
		for len(data) > 0 {
			op, p := next(), peers[next()%len(peers)]
			h := all[(next()*7+op)%len(all)]
			now += types.Moment(op)
			switch op % 10 {
			case 0:
				m.Connected(now, p, w.target(h))
			case 1:
				m.Announced(now, p, w.blocks[h].Header, op&16 != 0)
			case 2, 3, 4:
				if len(open) > 0 {
					i := next() % len(open)
					q := open[i]
					open = append(open[:i], open[i+1:]...)
					m.Responded(now, q.Peer, q.ID, mangle(w.serve(all[next()%2*399], q.BlockRequest, 128), next()))
				} else {
					m.Responded(now, p, RequestID(next()), []protocol.BlockData{*w.blocks[h]})
				}
			case 5, 6:
				var results []Result
				for _, b := range handed {
					o := l.place(now, b)
					if r := next(); r > 240 {
						o = Outcome(r % 7)
					}
					results = append(results, Result{b.Hash, o})
				}
				handed = nil
				m.Imported(now, append(results, Result{h, Outcome(op % 7)}))
			case 7:
				m.Disconnected(now, p)
			case 8:
				if l.blocks[h] && w.below(h, l.finalised.Number) == l.finalised.Hash {
					l.finalise(h)
				}
				m.WantJustification(now, w.target(h))
				m.JustificationChecked(now, w.target(h), p, op&16 != 0)
				m.ChainMoved(now)
			default:
				m.Failed(now, p, RequestID(next()))
				now += types.Moment(next()) * 200
				m.Tick(now)
			}
			r := m.Ready()
			open = append(open, r.Requests...)
			for _, run := range r.Import {
				handed = append(handed, run...)
			}
			if err := m.check(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// mangle makes a lie of an answer, or leaves it.
func mangle(blocks []protocol.BlockData, how int) []protocol.BlockData {
	if len(blocks) == 0 || how > 100 {
		return blocks
	}
	b := &blocks[how%len(blocks)]
	switch how % 9 {
	case 0:
		b.Header = nil
	case 1:
		b.Hash[0]++
	case 2:
		b.HasBody, b.Body = !b.HasBody, nil
	case 3:
		b.Body = []types.Extrinsic{nil}
	case 4:
		return append(blocks, blocks...)
	case 5:
		b.Header = &types.Header{Number: types.BlockNumber(how)}
		b.Hash = b.Header.Hash()
	case 6:
		b.Justifications = types.Justifications{{Engine: types.EngineGRANDPA}}
	case 7:
		return blocks[:how%len(blocks)]
	default:
		return nil
	}
	return blocks
}
