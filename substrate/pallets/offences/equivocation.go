package offences

import (
	"errors"

	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/pallets/historical"
	"github.com/crustgo/crust/substrate/pallets/session"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Equivocations turns proofs of equivocations into reports: what the pallets of
// consensus engines have in common. Its fields are set before blocks are executed.
type Equivocations struct {
	Owners  Owners
	Authors Authors
	Book    Book
	// Longevity is for how many blocks the pool keeps a report.
	Longevity uint64
}

// Owners is what is needed of package historical.
type Owners interface {
	// Verify returns to whom a key belonged in the session of a proof.
	Verify(e *frame.Env, key session.OwnedKey, proof *historical.MembershipProof) (historical.Identity, error)
}

// Authors is what is needed of package authorship.
type Authors interface {
	// BlockAuthor is who made the block that is executed.
	BlockAuthor(e *frame.Env) (who types.AccountID, ok bool)
}

// Book is what is needed of the Pallet.
type Book interface {
	Known(e *frame.Env, r *Report, who types.AccountID) bool
	File(e *frame.Env, reporters []types.AccountID, r *Report) error
}

// Evidence is an equivocation that has been verified, but for whose the key is.
type Evidence struct {
	Kind     Kind
	TimeSlot TimeSlot
	Lasting  bool // the time slot may belong to several sessions
	Key      session.OwnedKey
	Proof    *historical.MembershipProof // of a session in which the time slot was
}

// ErrOwner says that the proof does not show whose the key is.
var ErrOwner = errors.New("offences: the proof of ownership does not hold")

// EquivocationFraction is what equivocators lose: min(3k/n, 1)², if k of n
// validators equivocated at one time.
func EquivocationFraction(offenders, validators uint32) fixed.Perbill {
	return fixed.PerbillFromRational(fixed.FromUint64(3*uint64(offenders)), fixed.FromUint64(uint64(validators))).Square()
}

// report finds out whose the key is; ErrKnown if there is nothing new.
func (q *Equivocations) report(e *frame.Env, v *Evidence) (*Report, error) {
	who, err := q.Owners.Verify(e, v.Key, v.Proof)
	if err != nil {
		return nil, ErrOwner
	}
	r := &Report{
		Kind: v.Kind, TimeSlot: v.TimeSlot, Session: v.Proof.Session, Validators: v.Proof.ValidatorCount,
		Offenders: []historical.Identity{who}, Fraction: EquivocationFraction, Disable: true, Lasting: v.Lasting,
	}
	if q.Book.Known(e, r, who.Validator) {
		return nil, ErrKnown
	}
	return r, nil
}

// Refusals are the errors with which an engine's pallet refuses reports.
type Refusals struct {
	Proof *frame.Error // it does not show an equivocation
	Owner *frame.Error // it does not show whose the key is
	Known *frame.Error // it was reported before
}

// Answer files a report whose evidence was verified with the error err, or says
// why not. A report that is true and new is free.
func (q *Equivocations) Answer(e *frame.Env, o frame.Origin, v *Evidence, err error, no Refusals) *frame.Error {
	if err == nil {
		err = q.File(e, o, v)
	}
	switch err {
	case nil:
		e.WaiveFee()
		return nil
	case ErrOwner:
		return no.Owner
	case ErrKnown:
		return no.Known
	default:
		return no.Proof
	}
}

// File reports an equivocation. The reporter is who signed the report, or the
// block's author if nobody did. Errors: ErrBadOrigin, ErrOwner, ErrKnown.
func (q *Equivocations) File(e *frame.Env, o frame.Origin, v *Evidence) error {
	r, err := q.report(e, v)
	if err != nil {
		return err
	}
	var reporters []types.AccountID
	if who, err := o.Signed(); err == nil {
		reporters = append(reporters, who)
	} else if who, ok := q.Authors.BlockAuthor(e); ok {
		reporters = append(reporters, who)
	}
	return q.Book.File(e, reporters, r)
}

// Validate judges an unsigned report for the pool, by the rules of FRAME: it must
// come from this node, or stand in a block; it goes before everything else; it is
// not passed on, since other nodes would refuse it. tag is the same for all
// reports of one offence; engine distinguishes it from others' tags.
func (q *Equivocations) Validate(e *frame.Env, source frame.Source, engine string, tag []byte, v *Evidence) (frame.ValidTransaction, error) {
	if source == frame.SourceExternal {
		return frame.ValidTransaction{}, frame.ErrCall
	}
	switch _, err := q.report(e, v); err {
	case nil:
		return frame.ValidTransaction{
			Priority: ^uint64(0), Provides: [][]byte{append(scale.AppendString(nil, engine), tag...)}, Longevity: q.Longevity,
		}, nil
	case ErrKnown:
		return frame.ValidTransaction{}, frame.ErrStale
	default:
		return frame.ValidTransaction{}, frame.ErrBadProof
	}
}
