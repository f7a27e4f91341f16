package chaintest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// CRU is one coin in plancks.
const CRU = runtime.CRU

// Users is how many accounts User names.
const Users = 64

// Start is when chains begin: the first slot of block 1, in milliseconds.
const Start types.Moment = 1_700_000_000_000

// User is the secret URI of an endowed account.
func User(i int) string { return fmt.Sprintf("//user//%d", i%Users) }

// Net is one chain as its specification describes it, and the clock that its
// nodes share. It is safe for concurrent use.
type Net struct {
	Spec    *chainspec.Spec // raw
	Runtime *runtime.Runtime
	Genesis chain.Genesis
	state   state.View // of block 0
	now     atomic.Uint64
}

// New makes a chain with a block a second, whose only authority is //Alice;
// tweak may be nil.
func New(t testing.TB, tweak func(*runtime.Network)) *Net {
	t.Helper()
	network := runtime.Networks()["dev"]
	for i := range Users {
		network.Endowed = append(network.Endowed, User(i))
	}
	if tweak != nil {
		tweak(&network)
	}
	spec, err := network.Spec()
	if err != nil {
		t.Fatal(err)
	}
	return Load(t, spec)
}

// Load makes the chain of a specification.
func Load(t testing.TB, spec *chainspec.Spec) *Net {
	t.Helper()
	n := &Net{}
	n.now.Store(uint64(Start))
	var err error
	if n.Runtime, n.Spec, err = runtime.Load(spec); err != nil {
		t.Fatal(err)
	}
	if n.Genesis.Header, err = n.Spec.GenesisHeader(); err != nil {
		t.Fatal(err)
	}
	if n.Genesis.Entries, err = n.Spec.Entries(); err != nil {
		t.Fatal(err)
	}
	n.state = state.NewMem(n.Genesis.Entries)
	return n
}

// Now is the time.
func (n *Net) Now() types.Moment { return types.Moment(n.now.Load()) }

// AtLeast moves the clock forward to a moment, never back.
func (n *Net) AtLeast(m types.Moment) {
	for {
		old := n.now.Load()
		if old >= uint64(m) || n.now.CompareAndSwap(old, uint64(m)) {
			return
		}
	}
}

// Advance moves the clock forward by some slots.
func (n *Net) Advance(slots uint64) { n.now.Add(slots * n.Runtime.Preset.SlotDuration) }

var (
	pairMu sync.Mutex
	pairs  = map[string]crypto.Pair{}
)

// Pair is the key of a secret URI; its derivation is remembered.
func Pair(uri string, scheme crypto.Scheme) crypto.Pair {
	pairMu.Lock()
	defer pairMu.Unlock()
	id := scheme.String() + " " + uri
	p, ok := pairs[id]
	if !ok {
		var err error
		if p, err = crypto.ParseURI(uri, scheme); err != nil {
			panic(err) // the tests' own URIs
		}
		pairs[id] = p
	}
	return p
}

// Account is the account of a secret URI.
func Account(uri string) types.AccountID { return Pair(uri, crypto.Sr25519).Account() }

// BabeKey is the authoring key of a secret URI.
func BabeKey(uri string) babe.Key { return Pair(uri, crypto.Sr25519).(crypto.Sr25519Pair).KeyPair }

// GrandpaKey is the voting key of a secret URI.
func GrandpaKey(uri string) *ed25519.KeyPair {
	return Pair(uri, crypto.Ed25519).(crypto.Ed25519Pair).KeyPair
}
