package queryview

import (
	"encoding/binary"

	"github.com/crustgo/crust/substrate/queryview/wasm"
	"github.com/crustgo/crust/substrate/scale"
)

// Sizes of the arguments of validate_transaction: a byte for the source, the
// extrinsic with its length, and a block hash; and of what an extrinsic holds.
const (
	sourceSize  = 1
	hashSize    = 32
	accountSize = 32
	// The signed extrinsic up to the end of the shortest signature: version, kind
	// of address, account, kind of signature, 64 bytes.
	signatureKindAt = 2 + accountSize
	signatureEnd    = signatureKindAt + 1 + 64

	signedV4       = 0x84
	ecdsaSignature = 2 // its signatures have one more byte
)

// Pool values that the estimate gives to every transaction.
const (
	estimatedPriority  = 1
	estimatedLongevity = 64 // blocks
)

// TransactionValidity describes an estimate of validate_transaction, which light
// clients need before they pass a transaction on. It follows a transaction's
// place in the order of its signer, as CheckNonce does: a signed v4 extrinsic with
// an account as its address, an era and a nonce as the first of its extra data
// provides (signer, nonce) and requires the one before, unless the account is to
// use that nonce next; accounts is the prefix of the blake2_128_concat map of
// AccountInfo. It is refused as stale if the nonce is used up, and for want of
// payment if there is no account. Any other extrinsic counts as valid and provides
// its hash. Signatures, calls and balances are not looked at.
func TransactionValidity(name string, accounts Key) Function {
	return Function{name: name, body: validity{Key{accounts.prefix, signerKey, 0, 0}}}.
		ArgsFrom(sourceSize + 1 + hashSize).Estimate()
}

type validity struct{ account Key }

func (v validity) reads() []Key { return []Key{v.account} }

// parseSigned finds signer and nonce in the arguments of validate_transaction.
// emitParse emits the same steps.
func parseSigned(args []byte) (signer []byte, nonce uint32, ok bool) {
	skip, size := compact30(args[sourceSize:])
	if size != uint32(len(args))-sourceSize-hashSize-skip || size < signatureEnd {
		return nil, 0, false
	}
	// The block hash follows the body, so reads up to 32 bytes beyond its end are
	// in bounds; whether they were inside is checked once, below.
	body := args[sourceSize+skip:]
	kind := body[signatureKindAt]
	if body[0] != signedV4 || body[1] != 0 || kind > ecdsaSignature {
		return nil, 0, false
	}
	at := uint32(signatureEnd)
	if kind == ecdsaSignature {
		at++
	}
	if body[at] != 0 {
		at++ // a mortal era
	}
	at++
	n, nonce := compact30(body[at:])
	if nonce == absent {
		if body[at] != 3 {
			return nil, 0, false
		}
		n, nonce = 5, binary.LittleEndian.Uint32(body[at+1:])
	}
	return body[2 : 2+accountSize], nonce, at+n <= size
}

// compact30 reads a compact integer below 2^30; value is absent if there is another.
func compact30(b []byte) (size, value uint32) {
	switch b[0] & 3 {
	case 0:
		return 1, uint32(b[0] >> 2)
	case 1:
		return 2, uint32(binary.LittleEndian.Uint16(b) >> 2)
	case 2:
		return 4, binary.LittleEndian.Uint32(b) >> 2
	}
	return 1, absent
}

// emitParse emits parse(args, n): the address of the signer and the nonce, packed,
// or 0 if the extrinsic has none.
func (e *emitter) emitParse() wasm.Callable {
	f := e.m.Func([]wasm.Type{wasm.TypeI32, wasm.TypeI32}, wasm.TypeI64)
	args, n := f.Param32(0).Get(), f.Param32(1).Get()
	skip, size, body, at, nonce := f.Var32(), f.Var32(), f.Var32(), f.Var32(), f.Var32()
	refuseIf := func(cond wasm.I32) { f.If(cond, func() { f.Return(wasm.Const64(0)) }) }
	k := wasm.Const32

	emitCompact(f, args, sourceSize, skip, size)
	refuseIf(size.Get().Ne(n.Sub(k(sourceSize + hashSize)).Sub(skip.Get())).Or(size.Get().Lt(k(signatureEnd))))
	f.Set32(body, args.Add(k(sourceSize)).Add(skip.Get()))
	kind := body.Get().Load8(signatureKindAt)
	refuseIf(body.Get().Load8(0).Ne(k(signedV4)).Or(body.Get().Load8(1)).Or(kind.Gt(k(ecdsaSignature))))
	f.Set32(at, body.Get().Add(k(signatureEnd)).Add(kind.Eq(k(ecdsaSignature))))
	f.Set32(at, at.Get().Add(k(1)).Add(at.Get().Load8(0).Ne(k(0))))
	emitCompact(f, at.Get(), 0, skip, nonce)
	f.If(nonce.Get().Eq(k(absent)), func() {
		refuseIf(at.Get().Load8(0).Ne(k(3)))
		f.Set32(skip, k(5))
		f.Set32(nonce, at.Get().Load32(1))
	})
	refuseIf(at.Get().Add(skip.Get()).Sub(body.Get()).Gt(size.Get()))
	f.Return(pack(body.Get().Add(k(2)), nonce.Get()))
	return f.Callable
}

// parseSigned emits a call of parse.
func (c *call) parseSigned() wasm.Var64 {
	if c.signed == nil {
		v := c.Var64()
		c.signed = &v
		c.Set64(v, c.e.parse.Call64(c.args.Get(), c.n.Get()))
	}
	return *c.signed
}

// Answers of validate_transaction. The tags are Vec<Vec<u8>> with one element.
var (
	invalidPayment = string([]byte{1, 0, 1})
	invalidStale   = string([]byte{1, 0, 3})
	validPrefix    = string(scale.AppendU64([]byte{0}, estimatedPriority))
	validSuffix    = string(scale.AppendBool(scale.AppendU64(nil, estimatedLongevity), true))
)

const nonceTagSize = accountSize + 4

func (v validity) emit(c *call) {
	k := wasm.Const32
	out := c.take(len(validPrefix) + 2*(2+nonceTagSize) + len(validSuffix))
	w := c.Var32() // where the answer goes on
	put := func(address wasm.I32, n int) {
		c.Do(c.e.copy, w.Get(), address, k(uint32(n)))
		c.Set32(w, w.Get().Add(k(uint32(n))))
	}
	text := func(s string) { put(c.constant([]byte(s)), len(s)) }
	finish := func() {
		text(validSuffix)
		c.Return(pack(k(out), w.Get().Sub(k(out))))
	}
	signer := c.parseSigned().Get().Wrap()
	c.Set32(w, k(out))
	text(validPrefix)
	c.If(signer.IsZero(), func() {
		extrinsic := pack(c.args.Get().Add(k(sourceSize)), c.n.Get().Sub(k(sourceSize+hashSize)))
		text(string([]byte{0, 4, 16 << 2}))
		put(c.e.hostBlake.Call32(extrinsic), 16)
		finish()
	})
	account := c.values[v.account]
	nonce, next := c.Var32(), c.Var32()
	c.If(account.size.Get().Eq(k(absent)), func() { c.give([]byte(invalidPayment)) })
	// AccountInfo: nonce, consumers, providers, sufficients, data.
	c.TrapIf(account.size.Get().Lt(k(16)))
	c.If(account.address.Get().Load64(8).Eq(wasm.Const64(0)), func() { c.give([]byte(invalidPayment)) })
	c.Set32(nonce, c.parseSigned().Get().Shr(32).Wrap())
	c.Set32(next, account.address.Get().Load32(0))
	c.If(nonce.Get().Lt(next.Get()), func() { c.give([]byte(invalidStale)) })
	tag := func(n wasm.I32) {
		text(string([]byte{4, nonceTagSize << 2}))
		put(signer, accountSize)
		c.Store32(w.Get(), 0, n)
		c.Set32(w, w.Get().Add(k(4)))
	}
	c.IfElse(nonce.Get().Gt(next.Get()), func() { tag(nonce.Get().Sub(k(1))) }, func() { text("\x00") })
	tag(nonce.Get())
	finish()
}
