package staking

import (
	"bytes"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/testnet"
)

// spare has Root say whom no offences are punished of, and waits until that is final. On a
// slow machine anybody may be late: only who is meant to be punished is not spared.
func (w *world) spare(names ...string) {
	w.t.Helper()
	var list []string
	for _, n := range names {
		list = append(list, fmt.Sprintf("%q", account(w.t, "//"+n+"//stash")))
	}
	w.crust(0, "tx", "sudo", "sudo", `{"staking.setInvulnerables": {"invulnerables": [`+strings.Join(list, ",")+`]}}`, "--suri", "//Alice")
}

// names reports whether a value names an account somewhere.
func names(v metadata.Value, who types.AccountID) bool {
	return strings.Contains(text(v), text(metadata.Account{ID: who, Prefix: 66}))
}

// candidate reports whether a stash stands for election after a block.
func (r *chainReader) candidate(at types.Hash, stash types.AccountID) bool {
	r.w.t.Helper()
	_, ok, err := r.c.QueryRaw(r.w.ctx, at, "Staking", "Validators", stash)
	if err != nil {
		r.w.t.Fatal(err)
	}
	return ok
}

// A validator whose process is gone is taken off the candidates and loses nothing,
// and the one that waited below the cut has its seat. One that runs twice with the same
// keys is reported by the others; what it and its guarantor lose, when the time for
// it has come, is what the rules say, and the treasury has all but the reporter's part.
func TestOffences(t *testing.T) {
	n := network(5, "Eve", "Ferdie")
	n.Preset.Staking.BondingDuration, n.Preset.Staking.SlashDeferDuration = 3, 1
	w := newWorld(t, n, testnet.Config{Others: 2, Keys: []string{"", "//Eve"}}, "Ferdie")
	const dave, ferdie, twin = 3, 5, 6 // their nodes
	w.start(0, 1, 2, 3, 4, ferdie)
	w.validate(ferdie, "Ferdie", "5000CRU", "50%")
	w.crust(0, "validator", "bond", "//User", "20000CRU", "--suri", "//User//stash", "--wait", "inblock")
	w.crust(0, "guarantor", "guarantee", "//Eve//stash", "10000CRU", "--suri", "//User", "--wait", "inblock")
	w.await("Ferdie to be a candidate below the cut", func(of func(string) row) bool {
		return of("//Ferdie//stash").Stash != types.AccountID{} && !of("//Ferdie//stash").NextElected && of("//Dave//stash").NextElected
	})
	r := w.read(0)
	w.silence(r, dave)
	w.await("Ferdie to validate and make blocks in Dave's place", func(of func(string) row) bool {
		return of("//Ferdie//stash").Validating && of("//Ferdie//stash").Points > 0 && !of("//Dave//stash").Validating
	})
	w.equivocate(r, twin)
	if err := w.Check(w.ctx); err != nil {
		t.Fatal(err)
	}
}

// silence stops Dave's node and waits until he is no candidate any more.
func (w *world) silence(r *chainReader, node int) {
	w.t.Helper()
	stash := account(w.t, "//Dave//stash")
	w.spare("Alice", "Bob", "Charlie", "Eve", "Ferdie")
	r.skip()
	if err := w.Nodes[node].Stop(); err != nil {
		w.t.Fatal(err)
	}
	alone := true // others may be late on a slow machine: then there is a slash
	b := r.until("Dave to be reported as silent", func(b *block) bool {
		for _, e := range b.of("ImOnline.SomeOffline") {
			if offline, _ := e.Member("offline"); names(offline, stash) {
				list, _ := offline.(metadata.List)
				alone = len(list) == 1
				return true
			}
		}
		return false
	})
	if r.candidate(b.Hash, stash) {
		w.t.Errorf("Dave stands for election after block %d, which says that he is silent", b.Number)
	}
	if waiting := r.value(b.Hash, "Staking", "UnappliedSlashes", r.era(b.Hash)); alone && names(waiting, stash) {
		w.t.Errorf("Dave is to be slashed for silence, alone of five: %s", text(waiting))
	}
}

// equivocate runs Eve a second time until she is reported, and sees the slash through.
func (w *world) equivocate(r *chainReader, node int) {
	w.t.Helper()
	eve, user := account(w.t, "//Eve//stash"), account(w.t, "//User//stash")
	w.start(node)
	if err := w.Await(w.ctx, "Eve's twin to be where the others are", func(s []testnet.State) bool {
		return s[node].Running && s[node].Peers > 0 && s[node].Best+2 >= s[0].Best
	}); err != nil {
		w.t.Fatal(err)
	}
	w.spare("Alice", "Bob", "Charlie", "Dave", "Ferdie") // what she did until now is forgiven
	late := false                                        // a machine that stands still for seconds makes her, and others, silent too
	filed := r.until("a report of Eve, and a slash that waits", func(b *block) bool {
		for _, e := range b.of("ImOnline.SomeOffline") {
			late = late || names(e.Fields, eve)
		}
		reported := slices.ContainsFunc(b.of("Offences.Offence"), func(e metadata.Event) bool { return e.Extrinsic != nil })
		return reported && names(r.value(b.Hash, "Staking", "UnappliedSlashes", r.era(b.Hash)), eve)
	})
	if err := w.Nodes[node].Stop(); err != nil {
		w.t.Fatal(err)
	}
	reporter := w.checkReport(r, filed)
	if r.candidate(filed.Hash, eve) {
		w.t.Errorf("Eve stands for election after block %d, in which she was reported", filed.Number)
	}
	if late {
		w.t.Log("Eve was late as well, which has a price of its own: only that nothing is lost on the way is compared")
		w.checkSums(r.until("a slash of Eve", func(b *block) bool { return sum(b.of("Staking.Slash"), "stash", "amount")[eve] != nil }))
		return
	}
	now := r.era(filed.Hash)
	waiting := r.value(filed.Hash, "Staking", "UnappliedSlashes", now)
	if !names(waiting, reporter) {
		w.t.Errorf("%v made the block with the report, and is no reporter: %s", reporter, text(waiting))
	}
	x, err := w.state().ExposureIn(w.ctx, types.EraIndex(now), eve)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(x.Others) != 1 || x.Others[0].Who != user {
		w.t.Fatalf("behind Eve stands %+v", x)
	}
	// Of five validators one: (3/5)² of what is exposed.
	const fraction = 360_000_000
	lost := map[types.AccountID]*big.Int{eve: part(big.NewInt(fraction), amount(x.Own)), user: part(big.NewInt(fraction), amount(x.Others[0].Value))}
	before := map[types.AccountID]*big.Int{}
	for who := range lost {
		before[who] = w.bondedAt(r.c, filed.Hash, who)
	}
	taken := r.until("the slash to be taken", func(b *block) bool { return sum(b.of("Staking.Slash"), "stash", "amount")[eve] != nil })
	if at := r.era(taken.Hash); at != now+2 { // the era of the report, and the one that it waits
		w.t.Errorf("a slash of era %d was taken in era %d", now, at)
	}
	w.checkSlash(taken, lost, reporter)
	w.checkSums(taken)
	for who := range lost {
		after := w.bondedAt(r.c, taken.Hash, who)
		if d := new(big.Int).Sub(before[who], after); d.Cmp(lost[who]) != 0 {
			w.t.Errorf("%v has %v less bonded, not %v", who, d, lost[who])
		}
	}
	w.await("Eve to validate no longer", func(of func(string) row) bool { return !of("//Eve//stash").Validating })
}

// checkReport sees that nobody signed the report in a block, and returns who made the block.
func (w *world) checkReport(r *chainReader, b *block) types.AccountID {
	w.t.Helper()
	body, err := r.c.Block(w.ctx, b.Hash)
	if err != nil {
		w.t.Fatal(err)
	}
	found := false
	for _, e := range b.of("Offences.Offence") {
		kind, _ := e.Member("kind")
		if e.Extrinsic == nil {
			continue // the end of a session: somebody was silent
		}
		found = true
		if k, _ := kind.(metadata.Bytes); !bytes.HasPrefix(k, []byte("babe:equivocatio")) && !bytes.HasPrefix(k, []byte("grandpa:equivoca")) {
			w.t.Errorf("an offence of kind %s was reported", text(kind))
		}
		const unsigned = 4 // version, without the bit that says so
		if x := scale.NewCursor(body.Body[*e.Extrinsic]); x.Compact() == 0 || x.U8() != unsigned {
			w.t.Errorf("somebody signed the report in block %d: %x", b.Number, []byte(body.Body[*e.Extrinsic]))
		}
	}
	if !found {
		w.t.Fatalf("block %d has no report: %+v", b.Number, b.Events)
	}
	claim, ok := body.Header.Digest.Find(types.DigestPreRuntime, types.EngineBABE)
	var made babe.PreDigest
	if err := scale.Decode(claim, &made); !ok || err != nil {
		w.t.Fatalf("block %d has no claim: %v", b.Number, err)
	}
	validators, _ := r.value(b.Hash, "Session", "Validators").(metadata.List)
	if int(made.Authority) >= len(validators) {
		w.t.Fatalf("block %d is of validator %d of %v", b.Number, made.Authority, validators)
	}
	return validators[made.Authority].(metadata.Account).ID
}

// checkSlash compares what a block took, and where it went, with the rules: of a tenth of each
// loss half is the reporter's, and the rest is the treasury's.
func (w *world) checkSlash(b *block, lost map[types.AccountID]*big.Int, reporter types.AccountID) {
	w.t.Helper()
	slashes := sum(b.of("Staking.Slash"), "stash", "amount")
	total, reward := new(big.Int), new(big.Int)
	for who, want := range lost {
		if slashes[who] == nil || slashes[who].Cmp(want) != 0 {
			w.t.Errorf("%v lost %v, the rules say %v", who, slashes[who], want)
		}
		total.Add(total, want)
		reward.Add(reward, part(big.NewInt(500_000_000), part(big.NewInt(100_000_000), want)))
	}
	if len(slashes) != len(lost) {
		w.t.Errorf("slashes of block %d: %v", b.Number, slashes)
	}
	treasury := sum(b.own("Treasury.Deposit"), "", "value")[types.AccountID{}]
	if want := new(big.Int).Sub(total, reward); treasury == nil || treasury.Cmp(want) != 0 {
		w.t.Errorf("the treasury has %v of %v, the rules say %v", treasury, total, want)
	}
	if got := sum(b.own("Balances.Deposit"), "who", "amount")[reporter]; got == nil || got.Cmp(reward) != 0 {
		w.t.Errorf("the reporter has %v of %v, the rules say %v", got, total, reward)
	}
}

// checkSums sees that all that a block took came to somebody.
func (w *world) checkSums(b *block) {
	w.t.Helper()
	total := new(big.Int)
	for _, n := range sum(b.of("Staking.Slash"), "stash", "amount") {
		total.Add(total, n)
	}
	got := new(big.Int)
	for _, n := range sum(b.own("Balances.Deposit"), "who", "amount") {
		got.Add(got, n)
	}
	if got.Cmp(total) != 0 {
		w.t.Errorf("%v was taken, %v came to somebody in block %d", total, got, b.Number)
	}
}

// bondedAt is what a stash has bonded after a block.
func (w *world) bondedAt(c *client.Client, at types.Hash, stash types.AccountID) *big.Int {
	w.t.Helper()
	controller, err := c.Query(w.ctx, at, "Staking", "Bonded", stash)
	if err != nil {
		w.t.Fatal(err)
	}
	ledger, err := c.Query(w.ctx, at, "Staking", "Ledger", controller)
	if err != nil {
		w.t.Fatal(err)
	}
	v, _ := metadata.Get(ledger, "total")
	n, ok := metadata.BigInt(v)
	if !ok {
		w.t.Fatalf("%v has bonded %v", stash, ledger)
	}
	return n
}
