package notary

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"fmt"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount of money, in the smallest unit.
type Balance = frame.Balance

// Pallet is the notary pallet. Its exported fields are its constants, its storage
// and what it needs of others; the comments behind them are what clients read in
// metadata.
type Pallet struct {
	frame.Base // Emit and Fail, and the pallet's place in the table

	MaxLen  frame.Const[uint32]  // longest note, in bytes
	Deposit frame.Const[Balance] // money that is reserved while an account has a note

	Notes frame.Map[types.AccountID, Note] `frame:"blake2_128_concat,optional"` // note of each account that has one
	Count frame.Value[uint32]              // how many notes there are

	Currency Currency // keeps the deposits
}

// Currency is what the pallet needs of another that keeps money; the balances
// pallet has these methods, and the table plugs it in.
type Currency interface {
	// Reserve makes free money unusable until Unreserve, which returns how much of
	// the amount was not reserved.
	Reserve(e *frame.Env, who types.AccountID, amount Balance) error
	Unreserve(e *frame.Env, who types.AccountID, amount Balance) (missing Balance)
	ReservedBalance(e *frame.Env, who types.AccountID) Balance
}

// Note is what an account wants to be remembered.
type Note struct {
	Text []byte
	At   types.BlockNumber // of its latest change
}

// Events.
type (
	// Noted says that an account wrote or replaced its note.
	Noted struct {
		Who  types.AccountID
		Text []byte
	}
	// Erased says that an account took its note away.
	Erased struct{ Who types.AccountID }
)

// Errors.
var (
	// ErrTooLong says that a note is longer than MaxLen.
	ErrTooLong = frame.NewError("TooLong")
	// ErrNoNote says that the account has no note.
	ErrNoNote = frame.NewError("NoNote")
)

// NoteArgs are the arguments of note, in wire order.
type NoteArgs struct{ Text []byte }

// Spec lists the wire surface. Positions are wire indices: append, never reorder.
func (p *Pallet) Spec() frame.Spec {
	return frame.Spec{
		Calls: []frame.Call{
			0: frame.NewCall("note", p.note, weights.note.Base).Info(noteInfo),
			1: frame.NewCall("erase", p.erase, weights.erase),
		},
		Events: []any{0: Noted{}, 1: Erased{}},
		Errors: []*frame.Error{0: ErrTooLong, 1: ErrNoNote},
	}
}

// noteInfo weighs a call of note by the length of its text. It runs before the
// call is known to be valid, so it must not trust the length.
func noteInfo(a *NoteArgs) frame.DispatchInfo {
	return frame.DispatchInfo{Weight: weights.note.At(len(a.Text))}
}

// note writes the sender's note, in place of the one before if there was one.
func (p *Pallet) note(e *frame.Env, o frame.Origin, a NoteArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	if uint64(len(a.Text)) > uint64(p.MaxLen.Get()) {
		return p.Fail(ErrTooLong)
	}
	if !p.Notes.Exists(e, who) {
		if err := p.Currency.Reserve(e, who, p.Deposit.Get()); err != nil {
			return err
		}
		p.Count.Put(e, p.Count.Get(e)+1)
	}
	p.Notes.Put(e, who, Note{Text: a.Text, At: e.Number()})
	p.Emit(e, Noted{Who: who, Text: a.Text})
	return nil
}

// erase takes the sender's note away and gives the deposit back.
func (p *Pallet) erase(e *frame.Env, o frame.Origin, _ frame.NoArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	if !p.Notes.Exists(e, who) {
		return p.Fail(ErrNoNote)
	}
	p.Notes.Kill(e, who)
	p.Count.Put(e, p.Count.Get(e)-1)
	p.Currency.Unreserve(e, who, p.Deposit.Get())
	p.Emit(e, Erased{Who: who})
	return nil
}

// Check holds the state to the pallet's rules: tests run it after every block,
// and operators over a real chain's state.
func (p *Pallet) Check(e *frame.Env) error {
	var n uint32
	for who, note := range p.Notes.All(e) {
		n++
		if uint64(len(note.Text)) > uint64(p.MaxLen.Get()) {
			return fmt.Errorf("the note of %s has %d bytes, more than %d", who, len(note.Text), p.MaxLen.Get())
		}
		if held := p.Currency.ReservedBalance(e, who); held.Cmp(p.Deposit.Get()) < 0 {
			return fmt.Errorf("%s has a note and only %s reserved for it", who, held)
		}
	}
	if have := p.Count.Get(e); have != n {
		return fmt.Errorf("there are %d notes and the count is %d", n, have)
	}
	return nil
}
