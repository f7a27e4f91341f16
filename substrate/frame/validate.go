package frame

import (
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// Validator judges transactions for the pool on the state after one block. It
// keeps what it reads, so one Validator serves until the best block changes. It
// belongs to one goroutine.
type Validator struct {
	rt *Runtime
	e  *Env
}

// NewValidator begins on the state after best.
func (rt *Runtime) NewValidator(view state.View, best types.Hash) *Validator {
	return &Validator{rt: rt, e: rt.poolEnv(view, best)}
}

// poolEnv is the block after best, of which nothing is known but its parent.
func (rt *Runtime) poolEnv(view state.View, best types.Hash) *Env {
	e := rt.NewEnv(view)
	e.number++
	e.parentHash = best
	return e
}

// Verdict is what became of one transaction: Err is nil, a *Validity, or tells
// that the bytes are no extrinsic, in which case Tx is nil.
type Verdict struct {
	Tx    *Tx
	Valid ValidTransaction
	Err   error
}

// Check decodes transactions, checks their signatures in batches, and judges
// each by itself.
func (v *Validator) Check(raws []types.Extrinsic, source Source, with Checking) []Verdict {
	out := make([]Verdict, len(raws))
	items := make([]crypto.Item, 0, len(raws))
	at := make([]int, 0, len(raws))
	for i, raw := range raws {
		out[i] = v.decode(raw)
		t := out[i].Tx
		if out[i].Err != nil || !t.Signed {
			continue
		}
		p, err := v.payload(t)
		if err != nil {
			out[i].Err = err
			continue
		}
		items = append(items, crypto.Item{Signature: t.Signature, Account: t.Signer, Message: p})
		at = append(at, i)
	}
	for _, k := range crypto.Invalid(items, with.Par, with.Points) {
		out[at[k]].Err = ErrBadProof
	}
	for i := range out {
		if out[i].Err == nil {
			out[i].Valid, out[i].Err = v.Judge(out[i].Tx, source)
		}
	}
	return out
}

func (v *Validator) decode(raw types.Extrinsic) (d Verdict) {
	defer catch(&d.Err)
	d.Tx, d.Err = v.rt.DecodeTx(raw)
	return d
}

func (v *Validator) payload(t *Tx) (p []byte, err error) {
	defer catch(&err)
	return v.rt.Payload(v.e, t)
}

// Judge judges a transaction whose signature has been checked.
func (v *Validator) Judge(t *Tx, source Source) (valid ValidTransaction, err error) {
	defer catch(&err)
	return v.rt.validate(v.e, source, t)
}

// Nonce is the nonce that the account signs next, by the state.
func (v *Validator) Nonce(who types.AccountID) (n types.Nonce, err error) {
	defer catch(&err)
	return v.rt.system.NextNonce(v.e, who), nil
}
func (rt *Runtime) validate(e *Env, source Source, t *Tx) (ValidTransaction, error) {
	if t.Info.Class == Mandatory {
		return ValidTransaction{}, ErrMandatoryValidation
	}
	v := newValid()
	if !t.Signed {
		for _, x := range rt.extensions {
			if b, ok := x.(BareExtension); ok {
				if err := b.ValidateBare(e, t); err != nil {
					return v, err
				}
			}
		}
		return rt.validateUnsigned(e, source, t)
	}
	for _, x := range rt.extensions {
		if err := x.Validate(e, t, &v); err != nil {
			return v, err
		}
	}
	return v, nil
}
