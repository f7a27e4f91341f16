package chaintest

import (
	"crypto/rand"
	"crypto/sha256"
	"math"
	"slices"
	"testing"

	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/mpow/attest"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dev"
)

// Stored is a file that is ordered when a chain begins, and those who report it in
// the first blocks.
type Stored struct {
	File  string // canonical text of the CID
	Size  uint64
	Payer string   // secret URI
	Live  []string // secret URIs of workers that prove their files
	Dead  []string // of workers that never do
	Told  bool     // the live ones say that they serve at NobodyHere
}

// NobodyHere is an address, as the chain has it, at which nothing listens: port 1 of
// this machine.
var NobodyHere = []byte{4, 127, 0, 0, 1, 6, 0, 1}

// WithStored is a specification whose genesis has files, and workers that hold
// them: their enclaves are attested by the pallet's own rules, as is all that the
// market does with their reports; that the plans of live workers stood challenges,
// for ever, is written into the state.
func WithStored(t testing.TB, spec *chainspec.Spec, files ...Stored) *chainspec.Spec {
	t.Helper()
	rt, raw, err := runtime.Load(spec)
	if err != nil {
		t.Fatal(err)
	}
	e, p := rt.Frame.NewEnv(state.NewMem(raw.Genesis.Raw)), runtime.PalletsOf(rt)
	p.Timestamp.Now.Put(e, Start-60_000) // evidence has its time, and blocks come after it
	seen := map[string]bool{}
	for _, f := range files {
		call, err := rt.Frame.NewRuntimeCall("Market", "place_storage_order", &market.PlaceStorageOrderArgs{Cid: []byte(f.File), ReportedFileSize: f.Size})
		if err == nil {
			err = call.Dispatch(e, frame.Signed(Account(f.Payer)))
		}
		if err != nil {
			t.Fatalf("order of %s: %v", f.File, err)
		}
		for i, who := range slices.Concat(f.Live, f.Dead) {
			if !seen[who] {
				worker(t, p, e, who, i < len(f.Live))
				seen[who] = true
			}
			if f.Told && i < len(f.Live) {
				key := sha256.Sum256([]byte("peer of " + who))
				p.Swork.Endpoints.Put(e, Account(who), swork.Endpoint{Peer: append([]byte{0, 36, 8, 1, 18, 32}, key[:]...), Addresses: [][]byte{NobodyHere}})
			}
			report := market.Report{Member: Account(who), Owner: Account(who), Code: types.Hash(dev.CodeOf(tee.SGX, 1)), Counter: 1,
				Added: []market.AddedFile{{File: market.Key(f.File), Size: f.Size}}}
			if err := p.Market.QueueReport(e, lineage(who), report); err != nil {
				t.Fatal(err)
			}
		}
	}
	out := *raw
	out.Genesis.Raw = merge(raw.Genesis.Raw, e.Changes())
	return &out
}

func lineage(who string) market.Lineage {
	h := sha256.Sum256([]byte(who))
	return market.Lineage(h[:16])
}

// worker registers somebody's worker, with an enclave of its own machine.
func worker(t testing.TB, p *runtime.Pallets, e *frame.Env, who string, live bool) {
	t.Helper()
	key := attest.EnclaveKey(sha256.Sum256([]byte("key of " + who)))
	enclave := dev.NewEnclave(dev.Config{CA: dev.NewCA(dev.DevelopmentSeed()), Kind: tee.SGX, Version: 1, Secret: sha256.Sum256([]byte(who)), Random: rand.Reader})
	quote, err := enclave.Quote([64]byte{})
	if err != nil {
		t.Fatal(err)
	}
	ev, err := p.Attest.Verify(e, quote.Raw)
	if err == nil {
		err = p.Attest.Admit(e, key, ev)
	}
	if err != nil {
		t.Fatalf("enclave of %s: %v", who, err)
	}
	l := swork.Lineage(lineage(who))
	w := swork.Worker{Account: Account(who), Code: types.Hash(ev.Code), Platform: types.Hash(ev.Platform)}
	if live {
		w.Slot, w.Proven = math.MaxUint32, 2
		w.Since = math.MaxUint32 // or each recount would note that there was no report; so the owner is known by a group
		p.Swork.Groups.Put(e, w.Account, swork.Group{Members: []types.AccountID{w.Account}, Since: 1})
	}
	p.Swork.Records.Put(e, w.Account, swork.Record{Record: proof.NewRecord(proof.Hash(key), l)})
	p.Swork.Workers.Put(e, l, w)
	p.Swork.Lineages.Put(e, l, w.Account)
	p.Swork.WorkerCount.Put(e, p.Swork.WorkerCount.Get(e)+1)
}

// merge is what a state's entries are after changes, in order.
func merge(entries []trie.KV, changes []state.Change) []trie.KV {
	mem, err := state.NewMem(entries).With(changes)
	if err != nil {
		panic(err) // changes of an environment are in order
	}
	return mem.Entries()
}
