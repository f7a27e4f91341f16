package staking

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/crustgo/crust/client"
	reader "github.com/crustgo/crust/client/staking"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/program"
	"github.com/crustgo/crust/test/testnet"
)

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

// patience is when a test that waits for a condition gives up.
const patience = 5 * time.Minute

// world is a network with eras of 16 slots, eight seconds.
type world struct {
	*testnet.Net
	t   *testing.T
	ctx context.Context // of the test
}

// network has validators with 20,000 CRU each, whom no offences are punished of, and
// five seats. Guests have money, and may have stake behind them without storage.
func network(validators int, guests ...string) runtime.Network {
	n := runtime.Devnet(validators)
	n.Endowed = append(n.Endowed, "//User//stash")
	for _, g := range guests {
		for _, uri := range []string{"//" + g, "//" + g + "//stash"} {
			if !slices.Contains(n.Endowed, uri) {
				n.Endowed = append(n.Endowed, uri)
			}
		}
	}
	n.Preset.SlotDuration, n.Preset.EpochLength, n.Preset.Staking.SessionsPerEra = 500, 8, 2
	return n
}

func spec(t *testing.T, n runtime.Network, guests ...string) *chainspec.Spec {
	t.Helper()
	s, err := n.Spec()
	if err != nil {
		t.Fatal(err)
	}
	var section map[string]any
	if err := json.Unmarshal(s.Genesis.Runtime["Staking"], &section); err != nil {
		t.Fatal(err)
	}
	for _, g := range guests {
		section["bootstrapLimits"] = append(section["bootstrapLimits"].([]any), []any{account(t, "//"+g+"//stash").String(), "100000000000000000"})
	}
	if s.Genesis.Runtime["Staking"], err = json.Marshal(section); err != nil {
		t.Fatal(err)
	}
	return s
}

func account(t *testing.T, uri string) types.AccountID {
	t.Helper()
	pair, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Account()
}

// newWorld makes a network of which nothing runs; what is left of a configuration is filled in.
func newWorld(t *testing.T, n runtime.Network, c testnet.Config, guests ...string) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("runs processes")
	}
	c.Program, c.Dir, c.Validators, c.Spec, c.Args = program.Path(), t.TempDir(), len(n.Validators), spec(t, n, guests...), []string{"--validator"}
	net, err := testnet.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, fmt.Errorf("not within %v", patience))
	t.Cleanup(func() {
		cancel()
		if err := net.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{net, t, ctx}
}

// start starts nodes, all if none is named.
func (w *world) start(which ...int) {
	w.t.Helper()
	if err := w.Start(w.ctx, which...); err != nil {
		w.t.Fatal(err)
	}
}

// crust runs a command against a node, and returns what it writes.
func (w *world) crust(node int, args ...string) []byte {
	w.t.Helper()
	cmd := exec.CommandContext(w.ctx, program.Path(), append(args, "--url", w.Nodes[node].URL("ws"))...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("crust %v: %v\n%s%s", args, err, &out, &errs)
	}
	return out.Bytes()
}

// row is a line of `crust validator list --json`.
type row struct {
	Stash       types.AccountID
	Validating  bool
	NextElected bool
	Points      uint32
}

// await waits until the list of validators is as ok wants it.
func (w *world) await(what string, ok func(of func(uri string) row) bool) {
	w.t.Helper()
	w.t.Log("waiting for", what)
	for {
		var rows []row
		if err := json.Unmarshal(w.crust(0, "validator", "list", "--json"), &rows); err != nil {
			w.t.Fatal(err)
		}
		if ok(func(uri string) row {
			i := slices.IndexFunc(rows, func(r row) bool { return r.Stash == account(w.t, uri) })
			if i < 0 {
				return row{}
			}
			return rows[i]
		}) {
			return
		}
		select {
		case <-w.ctx.Done():
			w.t.Fatalf("%s: %v\n%+v", what, context.Cause(w.ctx), rows)
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// validate takes somebody from nothing to standing for election, with a node.
func (w *world) validate(node int, who, amount, fee string) {
	w.t.Helper()
	w.crust(node, "validator", "bond", "//"+who, amount, "--suri", "//"+who+"//stash", "--wait", "inblock")
	w.crust(node, "validator", "set-keys", "--suri", "//"+who, "--wait", "inblock")
	w.crust(node, "validator", "validate", "--fee", fee, "--suri", "//"+who, "--wait", "inblock")
}

// A new validator is elected and makes blocks; a guarantor lifts another one above
// it; and everybody is paid what the rules say.
func TestFromBondToPayout(t *testing.T) {
	w := newWorld(t, network(4, "Eve", "Ferdie"), testnet.Config{Others: 2}, "Eve", "Ferdie")
	w.start()
	const eve, ferdie = 4, 5 // their nodes
	w.validate(eve, "Eve", "10000CRU", "40%")
	w.await("Eve to validate and make blocks", func(of func(string) row) bool { r := of("//Eve//stash"); return r.Validating && r.Points > 0 })

	w.validate(ferdie, "Ferdie", "5000CRU", "50%")
	w.await("Ferdie to be a candidate below the cut", func(of func(string) row) bool {
		return of("//Ferdie//stash").Stash != types.AccountID{} && !of("//Ferdie//stash").NextElected && of("//Eve//stash").NextElected
	})
	w.crust(0, "validator", "bond", "//User", "20000CRU", "--suri", "//User//stash", "--wait", "inblock")
	w.crust(0, "guarantor", "guarantee", "//Ferdie//stash", "20000CRU", "--suri", "//User", "--wait", "inblock")
	w.await("Ferdie to validate and make blocks in Eve's place", func(of func(string) row) bool {
		return of("//Ferdie//stash").Validating && of("//Ferdie//stash").Points > 0 && !of("//Eve//stash").Validating
	})
	since := w.worked("//Ferdie//stash", "//Alice//stash")
	w.checkPayout(since, "//Ferdie//stash", true, "//User//stash")
	w.checkPayout(since, "//Alice//stash", true)
	w.checkPayout(since, "//Eve//stash", false) // a candidate earns for its stake
	if err := w.Check(w.ctx); err != nil {
		t.Fatal(err)
	}
}

// worked waits until an era has ended, when its rewards are known, in which some validators made
// blocks: of 16 slots chance gives one of five none now and then.
func (w *world) worked(stashes ...string) types.EraIndex {
	w.t.Helper()
	for {
		era := w.state().Active
		for w.state().Active == era {
			time.Sleep(time.Second)
		}
		points, _, err := w.state().Points(w.ctx, era)
		if err != nil {
			w.t.Fatal(err)
		}
		if !slices.ContainsFunc(stashes, func(s string) bool { return points[account(w.t, s)] == 0 }) {
			return era
		}
	}
}

func (w *world) dial() *client.Client {
	w.t.Helper()
	c, err := client.Dial(w.ctx, w.Nodes[0].URL("ws"), client.Config{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

func (w *world) state() *reader.State {
	w.t.Helper()
	s, err := reader.Open(w.ctx, w.dial())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// number reads an amount or a number from storage, 0 if there is none.
func (w *world) number(c *client.Client, item string, keys ...any) *big.Int {
	w.t.Helper()
	v, err := c.Query(w.ctx, client.Best, "Staking", item, keys...)
	if err != nil {
		w.t.Fatal(err)
	}
	switch n := v.(type) {
	case *big.Int:
		return n
	case uint64:
		return new(big.Int).SetUint64(n)
	}
	return new(big.Int)
}

// checkPayout has a stash's rewards paid, and compares those of an era with the
// formula: the payout for blocks, if it made any, and a share of the staking payout, of which each
// guarantor is given its part of the fee.
func (w *world) checkPayout(era types.EraIndex, stash string, author bool, guarantors ...string) {
	w.t.Helper()
	c, s := w.dial(), w.state()
	who := account(w.t, stash)
	x, err := s.ExposureIn(w.ctx, era, who)
	if err != nil {
		w.t.Fatal(err)
	}
	prefs, err := s.PrefsIn(w.ctx, era, who)
	if err != nil {
		w.t.Fatal(err)
	}
	e := uint64(era)
	reward := w.number(c, "ErasAuthoringPayout", e, who)
	if made := reward.Sign() > 0; made != author {
		w.t.Errorf("%s is paid %v for blocks of era %d", stash, reward, era)
	}
	reward = new(big.Int).Add(reward, part(ratio(amount(x.Total), w.number(c, "ErasTotalStakes", e)), w.number(c, "ErasStakingPayout", e)))
	pool := part(big.NewInt(int64(prefs.Fee)), reward)
	want := map[types.AccountID]*big.Int{}
	if reward.Sign() == 0 {
		w.t.Errorf("%s is paid nothing for era %d", stash, era)
	}
	rest := new(big.Int).Set(reward)
	for _, o := range x.Others {
		want[o.Who] = part(ratio(amount(o.Value), amount(x.Total)), pool)
		rest.Sub(rest, want[o.Who])
	}
	want[who] = rest
	if len(want) != len(guarantors)+1 {
		w.t.Fatalf("%s has %d guarantors in era %d, want %v", stash, len(x.Others), era, guarantors)
	}
	for _, g := range append(guarantors, stash) {
		before := w.pendingIn(s, era, g, who)
		if before.Cmp(want[account(w.t, g)]) != 0 {
			w.t.Errorf("era %d owes %s %v, the formula says %v", era, g, before, want[account(w.t, g)])
		}
	}
	var paid struct {
		Events []struct {
			Event  string
			Fields json.RawMessage
		}
	}
	if err := json.Unmarshal(w.crust(0, "validator", "payout", stash, "--suri", "//User", "--json", "--batch", "200"), &paid); err != nil {
		w.t.Fatal(err)
	}
	for _, g := range append(guarantors, stash) {
		found := false
		for _, ev := range paid.Events {
			var f struct {
				Stash  types.AccountID
				Amount string
			}
			if ev.Event != "Staking.Reward" || json.Unmarshal(ev.Fields, &f) != nil {
				continue
			}
			found = found || f.Stash == account(w.t, g) && f.Amount == want[account(w.t, g)].String()
		}
		if !found {
			w.t.Errorf("nobody paid %v to %s: %s", want[account(w.t, g)], g, paid.Events)
		}
	}
}

// pendingIn is what an account gets when a validator's rewards of an era are paid.
func (w *world) pendingIn(s *reader.State, era types.EraIndex, uri string, validator types.AccountID) *big.Int {
	w.t.Helper()
	r, err := s.Pending(w.ctx, account(w.t, uri))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, x := range r.Rewards {
		if x.Era == era && x.Validator == validator {
			return amount(x.Amount)
		}
	}
	return new(big.Int)
}

func amount(n reader.Balance) *big.Int {
	out, _ := new(big.Int).SetString(n.String(), 10)
	return out
}

var billion = big.NewInt(1_000_000_000)

// ratio is p/q in billionths, as the chain rounds: down, after the digits that
// billionths cannot hold were dropped from both.
func ratio(p, q *big.Int) *big.Int {
	if q.Sign() == 0 {
		q = big.NewInt(1)
	}
	if p.Cmp(q) > 0 {
		p = q
	}
	f := new(big.Int).Add(q, new(big.Int).Sub(billion, big.NewInt(1)))
	if f.Quo(f, billion).Sign() == 0 {
		f.SetInt64(1)
	}
	n := new(big.Int).Mul(new(big.Int).Quo(p, f), billion)
	return n.Quo(n, new(big.Int).Quo(q, f))
}

// part is so many billionths of an amount, to the nearest, a half down.
func part(parts, x *big.Int) *big.Int {
	q, r := new(big.Int).QuoRem(new(big.Int).Mul(parts, x), billion, new(big.Int))
	if r.Cmp(big.NewInt(500_000_000)) > 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}
