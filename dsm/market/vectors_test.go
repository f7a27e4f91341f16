package market

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crustgo/crust/dsm/price"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// step is one step of a recorded scenario of the original chain.
type step struct {
	Op, Get, Call string
	Args          json.RawMessage
	Origin        json.RawMessage
	Then          []string
	Equals        json.RawMessage
	ExpectError   *struct {
		Module, Error uint8
		Name          string
	} `json:"expect_error"`
}

// replay is a chain with the original's test numbers and ways.
type replay struct {
	*world
	owners map[types.AccountID]types.AccountID
}

// noEffect are steps that prepare what does not exist here: privileged accounts,
// the original's worker registry and its reports, whose place the accepted file
// reports of add_who_into_replica take.
var noEffect = map[string]bool{"register": true, "ReportedInSlot.insert": true, "Identities.insert": true, "Swork.report_works": true,
	"Swork.set_spower_superior": true, "Market.set_spower_superior": true}

func newReplay(t *testing.T) *replay {
	w := newWorld(t, func(p *Pallet) {
		p.FileDuration = frame.ConstOf(types.BlockNumber(1000))
		p.ReportSlot = frame.ConstOf(types.BlockNumber(300))
		p.PendingLife = frame.ConstOf(types.BlockNumber(1_000_000))
		p.InitFileByteFee = frame.ConstOf(u(1000))
		p.MaximumFileSize = frame.ConstOf(uint64(137438953472))
		p.CollateralRatio = frame.ConstOf(uint32(10))
		p.RenewRewardRatio = frame.ConstOf(fixed.PerbillOne())
		p.BonusPerFee = frame.ConstOf(scale.Option[uint64]{})
		p.Rules = Rules{PayWhenReported: true, KeepOnRemoval: true, CountAll: true}
		p.Defaults = Defaults{MaxFileBaseFee: u(1_000_000_000_000), MaxFileByteFee: u(1_000_000), MaxFileKeysCountFee: u(1_000_000), SpowerReadyPeriod: 1_296_000}
		p.Currency.(*balances.Pallet).ExistentialDeposit = frame.ConstOf(u(1))
	})
	r := &replay{w, map[types.AccountID]types.AccountID{}}
	for _, a := range []types.AccountID{alice, bob, carol, StoragePot, StakingPot, ReservedPot, CollateralPot} {
		r.setBalance(a, 0)
	}
	for n, free := range map[byte]uint64{2: 50, 3: 50, 4: 200} { // BOB, CHARLIE and what the original's test chain began with
		if n != 4 {
			r.setBalance(who(n), free)
		}
	}
	r.p.FileBaseFee.Put(r.e, u(1000))
	return r
}

func (r *replay) setBalance(a types.AccountID, n uint64) {
	r.must(r.c.Call(r.e, frame.Root(), "Balances", "force_set_balance", &balances.ForceSetBalanceArgs{Who: types.Address(a), NewFree: u(n)}))
}

// jump opens block n at once: the recorded chain ran no blocks between.
func (r *replay) jump(n uint64) {
	if Block(n) <= r.at() {
		return
	}
	r.c.State.Apply(r.c.Runtime.End(r.e).Changes)
	r.c.Number = types.BlockNumber(n - 1)
	r.begin()
}

func TestVectors(t *testing.T) {
	var file struct {
		Pots      map[string]string
		Scenarios []struct {
			Name  string
			Steps []step
		}
	}
	raw, err := os.ReadFile("testdata/market.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]types.AccountID{"coll": CollateralPot, "stor": StoragePot, "stak": StakingPot, "rese": ReservedPot} {
		if file.Pots[name] != hex.EncodeToString(want[:]) {
			t.Errorf("pots: %s is %v", name, want)
		}
	}
	if len(file.Scenarios) != 17 {
		t.Errorf("%d scenarios", len(file.Scenarios))
	}
	for _, s := range file.Scenarios {
		t.Run(s.Name, func(t *testing.T) {
			r := newReplay(t)
			for i, st := range s.Steps {
				r.step(fmt.Sprintf("step %d", i), st)
			}
		})
	}
}

func (r *replay) step(where string, s step) {
	r.Helper()
	switch {
	case noEffect[s.Get+s.Call]:
	case s.Op == "call":
		r.dispatch(where, s)
	case s.Op == "check":
		got, want := any(nil), any(nil)
		b, err := json.Marshal(r.read(s))
		r.must(err)
		r.must(json.Unmarshal(b, &got))
		r.must(json.Unmarshal(s.Equals, &want))
		if d := cmp.Diff(want, got); d != "" {
			r.Fatalf("%s, %s %s:\n%s", where, s.Get, s.Args, d)
		}
	default:
		r.do(where, s)
	}
}

func accountOf(raw json.RawMessage) (a types.AccountID) {
	b, err := hex.DecodeString(strings.TrimPrefix(strings.Trim(string(raw), `"`), "0x"))
	if err != nil || len(b) != 32 {
		panic(fmt.Sprintf("%s is no account", raw))
	}
	copy(a[:], b)
	return a
}

func number(raw json.RawMessage) (n uint64) {
	if err := json.Unmarshal(raw, &n); err != nil {
		panic(err)
	}
	return n
}

// textOf is the CID of a recorded file: the original took any bytes for one, and
// 32 of them stand for a digest here.
func textOf(raw json.RawMessage) []byte {
	s := strings.Trim(string(raw), `"`)
	if digest, ok := strings.CutPrefix(s, "0x"); ok {
		b, _ := hex.DecodeString(digest)
		if len(b) != 32 {
			panic(s + " is no digest")
		}
		return []byte(dag.FromSum(dag.DagPB, [32]byte(b)).String())
	}
	return []byte(s)
}

func (r *replay) args(s step) (list []json.RawMessage) {
	if len(s.Args) > 0 {
		r.must(json.Unmarshal(s.Args, &list))
	}
	return list
}

func (r *replay) do(where string, s step) {
	a := r.args(s)
	switch s.Get {
	case "run_to_block", "Market.on_initialize":
		r.jump(number(a[0]))
	case "Balances.make_free_balance_be":
		r.setBalance(accountOf(a[0]), number(a[1]))
	case "mock_bond_owner":
		r.owners[accountOf(a[0])] = accountOf(a[1])
	case "add_collateral":
		r.purse.collateral[accountOf(a[0])] = u(number(a[1]))
	case "add_reward":
		r.p.credit(r.e, accountOf(a[0]), u(number(a[1])))
	case "FileKeysCountFee.put":
		r.p.FileKeysCountFee.Put(r.e, u(number(a[0])))
	case "MinFileBaseFee.put":
		r.p.MinFileBaseFee.Put(r.e, u(number(a[0])))
	case "OrdersCount.put":
		r.p.OrdersCount.Put(r.e, uint32(number(a[0])))
	case "AddedFilesCount.put":
		r.p.AddedFilesCount.Put(r.e, uint32(number(a[0])))
	case "SpowerReadyPeriod.put":
		r.p.SpowerReadyPeriod.Put(r.e, uint32(number(a[0])))
	case "Free.put":
		r.workers.free = u(number(a[0]))
	case "ReportedFilesSize.put":
		r.workers.files = u(number(a[0]))
	case "Market.update_base_fee":
		r.p.updateBaseFee(r.e)
	case "add_who_into_replica", "delete_replica":
		r.replica(s.Get == "add_who_into_replica", a)
	default:
		r.Fatalf("%s: %s is not known", where, s.Get)
	}
}

// replica takes an accepted file report and works it off at once. The time of the
// recorded report is its own.
func (r *replay) replica(added bool, a []json.RawMessage) {
	member, owner := accountOf(a[2]), accountOf(a[3])
	l := r.lineage(member)
	r.workers.accepted[l] = 2
	rep := Report{Member: member, Owner: owner, Counter: 1}
	key := Key(textOf(a[0]))
	if added {
		rep.Added = []AddedFile{{key, number(a[1])}}
	} else {
		rep.Deleted = []Key{key}
	}
	r.must(r.p.QueueReport(r.e, l, rep))
	k := pair(l, r.p.Queues.Get(r.e, l).Head)
	q := r.p.QueuedReports.Get(r.e, k)
	q.At = Block(number(a[7]))
	r.p.QueuedReports.Put(r.e, k, q)
	r.p.workOff(r.e, &budget{limit: types.Weight{RefTime: math.MaxUint64, ProofSize: math.MaxUint64}})
}

func (r *replay) lineage(member types.AccountID) (l Lineage) {
	copy(l[:], member[:])
	return l
}

func (r *replay) dispatch(where string, s step) {
	var named struct {
		Cid              json.RawMessage
		ReportedFileSize uint64 `json:"reported_file_size"`
		Tips, Amount     uint64
		ChangedFiles     []json.RawMessage `json:"changed_files"`
	}
	var list []json.RawMessage
	if json.Unmarshal(s.Args, &named) != nil {
		r.must(json.Unmarshal(s.Args, &list))
	}
	origin := frame.Root()
	var signed struct{ Signed json.RawMessage }
	if json.Unmarshal(s.Origin, &signed) == nil && signed.Signed != nil {
		origin = frame.Signed(accountOf(signed.Signed))
	}
	pallet, name, _ := strings.Cut(s.Call, ".")
	var args any
	switch name {
	case "place_storage_order":
		args = &PlaceStorageOrderArgs{textOf(named.Cid), named.ReportedFileSize, u(named.Tips), nil}
	case "add_prepaid":
		args = &AddPrepaidArgs{textOf(named.Cid), u(named.Amount)}
	case "calculate_reward":
		args = &CidArgs{textOf(named.Cid)}
	case "reward_merchant":
		args = &frame.NoArgs{}
	case "set_base_fee":
		args = &BaseFeeArgs{u(number(list[0]))}
	case "set_enable_market":
		args = &EnableArgs{string(list[0]) == "true"}
	case "set_file_base_fee_increase_threshold", "set_file_base_fee_decrease_threshold":
		args = &CountArgs{uint32(number(list[0]))}
	case "set_file_base_fee_increase_ratio", "set_file_base_fee_decrease_ratio", "set_file_byte_fee_increase_ratio", "set_file_byte_fee_decrease_ratio":
		args = &RatioArgs{fixed.PerbillFromParts(uint32(number(list[0])))}
	case "update_spower":
		r.updateSpower(named.ChangedFiles)
		return
	default:
		r.Fatalf("%s: call %s is not known", where, s.Call)
	}
	err := r.c.Call(r.e, origin, pallet, name, args)
	switch want := s.ExpectError; {
	case want == nil && err != nil, want != nil && err == nil:
		r.Fatalf("%s: %s gives %v", where, s.Call, err)
	case want != nil:
		if d := frame.DispatchErrorOf(err); d.Kind != frame.KindModule || d.Code[0] != want.Error || r.c.Runtime.ErrorName(d) != "Market."+want.Name {
			r.Fatalf("%s: %s gives %v, want %s", where, s.Call, err, want.Name)
		}
	}
}

// updateSpower evaluates the files for which the original's privileged account
// brought new power: the replicas that it named have become ready.
func (r *replay) updateSpower(changed []json.RawMessage) {
	for _, raw := range changed {
		var c []json.RawMessage
		r.must(json.Unmarshal(raw, &c))
		f, ok := r.p.load(r.e, Key(textOf(c[0])))
		if !ok {
			r.Fatalf("no file %s", c[0])
		}
		period := r.p.SpowerReadyPeriod.Get(r.e)
		r.p.SpowerReadyPeriod.Put(r.e, 0)
		r.p.evaluate(r.e, f, r.at())
		r.p.SpowerReadyPeriod.Put(r.e, period)
		r.p.save(r.e, f)
		if f.info.Spower != number(c[1]) {
			r.Fatalf("file %s has power %d, want %s", c[0], f.info.Spower, c[1])
		}
	}
}

func (r *replay) read(s step) any {
	a := r.args(s)
	switch s.Get {
	case "Balances.free_balance":
		return r.free(accountOf(a[0]))
	case "Market.orders_count":
		return r.p.OrdersCount.Get(r.e)
	case "Swork.added_files_count":
		return r.p.AddedFilesCount.Get(r.e)
	case "Market.file_base_fee":
		return r.p.FileBaseFee.Get(r.e).Uint64Sat()
	case "Market.file_byte_fee":
		return r.p.FileByteFee.Get(r.e).Uint64Sat()
	case "Market.withdraw_staking_pot":
		return r.p.WithdrawStakingPot(r.e).Uint64Sat()
	case "Market.calculate_spower":
		return price.Power(number(a[0]), uint32(number(a[1])))
	case "merchant_ledgers":
		o := accountOf(a[0])
		return map[string]any{"collateral": r.purse.collateral[o].Uint64Sat(), "reward": r.purse.reward[o].Uint64Sat()}
	case "Market.filesv2":
		view := r.view(Key(textOf(a[0])), s)
		for _, field := range s.Then {
			return view[strings.TrimPrefix(field, ".")]
		}
		return view
	}
	r.Fatalf("%s cannot be read", s.Get)
	return nil
}

// view is a file as recorded. Anchors are our own: those of the record, which the
// original's workers made, are taken over.
func (r *replay) view(key Key, s step) map[string]any {
	f := r.file(string(key))
	var want struct {
		Replicas [][2]json.RawMessage
	}
	_ = json.Unmarshal(s.Equals, &want) // a single field has none
	replicas := []any{}
	for i, x := range f.Replicas {
		anchor := ""
		if i < len(want.Replicas) {
			var rep struct{ Anchor string }
			r.must(json.Unmarshal(want.Replicas[i][1], &rep))
			anchor = rep.Anchor
		}
		var created any
		if c, ok := x.B.CreatedAt.Get(); ok {
			created = c
		}
		replicas = append(replicas, []any{fmt.Sprintf("0x%x", x.A[:]), map[string]any{"who": fmt.Sprintf("0x%x", x.B.Who[:]), "valid_at": x.B.ValidAt,
			"anchor": anchor, "is_reported": x.B.IsReported, "created_at": created}})
	}
	return map[string]any{"file_size": f.FileSize, "spower": f.Spower, "expired_at": f.ExpiredAt, "calculated_at": f.CalculatedAt, "amount": f.Amount.Uint64Sat(),
		"prepaid": f.Prepaid.Uint64Sat(), "reported_replica_count": f.ReportedReplicaCount, "remaining_paid_count": f.RemainingPaidCount, "replicas": replicas}
}
