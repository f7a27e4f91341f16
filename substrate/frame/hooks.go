package frame

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/crustgo/crust/substrate/types"
)

// Initializer is implemented by pallets that act at the start of each block.
type Initializer interface {
	// OnInitialize returns the weight that it used.
	OnInitialize(e *Env) types.Weight
}

// Idler is implemented by pallets that use what is left of a block.
type Idler interface {
	// OnIdle uses at most remaining, and returns what it used.
	OnIdle(e *Env, remaining types.Weight) types.Weight
}

// Finalizer is implemented by pallets that act at the end of each block.
type Finalizer interface {
	OnFinalize(e *Env)
}

// InherentData is what a block's author knows that the chain does not, by the
// eight-byte identifier of each kind: "timstap0" holds a u64 of milliseconds.
type InherentData map[[8]byte][]byte

// InherentProvider is implemented by pallets that put one call into each block.
type InherentProvider interface {
	// CreateInherent makes the block's call from the author's data.
	CreateInherent(e *Env, data InherentData) (args any, call string, err error)
	// IsInherent reports whether the call is this pallet's inherent.
	IsInherent(call RuntimeCall) bool
	// CheckInherent judges a foreign block's call by this node's own data.
	CheckInherent(e *Env, call RuntimeCall, data InherentData) error
}

// UnsignedValidator is implemented by pallets that admit unsigned transactions.
type UnsignedValidator interface {
	// ValidateUnsigned judges a call of the pallet for the pool.
	ValidateUnsigned(e *Env, source Source, call RuntimeCall) (ValidTransaction, error)
}

// Checker is implemented by pallets that can check their own state (try-state).
type Checker interface {
	Check(e *Env) error
}

// Migrator is implemented by pallets whose state changes with a new version.
type Migrator interface {
	// Migrate runs in the first block of a new spec version.
	Migrate(e *Env, fromSpec uint32) types.Weight
}

// strictJSON decodes one JSON value and refuses unknown fields and trailing text.
func strictJSON(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("trailing text after the configuration")
	}
	return nil
}
