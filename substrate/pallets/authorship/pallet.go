package authorship

//go:generate go run github.com/crustgo/crust/internal/cmd/docgen

import (
	"errors"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
)

// Pallet is the authorship pallet.
type Pallet struct {
	frame.Base

	Author frame.Value[types.AccountID] `frame:"optional"` // who made the current block; set while it is executed

	Claims   Claims    // knows the author's position
	Session  Session   // knows the validators
	Handlers []Handler `frame:"-"` // are told of each block's author, in order
}

// Claims is what the pallet needs of the consensus engine's pallet.
type Claims interface {
	// FindAuthor is the position of the block's author among the validators.
	FindAuthor(e *frame.Env) (position uint32, ok bool)
}

// Session is what the pallet needs of package session.
type Session interface {
	// ActiveValidators are the validators of the current session, by position.
	ActiveValidators(e *frame.Env) []types.AccountID
}

// Handler is a pallet that rewards or counts authors.
type Handler interface {
	// NoteAuthor tells who authored the block that begins.
	NoteAuthor(e *frame.Env, who types.AccountID)
}

// Spec lists the wire surface: there is none but the storage.
func (p *Pallet) Spec() frame.Spec { return frame.Spec{} }

// BlockAuthor is the account that authored the block being executed; ok is
// false outside of blocks, and in a block that names no validator.
func (p *Pallet) BlockAuthor(e *frame.Env) (who types.AccountID, ok bool) {
	if who, ok = p.Author.Lookup(e); ok {
		return who, true
	}
	return p.find(e)
}

// find looks the author up. What it finds is kept only by OnInitialize: before
// it, the validators may still be those of the session that ends.
func (p *Pallet) find(e *frame.Env) (who types.AccountID, ok bool) {
	position, ok := p.Claims.FindAuthor(e)
	validators := p.Session.ActiveValidators(e)
	if !ok || int64(position) >= int64(len(validators)) {
		return types.AccountID{}, false
	}
	return validators[position], true
}

// OnInitialize looks the author up and tells the handlers.
func (p *Pallet) OnInitialize(e *frame.Env) types.Weight {
	who, ok := p.find(e)
	if !ok {
		return weights.block.At(0)
	}
	p.Author.Put(e, who)
	for _, h := range p.Handlers {
		h.NoteAuthor(e, who)
	}
	return weights.block.At(len(p.Handlers))
}

// OnFinalize forgets the author.
func (p *Pallet) OnFinalize(e *frame.Env) { p.Author.Kill(e) }

var errLeft = errors.New("authorship: a block left its author behind")

// Check verifies that no author is kept between blocks.
func (p *Pallet) Check(e *frame.Env) error {
	if p.Author.Exists(e) {
		return errLeft
	}
	return nil
}
