package state

import (
	"bytes"
	"fmt"

	"github.com/crustgo/crust/substrate/scale"
)

// Flags of a change in the journal.
const (
	flagDeleted = 1 << 0
	flagHadOld  = 1 << 1
)

// Pack returns the journal form of changes, their number, then for each flags u8, the key and, unless it is deleted, the
// value, with compact lengths; and the changes again, which lie in it: one piece of memory in the order of keys,
// which is read faster than what they point to, and is one object for the garbage collector.
func Pack(changes []Change) (journal []byte, packed []Change) {
	size := 5
	for i := range changes {
		size += 11 + len(changes[i].Key) + len(changes[i].Value)
	}
	b, packed := scale.AppendCompact(make([]byte, 0, size), uint64(len(changes))), make([]Change, len(changes))
	for i, c := range changes {
		b = AppendChange(b, &c)
		end := len(b)
		if !c.Deleted {
			c.Value = b[end-len(c.Value) : end : end]
			end -= scale.CompactLen(uint64(len(c.Value))) + len(c.Value)
		}
		c.Key = b[end-len(c.Key) : end : end]
		packed[i] = c
	}
	return b, packed
}

// AppendChange appends one of the changes that Pack writes after their number.
func AppendChange(dst []byte, c *Change) []byte {
	flags := byte(0)
	if c.Deleted {
		flags |= flagDeleted
	}
	if c.HadOld {
		flags |= flagHadOld
	}
	dst = scale.AppendBytes(append(dst, flags), c.Key)
	if !c.Deleted {
		dst = scale.AppendBytes(dst, c.Value)
	}
	return dst
}

// DecodeChanges reads what Pack wrote. The changes alias b.
func DecodeChanges(b []byte) ([]Change, error) {
	c := scale.NewCursor(b)
	n := c.Len(2)
	if c.Err() != nil {
		return nil, c.Err()
	}
	out := make([]Change, 0, n)
	for range n {
		flags := c.U8()
		ch := Change{Deleted: flags&flagDeleted != 0, HadOld: flags&flagHadOld != 0}
		ch.Key = c.BytesRef(c.Remaining())
		if !ch.Deleted {
			ch.Value = c.BytesRef(c.Remaining())
		}
		if c.Err() != nil {
			return nil, c.Err()
		}
		if flags&^(flagDeleted|flagHadOld) != 0 {
			return nil, fmt.Errorf("change of %x has unknown flags %#x", ch.Key, flags)
		}
		if k := len(out); k > 0 && bytes.Compare(out[k-1].Key, ch.Key) >= 0 {
			return nil, fmt.Errorf("change %d (%x) is not in key order", k, ch.Key)
		}
		out = append(out, ch)
	}
	return out, c.Finish()
}
