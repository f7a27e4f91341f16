package session

import (
	"errors"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
)

// APIs lists the runtime API SessionKeys.
func (p *Pallet) APIs() []frame.API {
	return []frame.API{{Name: "SessionKeys", Version: 1, Doc: "Makes and reads session keys.", Methods: []frame.Method{
		frame.Method1("generate_session_keys", "Makes session keys in the node's keystore, from a seed if there is one, and returns the public keys.", "seed", p.generateKeys),
		frame.Method1("decode_session_keys", "Splits encoded public session keys into keys and kinds.", "encoded", p.DecodeKeys),
	}}}
}

// RawKey is a public key and its kind.
type RawKey = scale.Pair[[]byte, KeyTypeID]

// errNoKeystore reports a request for keys where none can be kept.
var errNoKeystore = errors.New("this node keeps no session keys")

func (p *Pallet) generateKeys(_ *frame.Env, seed scale.Option[[]byte]) ([]byte, error) {
	if p.Generate == nil {
		return nil, errNoKeystore
	}
	s, _ := seed.Get()
	return p.Generate(s)
}

// DecodeKeys splits encoded session keys; none if they are not session keys.
func (p *Pallet) DecodeKeys(_ *frame.Env, encoded []byte) (scale.Option[[]RawKey], error) {
	codec := scale.CodecOf[Keys]()
	c := scale.NewCursor(encoded)
	var keys Keys
	codec.Decode(c, &keys)
	if c.Finish() != nil {
		return scale.Option[[]RawKey]{}, nil
	}
	var out []RawKey
	for _, k := range keys.Raw() {
		out = append(out, RawKey{A: k.Key[:], B: k.Type})
	}
	return scale.Some(out), nil
}
