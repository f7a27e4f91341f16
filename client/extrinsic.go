package client

import (
	"fmt"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// CallOf is the call of an extrinsic of a block, signed or not.
func (rt *Runtime) CallOf(xt types.Extrinsic) (call metadata.Variant, err error) {
	c := scale.NewCursor(xt)
	if n := c.Compact(); c.Err() == nil && n != uint64(c.Remaining()) {
		return call, fmt.Errorf("an extrinsic says that it has %d bytes, and has %d", n, c.Remaining())
	}
	const signed, version4 = 0x80, 4
	switch v := c.U8(); {
	case c.Err() != nil:
		return call, c.Err()
	case v&^signed != version4:
		return call, fmt.Errorf("an extrinsic of version %d; versions up to 4 can be read", v&^signed)
	case v&signed != 0:
		if err := rt.skipSignature(c); err != nil {
			return call, err
		}
	}
	return rt.Metadata.DecodeCall(c.Ref(c.Remaining()))
}

// skipSignature reads who signed, with what, and what the extensions have. Metadata of
// version 14 does not always tell the first two: then they are Substrate's own.
func (rt *Runtime) skipSignature(c *scale.Cursor) error {
	x := &rt.Metadata.Extrinsic
	if x.Address != metadata.NoType {
		rt.Metadata.DecodeFrom(c, x.Address)
	} else if kind := c.U8(); kind == 0 {
		c.Ref(len(types.AccountID{}))
	} else {
		return fmt.Errorf("an extrinsic was signed by an address of kind %d, which is not known here", kind)
	}
	if x.Signature != metadata.NoType {
		rt.Metadata.DecodeFrom(c, x.Signature)
	} else {
		const ecdsa = 2
		size := 64
		if c.U8() == ecdsa {
			size = 65
		}
		c.Ref(size)
	}
	for _, e := range x.Extensions {
		rt.Metadata.DecodeFrom(c, e.Extra)
	}
	return c.Err()
}
