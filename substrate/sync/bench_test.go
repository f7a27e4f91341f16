package sync

import (
	"container/heap"
	"testing"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/protocol"
	"github.com/crustgo/crust/substrate/types"
)

// line is a chain without forks whose answers cost nothing to make.
type line struct {
	headers []protocol.BlockData // ascending from 0
	bodies  []protocol.BlockData // descending to 0
	at      map[types.Hash]types.BlockNumber
	best    types.BlockNumber // imported
	checked int               // headers whose head was asked for
}

func newLine(blocks, bodyBytes int) *line {
	l := &line{at: make(map[types.Hash]types.BlockNumber, blocks+1), bodies: make([]protocol.BlockData, blocks+1)}
	body := []types.Extrinsic{make([]byte, bodyBytes)}
	var parent types.Hash
	for i := range blocks + 1 {
		h := &types.Header{ParentHash: parent, Number: types.BlockNumber(i), Digest: types.Digest{
			types.PreRuntime(types.EngineBABE, make([]byte, 109)), types.Seal(types.EngineBABE, make([]byte, 64))}}
		parent = h.Hash()
		l.at[parent] = h.Number
		l.headers = append(l.headers, protocol.BlockData{Hash: parent, Header: h})
		l.bodies[blocks-i] = protocol.BlockData{Hash: parent, Body: body, HasBody: true}
	}
	return l
}

func (l *line) target(n types.BlockNumber) Target { return Target{l.headers[n].Hash, n} }
func (l *line) Best() Target                      { return l.target(l.best) }
func (l *line) Finalised() Target                 { return l.target(l.best - l.best%512) }
func (l *line) Head(h types.Hash) (types.BlockNumber, babe.Head, bool) {
	l.checked++
	n, ok := l.at[h]
	return n, babe.Head{}, ok && n <= l.best && n >= l.best-l.best%512
}

func (l *line) serve(q protocol.BlockRequest) []protocol.BlockData {
	if q.Direction == protocol.Ascending {
		end := min(int(q.FromNumber)+int(q.Max), len(l.headers))
		return l.headers[q.FromNumber:end]
	}
	top := int(l.at[q.FromHash])
	if q.Fields&protocol.FieldHeader == 0 {
		i := len(l.bodies) - 1 - top
		return l.bodies[i:min(i+int(q.Max), len(l.bodies)-1)]
	}
	var out []protocol.BlockData
	for n := top; n > 0 && len(out) < int(q.Max); n-- {
		b := l.bodies[len(l.bodies)-1-n]
		b.Header = l.headers[n].Header
		out = append(out, cut(b, q.Fields))
	}
	return out
}

// BenchmarkSync measures what the machine adds to a long sync, for each block: the
// hash of its header, and everything else. Peers and import cost nothing.
func BenchmarkSync(b *testing.B) {
	const blocks = 100_000
	l := newLine(blocks, 100)
	b.ReportAllocs()
	for b.Loop() {
		l.best = 0
		m := New(l, Config{})
		for _, p := range []types.PeerID{"a", "b", "c", "d"} {
			m.Connected(1, p, l.target(blocks))
		}
		var results []Result
		for now := types.Moment(2); l.best < blocks; now++ {
			r := m.Ready()
			if len(r.Requests) == 0 && len(r.Import) == 0 {
				b.Fatalf("stuck at %d: %+v", l.best, m.Status())
			}
			for _, q := range r.Requests {
				m.Responded(now, q.Peer, q.ID, l.serve(q.BlockRequest))
			}
			for _, run := range r.Import {
				results = results[:0]
				for _, x := range run {
					results = append(results, Result{x.Hash, ImportOK})
				}
				l.best = run[len(run)-1].Header.Number
				m.Imported(now, results)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/blocks, "ns/block")
}

// pipe plays a sync with times: round trips, a line of so many bytes a millisecond
// for each peer, an importer of so many microseconds a block. It returns the
// milliseconds it took.
func pipe(t *testing.T, l *line, peers, roundTrip, bytesPerMilli, importMicros int) int {
	m := New(l, Config{})
	var queue events
	var now, busy types.Moment // microseconds
	free := map[types.PeerID]types.Moment{}
	goal := types.BlockNumber(len(l.headers) - 1)
	push := func(at types.Moment, do func()) {
		heap.Push(&queue, event{at, len(queue) + int(now), do})
	}
	for i := range peers {
		m.Connected(0, types.PeerID(rune('a'+i)), l.target(goal))
	}
	for l.best < goal {
		r := m.Ready()
		for _, q := range r.Requests {
			blocks, size := l.serve(q.BlockRequest), 0
			for i, b := range blocks {
				if size += 300 + bodySize(b.Body); size > 8<<20 { // as servers cut their answers
					blocks = blocks[:i+1]
					break
				}
			}
			free[q.Peer] = max(free[q.Peer], now) + types.Moment(size*1000/bytesPerMilli)
			push(free[q.Peer]+types.Moment(roundTrip*1000), func() { m.Responded(now/1000, q.Peer, q.ID, blocks) })
		}
		for _, run := range r.Import {
			busy = max(busy, now) + types.Moment(len(run)*importMicros)
			push(busy, func() {
				var results []Result
				for _, b := range run {
					results = append(results, Result{b.Hash, ImportOK})
				}
				l.best = run[len(run)-1].Header.Number
				m.Imported(now/1000, results)
			})
		}
		if r.Wake != 0 {
			push(r.Wake*1000, func() { m.Tick(now / 1000) })
		}
		if len(queue) == 0 {
			t.Fatalf("stuck at %d: %+v", l.best, m.Status())
		}
		e := heap.Pop(&queue).(event)
		now = e.at
		e.do()
	}
	return int(now / 1000)
}

// TestPipeIsFull: the importer waits for less than 15 % of the time.
func TestPipeIsFull(t *testing.T) {
	for _, c := range []struct {
		name                                               string
		blocks, body, peers, roundTrip, bandwidth, imports int
	}{
		{"empty blocks, one near peer", 20_000, 100, 1, 5, 100_000, 200},
		{"empty blocks, the last headers find the tree full", 20_030, 100, 1, 1, 100_000, 400},
		{"empty blocks, one far peer", 20_000, 100, 1, 50, 100_000, 400},
		{"empty blocks, three far peers", 20_000, 100, 3, 100, 100_000, 250},
		{"full blocks, two peers", 300, 1 << 20, 2, 50, 12_000, 100_000},
		{"medium blocks, one peer", 3000, 50_000, 1, 50, 25_000, 5_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			took := pipe(t, newLine(c.blocks, c.body), c.peers, c.roundTrip, c.bandwidth, c.imports)
			alone := c.blocks * c.imports / 1000
			if t.Logf("%d ms of %d", alone, took); alone*100 < took*85 {
				t.Errorf("took %d ms, the import alone takes %d", took, alone)
			}
		})
	}
}
