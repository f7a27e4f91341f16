package example_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/example"
	"github.com/crustgo/crust/substrate/example/notary"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/pallets/system"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// A note is sent to a running node, which puts it into a block and finalises that.
func Example() {
	if err := withNode(example.Options{Keys: "//Alice"}, func(n *node) error {
		x, err := n.sign("//Bob", 0, "note", &notary.NoteArgs{Text: []byte("I was here first")})
		if err != nil {
			return err
		}
		events, err := n.finalised(x)
		for _, ev := range events {
			if noted, ok := ev.(*notary.Noted); ok {
				fmt.Printf("finalised: %s\n", noted.Text)
			}
		}
		return err
	}); err != nil {
		fmt.Println(err)
	}
	// Output: finalised: I was here first
}

// A node that stops and starts again goes on with the chain that it has.
func TestNodeKeepsItsChain(t *testing.T) {
	dir := t.TempDir()
	bob, err := crypto.ParseURI("//Bob", crypto.Sr25519)
	if err != nil {
		t.Fatal(err)
	}
	run := func(keys string, f func(*node) error) {
		t.Helper()
		if err := withNode(example.Options{Dir: dir, Keys: keys}, f); err != nil {
			t.Fatal(err)
		}
	}
	run("//Alice", func(n *node) error {
		first, err := n.sign("//Bob", 0, "note", &notary.NoteArgs{Text: []byte("hello")})
		if err != nil {
			return err
		}
		second, err := n.sign("//Bob", 1, "note", &notary.NoteArgs{Text: make([]byte, example.MaxNote+1)})
		if err != nil {
			return err
		}
		if _, err := n.finalised(first); err != nil {
			return err
		}
		events, err := n.finalised(second)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(events, func(ev any) bool { _, ok := ev.(*system.ExtrinsicFailed); return ok })
		if i < 0 {
			return fmt.Errorf("a note that is too long left the events %v", events)
		}
		failure := events[i].(*system.ExtrinsicFailed).DispatchError
		if got := n.rt.ErrorName(&failure); got != "Notary.TooLong" {
			return fmt.Errorf("a note that is too long failed with %s", got)
		}
		return n.check(bob.Account(), "hello")
	})
	run("", func(n *node) error { // it makes no blocks, and still answers
		var head types.Hash
		if err := n.call(&head, "chain_getFinalizedHead"); err != nil {
			return err
		}
		number, err := n.number(head)
		if err != nil {
			return err
		}
		if number == 0 {
			return errors.New("the chain began again")
		}
		return n.check(bob.Account(), "hello")
	})
}

// The pool refuses what could never be paid or was not signed by the sender.
func TestRefusals(t *testing.T) {
	if err := withNode(example.Options{Keys: "//Alice"}, func(n *node) error {
		poor, err := n.sign("//Nobody", 0, "note", &notary.NoteArgs{})
		if err != nil {
			return err
		}
		forged, err := n.sign("//Bob", 0, "note", &notary.NoteArgs{Text: []byte("hello")})
		if err != nil {
			return err
		}
		forged[len(forged)-1] ^= 1 // of the text
		for name, x := range map[string]types.Extrinsic{"poor": poor, "forged": forged} {
			var rpcErr *wire.Error
			if err := n.call(new(types.Hash), "author_submitExtrinsic", wire.Hex(x)); !errors.As(err, &rpcErr) || rpcErr.Code != 1010 {
				t.Errorf("%s: %v", name, err)
			}
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// The chain specification is the same on every machine.
func TestSpecIsStable(t *testing.T) {
	encode := func() []byte {
		spec, err := example.Spec(example.NewRuntime())
		if err != nil {
			t.Fatal(err)
		}
		b, err := spec.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(encode(), encode()) {
		t.Error("two builds of one specification differ")
	}
}

// node is a running node, seen through its RPC server.
type node struct {
	ctx     context.Context
	url     string
	rt      *example.Runtime
	genesis types.Hash
	next    types.BlockNumber // to look into
}

// withNode runs a node while f uses it, and stops it in order.
func withNode(o example.Options, f func(*node) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // only for when nothing happens at all
	defer cancel()
	o.Listen = "127.0.0.1:0"
	ready := make(chan string, 1)
	o.Ready = func(url string) { ready <- url }
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("node", func(ctx context.Context) error { return example.Run(ctx, o) })
	g.Go("client", func(ctx context.Context) error {
		defer g.Stop()
		select {
		case url := <-ready:
			n := &node{ctx: ctx, url: url, rt: example.NewRuntime(), next: 1}
			if err := n.call(&n.genesis, "chain_getBlockHash", 0); err != nil {
				return err
			}
			return f(n)
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return g.Wait()
}

// call asks the node one thing.
func (n *node) call(out any, method string, params ...any) error {
	if params == nil {
		params = []any{}
	}
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(n.ctx, http.MethodPost, n.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if body, err = io.ReadAll(res.Body); err != nil {
		return err
	}
	var env wire.Envelope
	if err := wire.ParseEnvelope(body, &env); err != nil {
		return err
	}
	if env.Error != nil {
		e := new(wire.Error)
		if err := json.Unmarshal(env.Error, e); err != nil {
			return err
		}
		return fmt.Errorf("%s: %w", method, e)
	}
	return wire.DecodeValue(env.Result, out)
}

func (n *node) sign(uri string, nonce types.Nonce, name string, args any) (types.Extrinsic, error) {
	return example.Sign(n.rt, n.genesis, uri, nonce, "Notary", name, args)
}

// finalised submits a transaction and returns its events once its block is final.
func (n *node) finalised(x types.Extrinsic) ([]any, error) {
	if err := n.call(new(types.Hash), "author_submitExtrinsic", wire.Hex(x)); err != nil {
		return nil, err
	}
	for ; ; n.next++ {
		at, err := n.final(n.next)
		if err != nil {
			return nil, err
		}
		var b struct {
			Block struct{ Extrinsics []wire.Hex }
		}
		if err := n.call(&b, "chain_getBlock", at); err != nil {
			return nil, err
		}
		i := slices.IndexFunc(b.Block.Extrinsics, func(y wire.Hex) bool { return bytes.Equal(x, y) })
		if i < 0 {
			continue
		}
		var raw wire.Hex
		if err := n.call(&raw, "state_getStorage", wire.Hex(n.rt.System.Events.Key()), at); err != nil {
			return nil, err
		}
		return n.eventsOf(raw, uint32(i))
	}
}

// eventsOf decodes the events of one extrinsic of a block.
func (n *node) eventsOf(raw []byte, extrinsic uint32) (out []any, err error) {
	records, err := frame.NewEventList(raw).Records(n.rt.Runtime)
	for _, r := range records {
		if i := r.Phase.ApplyExtrinsic; i != nil && *i == extrinsic {
			out = append(out, r.Event.Decode(n.rt.Runtime))
		}
	}
	return out, err
}

// final waits until a block of that number is final and returns its hash.
func (n *node) final(number types.BlockNumber) (at types.Hash, err error) {
	for {
		var head types.Hash
		if err := n.call(&head, "chain_getFinalizedHead"); err != nil {
			return at, err
		}
		last, err := n.number(head)
		if err != nil {
			return at, err
		}
		if last >= number {
			return at, n.call(&at, "chain_getBlockHash", number)
		}
		select {
		case <-n.ctx.Done():
			return at, n.ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// number is the number of a block.
func (n *node) number(at types.Hash) (number types.BlockNumber, err error) {
	var header struct{ Number string }
	if err := n.call(&header, "chain_getHeader", at); err != nil {
		return 0, err
	}
	_, err = fmt.Sscanf(header.Number, "0x%x", &number)
	return number, err
}

// check compares an account's note in the best state.
func (n *node) check(who types.AccountID, want string) error {
	var raw wire.Hex
	if err := n.call(&raw, "state_getStorage", wire.Hex(n.rt.Notary.Notes.Key(who))); err != nil {
		return err
	}
	var got notary.Note
	c := scale.NewCursor(raw)
	scale.CodecOf[notary.Note]().Decode(c, &got)
	if err := c.Finish(); err != nil {
		return err
	}
	if string(got.Text) != want || got.At == 0 {
		return fmt.Errorf("the note is %+v, want %q", got, want)
	}
	return nil
}
