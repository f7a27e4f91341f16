package sim

import (
	"encoding/binary"

	"github.com/crustgo/crust/gpos/staking"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/balances"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/types"
)

// Times of the traffic, in milliseconds.
const (
	offerEvery  = 1_500  // a sender looks after its transaction
	offerAgain  = 12_000 // a transaction that is not final is sent again
	changeEvery = 15_000 // least time between two changes of one kind
)

// traffic sends transactions: each sender one after the other, again and again
// until it is in a final block.
type traffic struct {
	w       *world
	senders []*sender
	keys    uint64 // session keys that were made
	next    int    // whose keys change next
	away    int    // the validator that left; -1: none
}

// sender is an account with its next transaction.
type sender struct {
	pair    crypto.Pair
	nonce   types.Nonce
	call    func() (call frame.RuntimeCall, ok bool, err error)
	pause   types.Moment
	raw     types.Extrinsic // nil: none is on its way
	offered types.Moment
	since   types.Moment // when the last one was final
}

// init makes the senders.
func (t *traffic) init(w *world) error {
	t.w, t.away = w, -1
	add := func(uri string, pause types.Moment, call func() (frame.RuntimeCall, bool, error)) error {
		pair, err := crypto.ParseURI(uri, crypto.Sr25519)
		if err == nil {
			t.senders = append(t.senders, &sender{pair: pair, call: call, pause: pause, since: start})
		}
		return err
	}
	for _, uri := range []string{"//Faucet", "//User"} {
		if err := add(uri, 0, t.transfer); err != nil {
			return err
		}
	}
	if w.opt.Faults&SetChange == 0 {
		return nil
	}
	for i, name := range w.network.Validators {
		if err := add("//"+name, changeEvery, func() (frame.RuntimeCall, bool, error) { return t.control(i) }); err != nil {
			return err
		}
	}
	return nil
}

func (t *traffic) begin() { t.w.after(offerEvery, t.offer) }

// offer looks after all senders.
func (t *traffic) offer() {
	best := t.best()
	for _, s := range t.senders {
		if best == nil || t.w.failed != nil {
			break
		}
		if err := t.look(s, best); err != nil {
			t.w.fail("traffic: %w", err)
		}
	}
	t.w.after(offerEvery, t.offer)
}

// best is the node that has finalised most.
func (t *traffic) best() (best *node) {
	for _, n := range t.w.nodes {
		if n.up && n.honest() && (best == nil || t.w.check.reached[n.index] > t.w.check.reached[best.index]) {
			best = n
		}
	}
	return best
}

// look offers a sender's transaction to some node if it is not final.
func (t *traffic) look(s *sender, at *node) error {
	if s.raw != nil {
		h := at.chain.Heads().Finalised.Hash
		view, err := at.chain.ViewAt(h)
		if err != nil {
			return err
		}
		nonce, err := at.chain.Runtime().NewValidator(view, h).Nonce(s.pair.Account())
		if err != nil {
			return err
		}
		switch {
		case nonce > s.nonce:
			s.nonce, s.raw, s.since = nonce, nil, t.w.now
		case t.w.now < s.offered+offerAgain:
			return nil
		}
	}
	if s.raw == nil {
		if t.w.now < s.since+s.pause {
			return nil
		}
		call, ok, err := s.call()
		if err != nil || !ok {
			return err
		}
		if s.raw, err = t.sign(s, call); err != nil {
			return err
		}
	}
	s.offered = t.w.now
	if n := t.w.nodes[t.w.rng.IntN(len(t.w.nodes))]; n.up {
		t.w.note("offer", n.index, s.raw...)
		n.pool.take([]types.Extrinsic{s.raw})
		n.act()
	}
	return nil
}

// sign makes a transaction that is valid for ever.
func (t *traffic) sign(s *sender, call frame.RuntimeCall) (types.Extrinsic, error) {
	rt := t.w.runtime
	e := rt.SigningEnv(t.w.state, 0, t.w.check.final[0])
	return rt.Frame.Sign(e, frame.Tx{Nonce: s.nonce, Call: call}, s.pair.Account(), func(p []byte) (crypto.MultiSignature, error) { return s.pair.Sign(p, nil), nil })
}

// transfer moves a little to somebody.
func (t *traffic) transfer() (frame.RuntimeCall, bool, error) {
	to := t.senders[t.w.rng.IntN(len(t.senders))].pair.Account()
	call, err := t.w.runtime.Frame.NewRuntimeCall("Balances", "transfer_allow_death", &balances.TransferArgs{
		Dest: types.Address(to), Value: fixed.FromUint64(runtime.CRU * (1 + t.w.rng.Uint64N(9))),
	})
	return call, true, err
}

// setKeys gives a validator a new voting key, one validator at a time.
func (t *traffic) setKeys(i int) (call frame.RuntimeCall, ok bool, err error) {
	n := t.w.nodes[i]
	if t.next%len(t.w.nodes) != i || t.w.plan.calm() {
		return call, false, nil
	}
	t.next++
	if !n.honest() || n.quiet || n.mute() {
		return call, false, nil
	}
	keys, err := runtime.SessionKeysOf("//" + n.name)
	if err != nil {
		return call, false, err
	}
	t.keys++
	var seed [32]byte
	copy(seed[:], "simulated voting key")
	binary.LittleEndian.PutUint64(seed[24:], t.keys)
	pair := ed25519.FromSeed(seed)
	keys.Grandpa = pair.Public()
	n.addKey(pair)
	t.w.inject("setchange")
	call, err = t.w.runtime.Frame.NewRuntimeCall("Session", "set_keys", &session.SetKeysArgs{Keys: keys})
	return call, true, err
}

// control is what a validator's controller does: in a large network it may leave
// the set or come back, or else it changes keys.
func (t *traffic) control(i int) (call frame.RuntimeCall, ok bool, err error) {
	if !t.w.nodes[i].honest() {
		return t.comeback(i)
	}
	if t.w.opt.Nodes >= 7 {
		if call, ok, err = t.candidacy(i); ok || err != nil {
			return call, ok, err
		}
	}
	return t.setKeys(i)
}

// candidacy takes a validator out of the next election, or lets the one that was
// taken out stand again. So few are faulty that the others still decide.
func (t *traffic) candidacy(i int) (call frame.RuntimeCall, ok bool, err error) {
	name, args := "chill", any(&frame.NoArgs{})
	switch {
	case t.away == i:
		name, args, t.away = "validate", &staking.ValidateArgs{}, -1
	case t.away >= 0 || t.w.plan.calm() || t.w.plan.faulty > (len(t.w.nodes)-2)/3 || t.w.rng.IntN(len(t.w.nodes)) > 0:
		return call, false, nil
	default:
		t.away = i
	}
	t.w.inject("setchange")
	call, err = t.w.runtime.Frame.NewRuntimeCall("Staking", name, args)
	return call, true, err
}
