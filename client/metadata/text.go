package metadata

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/ss58"
	"github.com/crustgo/crust/substrate/types"
)

// maxDigits bounds the work on numbers in hostile text; 256 bits take 78.
const maxDigits = 100

// ParseAmount reads an integer: 15, 1_000, -3, 0xff, or an amount of the
// currency such as 1.5CRU, which is returned in plancks.
func (f *Format) ParseAmount(text string) (*big.Int, error) {
	bad := func() error {
		if f.Symbol == "" {
			return fmt.Errorf("%q is not a whole number", clip(text))
		}
		return fmt.Errorf("%q is not a whole number; write 15, or 1.5%s for an amount", clip(text), f.Symbol)
	}
	s := strings.TrimSpace(text)
	if len(s) > maxDigits {
		return nil, bad()
	}
	if digits, ok := strings.CutPrefix(s, "0x"); ok {
		n, ok := new(big.Int).SetString(digits, 16)
		if !ok || digits[0] == '-' || digits[0] == '+' {
			return nil, bad()
		}
		return n, nil
	}
	end := strings.LastIndexAny(s, "0123456789") + 1
	number, unit := strings.ReplaceAll(s[:end], "_", ""), strings.TrimSpace(s[end:])
	decimals := 0
	switch {
	case unit == "", strings.EqualFold(unit, "planck"), strings.EqualFold(unit, "plancks"):
	case f.Symbol != "" && strings.EqualFold(unit, f.Symbol):
		decimals = int(f.Decimals)
	default:
		if end > 0 && f.Symbol != "" && isDecimal(number) {
			return nil, fmt.Errorf("%q has the unknown unit %q; use %s or planck", clip(text), clip(unit), f.Symbol)
		}
		return nil, bad()
	}
	n, exact, ok := decimal(number, decimals)
	switch {
	case !ok:
		return nil, bad()
	case !exact && decimals > 0:
		return nil, fmt.Errorf("%q is not a whole number of plancks; %s has %d decimals", clip(text), f.Symbol, f.Decimals)
	case !exact:
		return nil, bad()
	}
	return n, nil
}

func isDecimal(s string) bool {
	_, _, ok := decimal(s, 0)
	return ok
}

// decimal reads digits with at most one point and shifts the point to the right.
// exact is false if digits are left behind it.
func decimal(s string, shift int) (n *big.Int, exact, ok bool) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, pointed := strings.Cut(digits, ".")
	if whole == "" || pointed && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return nil, false, false
	}
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > shift {
		return nil, false, true
	}
	n, ok = new(big.Int).SetString(whole+fraction+strings.Repeat("0", shift-len(fraction)), 10)
	if negative {
		n.Neg(n)
	}
	return n, true, ok
}

// FormatAmount writes plancks in units of the currency: 1.5CRU.
func (f *Format) FormatAmount(plancks *big.Int) string {
	if f.Symbol == "" {
		return plancks.String()
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(f.Decimals)), nil)
	whole, rest := new(big.Int).QuoRem(new(big.Int).Abs(plancks), unit, new(big.Int))
	sign := ""
	if plancks.Sign() < 0 {
		sign = "-"
	}
	fraction := ""
	if rest.Sign() != 0 {
		digits := rest.String()
		fraction = "." + strings.TrimRight(strings.Repeat("0", int(f.Decimals)-len(digits))+digits, "0")
	}
	return sign + whole.String() + fraction + f.Symbol
}

// parseRatio reads a percentage as a part of the whole, or a number of parts.
func parseRatio(text string, whole uint64) (*big.Int, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	if len(number) > maxDigits {
		return nil, fmt.Errorf("%q is not a percentage", clip(text))
	}
	if !percent {
		n, exact, ok := decimal(number, 0)
		if !ok || !exact {
			return nil, fmt.Errorf("%q is neither a percentage, such as 12.5%%, nor a number of parts of %d", clip(text), whole)
		}
		return n, nil
	}
	const digits = 20 // more than the finest ratio has
	n, exact, ok := decimal(strings.TrimSpace(number), digits)
	if !ok || !exact {
		return nil, fmt.Errorf("%q is not a percentage", clip(text))
	}
	n.Mul(n, new(big.Int).SetUint64(whole))
	scaled := new(big.Int).Exp(big.NewInt(10), big.NewInt(digits+2), nil)
	n, rest := n.QuoRem(n, scaled, new(big.Int))
	if rest.Sign() != 0 {
		return nil, fmt.Errorf("%q is finer than a part of %d", clip(text), whole)
	}
	if n.Cmp(new(big.Int).SetUint64(whole)) > 0 || n.Sign() < 0 {
		return nil, fmt.Errorf("%q is not between 0%% and 100%%", clip(text))
	}
	return n, nil
}

var errNoAccount = errors.New("write an address, 0x and 64 hexadecimal digits, or a development key such as //Alice")

// ParseAccount reads an account: an address of this chain (or with the generic
// prefix 42), 0x and 64 hexadecimal digits, or a derivation of the public
// development phrase such as //Alice.
func (f *Format) ParseAccount(text string) (types.AccountID, error) {
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "0x"):
		b, err := unhex(text)
		if err != nil || len(b) != 32 {
			return types.AccountID{}, fmt.Errorf("%q is not an account; %w", clip(text), errNoAccount)
		}
		return types.AccountID(b), nil
	case strings.HasPrefix(text, "/"):
		pair, err := crypto.ParseURI(text, crypto.Sr25519)
		if err != nil {
			return types.AccountID{}, err
		}
		return pair.Account(), nil
	}
	id, prefix, err := ss58.Decode(text)
	switch {
	case err != nil && len(text) < 40: // too short to be a misspelt address
		return types.AccountID{}, fmt.Errorf("%q is not an account; %w", clip(text), errNoAccount)
	case err != nil:
		return types.AccountID{}, err
	case prefix != f.Prefix && prefix != ss58.GenericPrefix:
		_, err := ss58.DecodeFor(f.Prefix, text)
		return types.AccountID{}, err
	}
	return id, nil
}

func (m *Metadata) accountOf(v any) (types.AccountID, error) {
	switch x := v.(type) {
	case Account:
		return x.ID, nil
	case Bytes:
		if len(x) == 32 {
			return types.AccountID(x), nil
		}
		return types.AccountID{}, fmt.Errorf("an account has 32 bytes, not %d", len(x))
	case string:
		return m.Format.ParseAccount(x)
	}
	return types.AccountID{}, fmt.Errorf("%s is not an account; %w", clip(fmt.Sprint(v)), errNoAccount)
}

// bytesOf reads bytes: hexadecimal after 0x, the file of @file, or text if that
// is allowed. ok is false for values that are no bytes.
func (m *Metadata) bytesOf(v any, text bool) (b []byte, ok bool, err error) {
	switch x := v.(type) {
	case Bytes:
		return x, true, nil
	case string:
		name, isFile := strings.CutPrefix(x, "@")
		switch {
		case strings.HasPrefix(x, "0x"):
			b, err = unhex(x)
		case isFile && m.Format.ReadFile != nil:
			b, err = m.Format.ReadFile(name)
		case text:
			b = []byte(x)
		default:
			err = fmt.Errorf("%q is not bytes; write 0x and hexadecimal digits", clip(x))
		}
		return b, err == nil, err
	}
	return nil, false, nil
}

func unhex(text string) ([]byte, error) {
	b, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		return nil, fmt.Errorf("%q is not 0x and an even number of hexadecimal digits", clip(text))
	}
	return b, nil
}

// ParseArg turns an argument of a command line into what Encode takes: JSON if
// it looks like it and the type is not text or bytes, and text otherwise.
func (m *Metadata) ParseArg(id TypeID, text string) (any, error) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || !strings.ContainsRune(`{["`, rune(trimmed[0])) || m.isText(id) {
		return text, nil
	}
	v, err := ParseJSON([]byte(trimmed))
	if err != nil {
		return nil, fmt.Errorf("%s is not JSON (%w); quote it for your shell", clip(trimmed), err)
	}
	return v, nil
}

// isText reports whether values of a type are written as plain text.
func (m *Metadata) isText(id TypeID) bool {
	for range maxNesting {
		if int(id) >= len(m.Types) {
			return false
		}
		switch t := &m.Types[id]; {
		case t.Kind == Primitive:
			return t.Prim == Str
		case t.Kind == Sequence:
			return m.isByte(t.Elem)
		case t.Kind == Array:
			return m.isByte(t.Elem)
		case t.shape == option:
			id = t.Variants[1].Fields[0].Type
		case t.Kind == Composite && len(t.Fields) == 1 && t.Fields[0].Name == "":
			id = t.Fields[0].Type
		default:
			return false
		}
	}
	return false
}

// ParseArgs encodes the arguments of a command line for fields; what names them
// in errors: "Balances.transfer".
func (m *Metadata) ParseArgs(what string, fields []Field, args []string) ([]byte, error) {
	if len(args) != len(fields) {
		return nil, &ArgsError{What: what, Want: m.Signature(fields), Given: len(args)}
	}
	var out []byte
	for i, f := range fields {
		v, err := m.ParseArg(f.Type, args[i])
		if err == nil {
			out, err = m.Encode(out, f.Type, v)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: argument %s: %w", what, f.Name, err)
		}
	}
	return out, nil
}

// ArgsError says that the number of arguments is wrong.
type ArgsError struct {
	What  string   // that takes them
	Want  []string // each as "name (Type)"
	Given int
}

// Error lists the arguments.
func (e *ArgsError) Error() string {
	if len(e.Want) == 0 {
		return fmt.Sprintf("%s takes no arguments, not %d", e.What, e.Given)
	}
	return fmt.Sprintf("%s takes %d arguments, not %d: %s", e.What, len(e.Want), e.Given, strings.Join(e.Want, ", "))
}

// Signature writes each field as "name (Type)".
func (m *Metadata) Signature(fields []Field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Name + " (" + m.TypeName(f.Type) + ")"
	}
	return out
}

// ParseCall encodes a call from the arguments of a command line.
func (m *Metadata) ParseCall(pallet, call string, args []string) ([]byte, error) {
	p, v, err := m.CallVariant(pallet, call)
	if err != nil {
		return nil, err
	}
	body, err := m.ParseArgs(p.Name+"."+v.Name, v.Fields, args)
	if err != nil {
		return nil, err
	}
	return append([]byte{p.Index, v.Index}, body...), nil
}

// EncodeCall encodes a call; args are a list in the order of the arguments, a
// map or Record by their names, or nil if there are none.
func (m *Metadata) EncodeCall(pallet, call string, args any) ([]byte, error) {
	p, v, err := m.CallVariant(pallet, call)
	if err != nil {
		return nil, err
	}
	e := encoder{m: m}
	out, err := e.fields([]byte{p.Index, v.Index}, p.Calls, v.Fields, normal(args))
	return out, within(p.Name+"."+v.Name, err)
}

// DecodeCall reads an encoded call: a Variant called "Pallet.call".
func (m *Metadata) DecodeCall(b []byte) (Variant, error) {
	v, err := m.Decode(m.Call, b)
	if err != nil {
		return Variant{}, err
	}
	call, ok := v.(Variant)
	if !ok {
		return Variant{}, fmt.Errorf("the runtime's call type (%s) is not an enum", m.TypeName(m.Call))
	}
	return call, nil
}
