package trusted

import (
	"fmt"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/scale"
)

// coder writes or reads the fields of a message, so that a message says once what
// it consists of. What it reads aliases the input, where that is bytes.
type coder struct {
	dst []byte
	c   *scale.Cursor // nil: it writes
}

func encode(dst []byte, m Message) []byte {
	k := coder{dst: dst}
	m.fields(&k)
	return k.dst
}

func decode(b []byte, m Message) error {
	k := coder{c: scale.NewCursor(b)}
	m.fields(&k)
	return k.c.Finish()
}

func (k *coder) u8(v *uint8) {
	if k.c == nil {
		k.dst = append(k.dst, *v)
	} else {
		*v = k.c.U8()
	}
}

func (k *coder) bool(v *bool) {
	if k.c == nil {
		k.dst = scale.AppendBool(k.dst, *v)
	} else {
		*v = k.c.Bool()
	}
}

func (k *coder) u32(v *uint32) {
	if k.c == nil {
		k.dst = scale.AppendU32(k.dst, *v)
	} else {
		*v = k.c.U32()
	}
}

func (k *coder) u64(v *uint64) {
	if k.c == nil {
		k.dst = scale.AppendU64(k.dst, *v)
	} else {
		*v = k.c.U64()
	}
}

func (k *coder) fixed(v []byte) {
	if k.c == nil {
		k.dst = append(k.dst, v...)
	} else {
		k.c.Fixed(v)
	}
}

func (k *coder) bytes(v *[]byte, limit int) {
	if k.c == nil {
		k.dst = scale.AppendBytes(k.dst, *v)
	} else {
		*v = k.c.BytesRef(limit)
	}
}

// value is one that has an encoding of its own.
func (k *coder) value(v interface {
	scale.Marshaler
	scale.Unmarshaler
}) {
	if k.c == nil {
		k.dst = v.AppendSCALE(k.dst)
	} else {
		v.DecodeSCALE(k.c)
	}
}

// row is a sequence of at most limit elements, each of at least size bytes.
func row[T any](k *coder, v *[]T, limit, size int, field func(*T)) {
	if k.c == nil {
		k.dst = scale.AppendCompact(k.dst, uint64(len(*v)))
	} else {
		n := k.c.Len(size)
		if n > limit {
			k.c.Fail(fmt.Errorf("trusted: %d elements where at most %d are allowed", n, limit))
			n = 0
		}
		*v = make([]T, n)
	}
	for i := range *v {
		field(&(*v)[i])
	}
}

func (k *coder) hashes(v *[]Hash, limit int) {
	row(k, v, limit, 32, func(h *Hash) { k.fixed(h[:]) })
}

func (k *coder) cid(v *dag.CID) {
	if k.c == nil {
		k.dst = scale.AppendString(k.dst, v.Key())
		return
	}
	b := k.c.BytesRef(dag.MaxCID)
	if k.c.Err() == nil {
		var err error
		if *v, err = dag.ParseCID(b); err != nil {
			k.c.Fail(err)
		}
	}
}

func (k *coder) cids(v *[]dag.CID) {
	row(k, v, dag.MaxBlocks, 5, func(c *dag.CID) { k.cid(c) })
}

// Closed is a unit that is complete, and the word that it is.
type Closed struct {
	Unit   proof.Descriptor
	Ticket Ticket
}

// closed is a unit, or none.
func (k *coder) closed(v **Closed) {
	there := *v != nil
	if k.bool(&there); !there {
		return
	}
	if k.c != nil {
		*v = new(Closed)
	}
	k.value(&(*v).Unit)
	k.fixed((*v).Ticket[:])
}

// refusal is an error, or none.
func (k *coder) refusal(v **RemoteError) {
	there := *v != nil
	if k.bool(&there); !there {
		return
	}
	if k.c != nil {
		*v = new(RemoteError)
	}
	text := []byte((*v).Text)
	k.u8(&(*v).Code)
	k.bytes(&text, maxText)
	(*v).Text = string(text)
}

// emitted is what is to be written to a unit.
func (k *coder) emitted(v *Emitted) {
	k.u64(&v.Offset)
	k.bytes(&v.Bytes, MaxFrame)
	k.hashes(&v.Hashes, MaxFrame/proof.LeafSize)
}
