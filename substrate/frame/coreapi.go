package frame

import (
	"errors"
	"reflect"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// coreAPIs are the runtime APIs that every runtime offers.
func (rt *Runtime) coreAPIs() []API {
	return []API{
		{Name: "Core", Version: 5, Doc: "Identifies the runtime.", Methods: []Method{
			Method0("version", "Returns the version of the runtime.", func(*Env) (types.RuntimeVersion, error) { return rt.version, nil }),
		}},
		rt.metadataAPI(),
		{Name: "TaggedTransactionQueue", Version: 3, Doc: "Judges transactions for the pool.", Methods: []Method{
			Method3("validate_transaction", "Tells whether a transaction could be in the next block, and what it depends on.", "source", "tx", "block_hash", rt.validateAPI),
		}},
		{Name: "AccountNonceApi", Version: 1, Doc: "Counts the transactions of accounts.", Methods: []Method{
			Method1("account_nonce", "Returns the nonce of the account's next transaction.", "account", func(e *Env, who types.AccountID) (types.Nonce, error) {
				return rt.system.NextNonce(e, who), nil
			}),
		}},
	}
}

// validateAPI judges a transaction on the state of the block whose hash is given.
func (rt *Runtime) validateAPI(e *Env, source Source, tx UncheckedExtrinsic, best types.Hash) (TransactionValidity, error) {
	v := rt.NewValidator(e.view, best).Check([]types.Extrinsic{types.Extrinsic(tx)}, source, Checking{Par: Serial})[0]
	if v.Err == nil {
		return TransactionValidity{Valid: v.Valid}, nil
	}
	if refused := new(Validity); !errors.As(v.Err, &refused) {
		return TransactionValidity{}, v.Err
	}
	return TransactionValidity{Err: validityOf(v.Err)}, nil
}

// TransactionValidity is the outcome of a judgement:
// Result<ValidTransaction, TransactionValidityError>.
type TransactionValidity struct {
	Valid ValidTransaction
	Err   *Validity // nil if the transaction is valid
}

// AppendSCALE appends Ok(valid) or Err(reason).
func (t TransactionValidity) AppendSCALE(dst []byte) []byte {
	if t.Err != nil {
		return t.Err.AppendSCALE(append(dst, 1))
	}
	return validCodec.Append(append(dst, 0), &t.Valid)
}

// DecodeSCALE reads Ok(valid) or Err(reason).
func (t *TransactionValidity) DecodeSCALE(c *scale.Cursor) {
	*t = TransactionValidity{}
	if c.Tag(2) == 1 {
		t.Err = new(Validity)
		t.Err.DecodeSCALE(c)
		return
	}
	validCodec.Decode(c, &t.Valid)
}

var validCodec = scale.CodecOf[ValidTransaction]()

// SCALEType describes the outcome to metadata.
func (TransactionValidity) SCALEType() scale.TypeDef {
	ok, fail := reflect.TypeFor[ValidTransaction](), reflect.TypeFor[Validity]()
	return scale.TypeDef{Path: "Result", Kind: scale.KindVariant, Params: []scale.TypeParam{{Name: "T", Type: ok}, {Name: "E", Type: fail}},
		Variants: []scale.Variant{{Name: "Ok", Fields: []scale.Field{{Type: ok}}}, {Name: "Err", Index: 1, Fields: []scale.Field{{Type: fail}}}}}
}
