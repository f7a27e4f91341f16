package state

import "bytes"

// Overlay is base seen through layers, newest first, restricted to keys with
// prefix that are not below from. base must be restricted alike, and may be nil;
// closing the overlay closes it.
func Overlay(newestFirst []*Layer, base Iterator, prefix, from []byte) Iterator {
	o := &overlay{base: base}
	for _, l := range newestFirst {
		if ch := l.from(prefix, from); len(ch) > 0 {
			o.layers = append(o.layers, ch)
		}
	}
	if len(o.layers) == 0 && base != nil {
		return base
	}
	o.stepBase()
	return o
}

// overlay merges sorted change lists; of equal keys the first list's counts.
type overlay struct {
	layers     [][]Change // what each layer still has; newest first
	base       Iterator
	baseHas    bool
	key, value []byte
	stepNext   bool // the base's entry was returned: step before looking at it again
}

func (o *overlay) stepBase() {
	if o.base != nil {
		o.baseHas = o.base.Next()
	}
}

func (o *overlay) Next() bool {
	if o.stepNext {
		o.stepNext = false
		o.stepBase()
	}
	for {
		best := -1
		for i, l := range o.layers {
			if len(l) > 0 && (best < 0 || bytes.Compare(l[0].Key, o.layers[best][0].Key) < 0) {
				best = i
			}
		}
		if best < 0 {
			return o.fromBase()
		}
		c := o.layers[best][0]
		if o.baseHas {
			switch cmp := bytes.Compare(o.base.Key(), c.Key); {
			case cmp < 0:
				return o.fromBase()
			case cmp == 0:
				o.stepBase()
			}
		} else if o.base != nil && o.base.Err() != nil {
			return false
		}
		for i, l := range o.layers {
			if len(l) > 0 && bytes.Equal(l[0].Key, c.Key) {
				o.layers[i] = l[1:]
			}
		}
		if !c.Deleted {
			o.key, o.value = c.Key, c.Value
			return true
		}
	}
}

func (o *overlay) fromBase() bool {
	if !o.baseHas {
		return false
	}
	o.key, o.value, o.stepNext = o.base.Key(), o.base.Value(), true
	return true
}

func (o *overlay) Key() []byte   { return o.key }
func (o *overlay) Value() []byte { return o.value }

func (o *overlay) Err() error {
	if o.base == nil {
		return nil
	}
	return o.base.Err()
}

func (o *overlay) Close() error {
	if o.base == nil {
		return nil
	}
	return o.base.Close()
}
