package frame

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/crustgo/crust/substrate/scale"
)

// Error is a failure that a pallet declares: one variant of its error enum.
// Declare it with NewError, list it in the Spec, return it through Base.Fail.
type Error struct{ name string }

// NewError declares an error by the name that clients see.
func NewError(name string) *Error { return &Error{name} }

// Error is the declared name.
func (e *Error) Error() string { return e.name }

// What a cursor without a runtime, or an unknown event, is answered with.
var (
	errNoRuntime = errors.New("an event can only be decoded by a runtime")
	errNoEvent   = errors.New("the runtime has no such event")
)

// ErrorKind is the wire tag of a DispatchError.
type ErrorKind uint8

// The kinds of dispatch errors, sp_runtime::DispatchError.
const (
	KindOther ErrorKind = iota
	KindCannotLookup
	KindBadOrigin
	KindModule
	KindConsumerRemaining
	KindNoProviders
	KindTooManyConsumers
	KindToken
	KindArithmetic
	KindTransactional
	KindExhausted
	KindCorruption
	KindUnavailable
	KindRootNotAllowed
)

var kindNames = []string{"Other", "CannotLookup", "BadOrigin", "Module", "ConsumerRemaining", "NoProviders", "TooManyConsumers",
	"Token", "Arithmetic", "Transactional", "Exhausted", "Corruption", "Unavailable", "RootNotAllowed"}

// Token and arithmetic failures in wire order.
var (
	tokenNames = []string{"FundsUnavailable", "OnlyProvider", "BelowMinimum", "CannotCreate", "UnknownAsset", "Frozen",
		"Unsupported", "CannotCreateHold", "NotExpendable", "Blocked"}
	arithmeticNames = []string{"Underflow", "Overflow", "DivisionByZero"}
)

// DispatchError is why a call failed, in the form that events carry.
type DispatchError struct {
	Kind   ErrorKind
	Module uint8    // pallet index, KindModule
	Code   [4]uint8 // error index first, KindModule; else Code[0] is the variant of KindToken and KindArithmetic
	cause  error
}

// Failures that any pallet may return.
var (
	ErrBadOrigin         = &DispatchError{Kind: KindBadOrigin}
	ErrCannotLookup      = &DispatchError{Kind: KindCannotLookup}
	ErrConsumerRemaining = &DispatchError{Kind: KindConsumerRemaining}
	ErrNoProviders       = &DispatchError{Kind: KindNoProviders}
	ErrFundsUnavailable  = &DispatchError{Kind: KindToken, Code: [4]uint8{0}}
	ErrOnlyProvider      = &DispatchError{Kind: KindToken, Code: [4]uint8{1}}
	ErrBelowMinimum      = &DispatchError{Kind: KindToken, Code: [4]uint8{2}}
	ErrFrozen            = &DispatchError{Kind: KindToken, Code: [4]uint8{5}}
	ErrUnderflow         = &DispatchError{Kind: KindArithmetic, Code: [4]uint8{0}}
	ErrOverflow          = &DispatchError{Kind: KindArithmetic, Code: [4]uint8{1}}
	ErrExhausted         = &DispatchError{Kind: KindExhausted}
)

// Error describes the failure in a few words.
func (d *DispatchError) Error() string {
	switch {
	case d.cause != nil:
		return d.cause.Error()
	case d.Kind == KindModule:
		return fmt.Sprintf("error %d of pallet %d", d.Code[0], d.Module)
	case d.Kind == KindToken && int(d.Code[0]) < len(tokenNames):
		return tokenNames[d.Code[0]]
	case d.Kind == KindArithmetic && int(d.Code[0]) < len(arithmeticNames):
		return arithmeticNames[d.Code[0]]
	case int(d.Kind) < len(kindNames):
		return kindNames[d.Kind]
	}
	return "unknown"
}

// Unwrap returns the pallet's declared error.
func (d *DispatchError) Unwrap() error { return d.cause }

// DispatchErrorOf puts any error into wire form. An error that no pallet declared
// becomes Other: its text stays in the node.
func DispatchErrorOf(err error) *DispatchError {
	var d *DispatchError
	if errors.As(err, &d) {
		return d
	}
	return &DispatchError{Kind: KindOther, cause: err}
}

// AppendSCALE appends sp_runtime::DispatchError.
func (d DispatchError) AppendSCALE(dst []byte) []byte {
	dst = append(dst, byte(d.Kind))
	switch d.Kind {
	case KindModule:
		return append(append(dst, d.Module), d.Code[:]...)
	case KindToken, KindArithmetic, KindTransactional:
		return append(dst, d.Code[0])
	}
	return dst
}

// DecodeSCALE reads sp_runtime::DispatchError.
func (d *DispatchError) DecodeSCALE(c *scale.Cursor) {
	*d = DispatchError{Kind: ErrorKind(c.Tag(len(kindNames)))}
	switch d.Kind {
	case KindModule:
		d.Module = c.U8()
		c.Fixed(d.Code[:])
	case KindToken:
		d.Code[0] = uint8(c.Tag(len(tokenNames)))
	case KindArithmetic:
		d.Code[0] = uint8(c.Tag(len(arithmeticNames)))
	case KindTransactional:
		d.Code[0] = uint8(c.Tag(2))
	}
}

var (
	moduleErrorDef = &scale.TypeDef{Path: "sp_runtime::ModuleError", Kind: scale.KindComposite,
		Fields: []scale.Field{{Name: "index", Type: typeU8}, {Name: "error", Type: type4Bytes}}}
	tokenErrorDef      = bareEnum("sp_runtime::TokenError", tokenNames)
	arithmeticErrorDef = bareEnum("sp_arithmetic::ArithmeticError", arithmeticNames)
	transactionalDef   = bareEnum("sp_runtime::TransactionalError", []string{"LimitReached", "NoLayer"})
)

func bareEnum(path string, names []string) *scale.TypeDef {
	d := &scale.TypeDef{Path: path, Kind: scale.KindVariant}
	for i, n := range names {
		d.Variants = append(d.Variants, scale.Variant{Name: n, Index: uint8(i)})
	}
	return d
}

// SCALEType describes the error to metadata.
func (DispatchError) SCALEType() scale.TypeDef {
	d := *bareEnum("sp_runtime::DispatchError", kindNames)
	for kind, def := range []*scale.TypeDef{KindModule: moduleErrorDef, KindToken: tokenErrorDef, KindArithmetic: arithmeticErrorDef, KindTransactional: transactionalDef} {
		if def != nil {
			d.Variants[kind].Fields = []scale.Field{{Def: def}}
		}
	}
	return d
}

// DispatchResult is the outcome of a call in events: Result<(), DispatchError>.
type DispatchResult struct{ Err *DispatchError } // nil if the call succeeded

// ResultOf puts the outcome of a call into wire form.
func ResultOf(err error) DispatchResult {
	if err == nil {
		return DispatchResult{}
	}
	return DispatchResult{DispatchErrorOf(err)}
}

// AppendSCALE appends Ok(()) or Err(error).
func (r DispatchResult) AppendSCALE(dst []byte) []byte {
	if r.Err == nil {
		return append(dst, 0)
	}
	return r.Err.AppendSCALE(append(dst, 1))
}

// DecodeSCALE reads Ok(()) or Err(error).
func (r *DispatchResult) DecodeSCALE(c *scale.Cursor) {
	*r = DispatchResult{}
	if c.Tag(2) == 1 {
		r.Err = new(DispatchError)
		r.Err.DecodeSCALE(c)
	}
}

// SCALEType describes the outcome to metadata.
func (DispatchResult) SCALEType() scale.TypeDef {
	ok, fail := reflect.TypeFor[scale.Unit](), reflect.TypeFor[DispatchError]()
	return scale.TypeDef{Path: "Result", Kind: scale.KindVariant, Params: []scale.TypeParam{{Name: "T", Type: ok}, {Name: "E", Type: fail}},
		Variants: []scale.Variant{{Name: "Ok", Fields: []scale.Field{{Type: ok}}}, {Name: "Err", Index: 1, Fields: []scale.Field{{Type: fail}}}}}
}

// Validity says why a transaction is refused before it is dispatched:
// sp_runtime::TransactionValidityError. The zero value is InvalidTransaction::Call.
type Validity struct {
	Unknown bool  // UnknownTransaction rather than InvalidTransaction
	Kind    uint8 // variant of either enum
	Custom  uint8 // code of InvalidTransaction::Custom and UnknownTransaction::Custom
}

// The reasons to refuse a transaction.
var (
	ErrCall                = &Validity{Kind: 0}
	ErrPayment             = &Validity{Kind: 1}
	ErrFuture              = &Validity{Kind: 2}
	ErrStale               = &Validity{Kind: 3}
	ErrBadProof            = &Validity{Kind: 4}
	ErrAncientBirthBlock   = &Validity{Kind: 5}
	ErrExhaustsResources   = &Validity{Kind: 6}
	ErrBadMandatory        = &Validity{Kind: 8}
	ErrMandatoryValidation = &Validity{Kind: 9}
	ErrBadSigner           = &Validity{Kind: 10}
	ErrUnknownLookup       = &Validity{Unknown: true, Kind: 0}
	ErrNoUnsignedValidator = &Validity{Unknown: true, Kind: 1}
)

var invalidNames = []string{"Call", "Payment", "Future", "Stale", "BadProof", "AncientBirthBlock", "ExhaustsResources", "Custom",
	"BadMandatory", "MandatoryValidation", "BadSigner"}

var unknownNames = []string{"CannotLookup", "NoUnsignedValidator", "Custom"}

// invalidTexts are the sentences that Substrate's nodes answer with.
var invalidTexts = []string{
	"Transaction call is not expected", "Inability to pay some fees (e.g. account balance too low)", "Transaction will be valid in the future",
	"Transaction is outdated", "Transaction has a bad signature", "Transaction has an ancient birth block", "Transaction would exhaust the block limits",
	"InvalidTransaction custom error", "A call was labelled as mandatory, but resulted in an Error.", "Transaction dispatch is mandatory; transactions must not be validated.",
	"Invalid signing address",
}

var unknownTexts = []string{"Could not lookup information required to validate the transaction",
	"Could not find an unsigned validator for the unsigned transaction", "UnknownTransaction custom error"}

// Custom is InvalidTransaction::Custom with a code of the pallet's own.
func Custom(code uint8) *Validity { return &Validity{Kind: 7, Custom: code} }

// Error is the sentence that clients are shown.
func (v *Validity) Error() string {
	texts := invalidTexts
	if v.Unknown {
		texts = unknownTexts
	}
	if int(v.Kind) < len(texts) {
		return texts[v.Kind]
	}
	return "Transaction is not valid"
}

// validityOf is the reason that err carries.
func validityOf(err error) *Validity {
	var v *Validity
	if !errors.As(err, &v) {
		return ErrCall
	}
	return v
}

// Is makes equal reasons match with errors.Is.
func (v *Validity) Is(target error) bool {
	o, ok := target.(*Validity)
	return ok && *o == *v
}

// AppendSCALE appends sp_runtime::TransactionValidityError.
func (v Validity) AppendSCALE(dst []byte) []byte {
	dst = append(scale.AppendBool(dst, v.Unknown), v.Kind)
	if v.hasCode() {
		dst = append(dst, v.Custom)
	}
	return dst
}

// DecodeSCALE reads sp_runtime::TransactionValidityError.
func (v *Validity) DecodeSCALE(c *scale.Cursor) {
	*v = Validity{Unknown: c.Bool()}
	names := invalidNames
	if v.Unknown {
		names = unknownNames
	}
	if v.Kind = uint8(c.Tag(len(names))); v.hasCode() {
		v.Custom = c.U8()
	}
}

func (v Validity) hasCode() bool { return v.Kind == 7 && !v.Unknown || v.Kind == 2 && v.Unknown }

var (
	invalidDef = withCode(bareEnum("sp_runtime::transaction_validity::InvalidTransaction", invalidNames), 7)
	unknownDef = withCode(bareEnum("sp_runtime::transaction_validity::UnknownTransaction", unknownNames), 2)
)

func withCode(d *scale.TypeDef, i int) *scale.TypeDef {
	d.Variants[i].Fields = []scale.Field{{Type: typeU8}}
	return d
}

// SCALEType describes the reason to metadata.
func (Validity) SCALEType() scale.TypeDef {
	return scale.TypeDef{Path: "sp_runtime::transaction_validity::TransactionValidityError", Kind: scale.KindVariant, Variants: []scale.Variant{
		{Name: "Invalid", Fields: []scale.Field{{Def: invalidDef}}}, {Name: "Unknown", Index: 1, Fields: []scale.Field{{Def: unknownDef}}},
	}}
}
