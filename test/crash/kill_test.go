package crash

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/substrate/chain/blockfile"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/chaintest"
	"github.com/crustgo/crust/test/program"
)

// ledger is what clients were told.
type ledger struct {
	mu        sync.Mutex
	heads     map[types.BlockNumber]types.Hash // announced as best
	finalised map[types.BlockNumber]types.Hash
	txs       map[types.Hash]types.Hash // transaction to the block that was said to include it
}

func newLedger() *ledger {
	return &ledger{heads: map[types.BlockNumber]types.Hash{}, finalised: map[types.BlockNumber]types.Hash{}, txs: map[types.Hash]types.Hash{}}
}

// follow writes announced headers down until the connection breaks.
func (l *ledger) follow(ctx context.Context, s *client.Stream[*types.Header], into map[types.BlockNumber]types.Hash) {
	for {
		h, err := s.Next(ctx)
		if err != nil {
			return
		}
		l.mu.Lock()
		into[h.Number] = h.Hash()
		l.mu.Unlock()
	}
}

// load sends transfers of one account, each once the one before is in a block.
func (l *ledger) load(ctx context.Context, c *client.Client, signer *signer, who string) {
	nonce, err := c.Nonce(ctx, chaintest.Account(who))
	for ; err == nil; nonce++ {
		xt := signer.transfer(who, types.Nonce(nonce))
		var s *client.Stream[client.Status]
		if s, err = c.SubmitAndWatch(ctx, xt); err == nil {
			err = l.watch(ctx, s, xt.Hash())
		}
	}
}

// watch writes down the blocks that include a transaction until it is in one.
func (l *ledger) watch(ctx context.Context, s *client.Stream[client.Status], tx types.Hash) error {
	for {
		st, err := s.Next(ctx)
		if err != nil {
			return err
		}
		switch st.Kind {
		case client.InBlock, client.Finalized:
			l.mu.Lock()
			l.txs[tx] = st.Block
			l.mu.Unlock()
			return nil
		}
		if st.Kind.Final() {
			return errors.New("transaction is " + st.Kind.String())
		}
	}
}

// signer signs without a node; one at a time.
type signer struct {
	mu   sync.Mutex
	node *chaintest.Node
}

func (s *signer) transfer(who string, nonce types.Nonce) types.Extrinsic {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.node.Transfer(who, nonce, "//Bob", 1000)
}

// serve runs clients against a node until it is killed after some time.
func (l *ledger) serve(t *testing.T, p *nodeProcess, sign *signer, after time.Duration, atLeast types.BlockNumber) {
	t.Helper()
	url := p.ready(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, url, client.Config{})
	if err != nil {
		p.kill()
		t.Fatalf("%v\n%s", err, p.output())
	}
	defer c.Close()
	if h, err := c.Header(ctx, client.Best); err != nil || h.Number < atLeast {
		p.kill()
		t.Fatalf("the node begins with %+v, %v; block %d was there before", h, err, atLeast)
	}
	heads, err1 := c.SubscribeHeads(ctx)
	finals, err2 := c.SubscribeFinalizedHeads(ctx)
	if err := errors.Join(err1, err2); err != nil {
		p.kill()
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	clients.Go(func() { l.follow(ctx, heads, l.heads) })
	clients.Go(func() { l.follow(ctx, finals, l.finalised) })
	for i := range 12 {
		clients.Go(func() { l.load(ctx, c, sign, chaintest.User(i)) })
	}
	time.Sleep(after)
	p.kill()
	clients.Wait()
}

// check compares a file of blocks with what clients were told, and returns how
// many transactions they were told of.
func (l *ledger) check(t *testing.T, file string, res exported) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	r, err := blockfile.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	hashes, holds := map[types.BlockNumber]types.Hash{}, map[types.Hash]types.Hash{}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		h := rec.Block.Header.Hash()
		hashes[rec.Block.Header.Number] = h
		for _, x := range rec.Block.Body {
			holds[x.Hash()] = h
		}
	}
	for _, told := range []map[types.BlockNumber]types.Hash{l.heads, l.finalised} {
		for n, h := range told {
			if n > 0 && hashes[n] != h {
				t.Errorf("block %d was announced as %v; now it is %v", n, h, hashes[n])
			}
		}
	}
	for n := range l.finalised {
		if n > res.Finalised.Number {
			t.Errorf("block %d was announced as final; now only %d is", n, res.Finalised.Number)
		}
	}
	for tx, h := range l.txs {
		if holds[tx] != h {
			t.Errorf("transaction %v was said to be in block %v; now it is in %v", tx, h, holds[tx])
		}
	}
}

// kills runs a chain under load and kills it, again and again.
func kills(t *testing.T, runs int) {
	w := newWorld(t)
	sign := &signer{node: w.net.Start(t)}
	book := newLedger()
	var last exported
	for i := range runs {
		if i%10 == 0 { // a chain of its own now and then keeps the replays short
			if err := os.RemoveAll(w.path("data")); err != nil {
				t.Fatal(err)
			}
			book, last = newLedger(), exported{}
		}
		p := w.start(t, "data")
		if i%5 == 3 { // while it starts
			time.Sleep(w.between(0, 300*time.Millisecond))
			p.kill()
		} else {
			book.serve(t, p, sign, w.between(300*time.Millisecond, 1300*time.Millisecond), last.Last.Number)
		}
		if t.Failed() {
			t.Fatalf("run %d", i)
		}
		w.inspect(t, book, &last, i%5 == 4)
		if t.Failed() {
			t.Fatalf("run %d: what the node said:\n%s", i, p.output())
		}
	}
	t.Logf("in the last run: %d heads, %d final, %d transactions", len(book.heads), len(book.finalised), len(book.txs))
	if len(book.txs) == 0 || len(book.finalised) == 0 {
		t.Errorf("clients were told of %d transactions and %d final blocks: nothing was tested", len(book.txs), len(book.finalised))
	}
}

// inspect exports the chain that a killed node left, compares it with what
// clients know, and with itself when it is executed again.
func (w *world) inspect(t *testing.T, book *ledger, last *exported, verify bool) {
	t.Helper()
	var now exported
	w.chain(t, "data", &now, "export", w.path("blocks"))
	book.check(t, w.path("blocks"), now)
	if now.Last.Number < last.Last.Number || now.Finalised.Number < last.Finalised.Number {
		t.Errorf("the chain went from %+v back to %+v", *last, now)
	}
	*last = now
	if verify {
		var v verified
		w.chain(t, "data", &v, "verify")
		if v.Best != now.Last || v.StateKeys == 0 {
			t.Errorf("verified %+v of %+v", v, now)
		}
		return
	}
	if err := os.RemoveAll(w.path("replay")); err != nil {
		t.Fatal(err)
	}
	var again imported
	w.chain(t, "replay", &again, "import", w.path("blocks"))
	if again.Best != now.Last || again.Finalised != now.Finalised {
		t.Errorf("a replay gives %+v, the chain is %+v", again, now)
	}
}

func TestKill(t *testing.T) { kills(t, 20) }

// A node that is killed while it begins a chain can begin it again.
func TestKillGenesis(t *testing.T) {
	w := newWorld(t)
	for i := range 8 {
		if err := os.RemoveAll(w.path("data")); err != nil {
			t.Fatal(err)
		}
		p := w.start(t, "data")
		time.Sleep(w.between(10*time.Millisecond, 200*time.Millisecond))
		p.kill()
		p = w.start(t, "data")
		p.ready(t)
		p.kill()
		var now exported
		w.chain(t, "data", &now, "export", w.path("blocks"))
		if now.Last.Number < now.Finalised.Number {
			t.Errorf("run %d: %+v", i, now)
		}
	}
}

func TestLongKill(t *testing.T) {
	program.Long(t)
	kills(t, 200)
}
