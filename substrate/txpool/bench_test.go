package txpool

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/types"
)

// crowd makes the transactions of some senders with some nonces each, in the
// order in which a network delivers them: mixed.
func crowd(senders, nonces int) []Tx {
	txs := make([]Tx, 0, senders*nonces)
	for n := range nonces {
		for i := range senders {
			s := (i*7919 + n) % senders
			var who types.AccountID
			binary.LittleEndian.PutUint32(who[:], uint32(s))
			who = hash.Blake2b256(who[:])
			tx := Tx{Signed: true, Sender: who, Nonce: types.Nonce(n), Bytes: make([]byte, 145), Priority: 1 << 20, Longevity: 64, Propagate: true,
				Provides: [][]byte{binary.LittleEndian.AppendUint32(who[:len(who):len(who)], uint32(n))}}
			if n > 0 {
				tx.Requires = [][]byte{binary.LittleEndian.AppendUint32(who[:len(who):len(who)], uint32(n-1))}
			}
			tx.Hash = hash.Blake2b256(tx.Provides[0])
			tx.Priority += uint64(tx.Hash[0]) // tips differ
			txs = append(txs, tx)
		}
	}
	return txs
}

func filled(b testing.TB, txs []Tx) *Pool {
	p := New(DefaultConfig())
	for i := range txs {
		if _, err := p.Submit(txs[i], 1); err != nil {
			b.Fatal(err)
		}
	}
	p.Events()
	return p
}

var shapes = [][2]int{{20_000, 1}, {100, 200}}

func shaped(b *testing.B, f func(b *testing.B, txs []Tx)) {
	for _, s := range shapes {
		b.Run(fmt.Sprintf("%dx%d", s[0], s[1]), func(b *testing.B) { f(b, crowd(s[0], s[1])) })
	}
}

// BenchmarkSubmit is one transaction into a pool that fills to 20,000.
func BenchmarkSubmit(b *testing.B) {
	shaped(b, func(b *testing.B, txs []Tx) {
		b.ReportAllocs()
		p, i := New(DefaultConfig()), 0
		for b.Loop() {
			if i == len(txs) {
				p, i = New(DefaultConfig()), 0
			}
			if _, err := p.Submit(txs[i], 1); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}

// BenchmarkReady offers all of 20,000 ready transactions.
func BenchmarkReady(b *testing.B) {
	shaped(b, func(b *testing.B, txs []Tx) {
		p := filled(b, txs)
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			for range p.Ready() {
				n++
			}
			if n != len(txs) {
				b.Fatal(n, "ready")
			}
		}
	})
}

// BenchmarkBlock prunes a block of 8,000 transactions from a pool of 20,000.
func BenchmarkBlock(b *testing.B) {
	shaped(b, func(b *testing.B, txs []Tx) {
		b.ReportAllocs()
		for b.Loop() {
			b.StopTimer()
			p := filled(b, txs)
			block := Block{Hash: types.Hash{1}, Number: 2}
			for tx := range p.Ready() {
				if block.Txs = append(block.Txs, Included{Hash: tx.Hash}); len(block.Txs) == 8000 {
					break
				}
			}
			runtime.GC() // of what filling the pool left behind
			b.StartTimer()
			p.OnBlock(Change{Enacted: []Block{block}})
			if n := p.Status().Ready.Count; n != 12_000 {
				b.Fatal(n, "left")
			}
		}
	})
}

// BenchmarkFull submits to a pool that has to evict for everything it takes.
func BenchmarkFull(b *testing.B) {
	shaped(b, func(b *testing.B, txs []Tx) {
		p := New(Config{Ready: Limit{len(txs) / 2, 1 << 30}, Future: Limit{1000, 1 << 30}})
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			tx := txs[i%len(txs)]
			binary.LittleEndian.PutUint64(tx.Hash[:], uint64(i)) // another transaction every time
			_, _ = p.Submit(tx, 1)
			if i++; i%1000 == 0 {
				p.Events()
			}
		}
	})
}
