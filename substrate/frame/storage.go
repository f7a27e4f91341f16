package frame

import (
	"bytes"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"github.com/crustgo/crust/substrate/frame/metadata"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
)

// item is what all storage items have: where they live and how they are described.
type item struct {
	id       int
	pallet   string
	name     string
	prefix   [32]byte
	optional bool
	hashers  []metadata.Hasher
	owner    storageItem
}

// storageItem is implemented by the fields of a pallet that Bind finds.
type storageItem interface {
	bind(it item)
	meta() *item
	describe() (key, value reflect.Type, def []byte)
	newCache() cache
	getRaw(e *Env, key []byte) ([]byte, bool)
	setRaw(e *Env, key, value []byte, deleted bool) error
}

// cell is one decoded value in an Env.
type cell[V any] struct {
	value  V
	exists bool
	loaded bool // value and exists are known
	wrote  bool
	had    bool   // the view has a value; known once loaded
	key    []byte // never modified
	codec  *scale.Codec[V]
	saves  []savedValue[V]
	saved  int // journal position of the latest save
}

type savedValue[V any] struct {
	value         V
	exists, wrote bool
	saved         int
}

func (c *cell[V]) load(e *Env) {
	if c.loaded {
		return
	}
	raw := c.fetch(e)
	if c.loaded, c.exists = true, c.had; !c.had {
		return
	}
	if c.codec == nil { // a raw cell
		*any(&c.value).(*[]byte) = raw
		return
	}
	cur := e.cursor(raw)
	c.codec.Decode(cur, &c.value)
	if err := cur.Finish(); err != nil {
		panic(&Corruption{e.describe(c.key), c.key, err})
	}
}

// fetch reads the encoded value and notes whether there is one.
func (c *cell[V]) fetch(e *Env) []byte {
	raw, ok, err := e.view.Get(c.key)
	if err != nil {
		panic(&Corruption{e.describe(c.key), c.key, err})
	}
	c.had = ok
	return raw
}

// describe names the item that a key belongs to.
func (e *Env) describe(key []byte) string {
	if it := e.item(key); it != nil {
		return it.pallet + "." + it.name
	}
	return "key"
}

// save keeps a copy of the value for the innermost transaction, once.
func (c *cell[V]) save(e *Env) {
	if e.depth == 0 || len(c.saves) > 0 && c.saved >= e.layer {
		return
	}
	c.saves = append(c.saves, savedValue[V]{c.value, c.exists, c.wrote, c.saved})
	c.saved = len(e.journal)
	e.journal = append(e.journal, c)
}

func (c *cell[V]) undo() {
	s := c.saves[len(c.saves)-1]
	c.value, c.exists, c.wrote, c.saved = s.value, s.exists, s.wrote, s.saved
	c.saves = c.saves[:len(c.saves)-1]
}

func (c *cell[V]) forget()         { c.saves = c.saves[:0] }
func (c *cell[V]) fullKey() []byte { return c.key }
func (c *cell[V]) present() bool   { return c.exists }

func (c *cell[V]) before() bool { return c.had }

func (c *cell[V]) appendValue(dst []byte) []byte {
	if c.codec == nil {
		return append(dst, *any(&c.value).(*[]byte)...)
	}
	return c.codec.Append(dst, &c.value)
}

// put overwrites the value. Outside a transaction nobody can ask for the old
// one, so it is not decoded. It is read: a trie that knows that the key is there
// need not look at the leaf.
func (c *cell[V]) put(e *Env, v V) {
	if e.depth > 0 {
		c.load(e)
	} else if !c.loaded {
		c.fetch(e)
		c.loaded = true
	}
	c.save(e)
	c.value, c.exists, c.wrote = v, true, true
}

func (c *cell[V]) kill(e *Env) {
	c.load(e)
	if !c.exists {
		return
	}
	c.save(e)
	var zero V
	c.value, c.exists, c.wrote = zero, false, true
}

// rawCache holds keys that belong to no pallet, such as :code.
type rawCache struct{ cells map[string]*cell[[]byte] }

func (r *rawCache) cell(key []byte) *cell[[]byte] {
	c := r.cells[string(key)]
	if c == nil {
		c = &cell[[]byte]{key: bytes.Clone(key)}
		if r.cells == nil {
			r.cells = map[string]*cell[[]byte]{}
		}
		r.cells[string(key)] = c
	}
	return c
}

func (r *rawCache) dirty(f func(anyCell)) {
	for _, c := range r.cells { //arch:allow maprange Changes sorts
		if c.wrote {
			f(c)
		}
	}
}

// Value is a single storage value. A missing value reads as Default; tag the
// field `frame:"optional"` if a missing value means none to clients.
// Values are passed by copy; slices inside them must not be modified in place.
type Value[V any] struct {
	item
	codec   scale.Codec[V]
	Default V
}

func (s *Value[V]) bind(it item) { s.item, s.codec = it, scale.CodecOf[V]() }
func (s *Value[V]) meta() *item  { return &s.item }
func (s *Value[V]) newCache() cache {
	return &valueCache[V]{cell[V]{key: s.prefix[:], codec: &s.codec}, s}
}

func (s *Value[V]) describe() (key, value reflect.Type, def []byte) {
	return nil, reflect.TypeFor[V](), defaultBytes(&s.item, &s.codec, &s.Default)
}

// defaultBytes is what metadata shows for a missing value.
func defaultBytes[V any](it *item, c *scale.Codec[V], v *V) []byte {
	if it.optional {
		return []byte{0}
	}
	return c.Append(nil, v)
}

type valueCache[V any] struct {
	cell[V]
	s *Value[V]
}

func (c *valueCache[V]) dirty(f func(anyCell)) {
	if c.wrote {
		f(&c.cell)
	}
}

func (s *Value[V]) cell(e *Env) *cell[V] {
	if c := e.caches[s.id]; c != nil {
		return &c.(*valueCache[V]).cell
	}
	c := s.newCache()
	e.caches[s.id] = c
	return &c.(*valueCache[V]).cell
}

// Get returns the value, or Default if there is none.
func (s *Value[V]) Get(e *Env) V {
	v, ok := s.Lookup(e)
	if !ok {
		return s.Default
	}
	return v
}

// Lookup returns the value and whether there is one.
func (s *Value[V]) Lookup(e *Env) (V, bool) {
	c := s.cell(e)
	c.load(e)
	return c.value, c.exists
}

// Exists reports whether there is a value.
func (s *Value[V]) Exists(e *Env) bool {
	_, ok := s.Lookup(e)
	return ok
}

// Put sets the value.
func (s *Value[V]) Put(e *Env, v V) { s.cell(e).put(e, v) }

// Kill removes the value.
func (s *Value[V]) Kill(e *Env) { s.cell(e).kill(e) }

// Take removes the value and returns what Get would have.
func (s *Value[V]) Take(e *Env) V {
	v := s.Get(e)
	s.Kill(e)
	return v
}

// Key is the full storage key.
func (s *Value[V]) Key() []byte { return s.prefix[:] }

func (s *Value[V]) getRaw(e *Env, key []byte) ([]byte, bool) {
	c := s.cell(e)
	c.load(e)
	if len(key) != 32 || !c.exists {
		return nil, false
	}
	return c.appendValue(nil), true
}

func (s *Value[V]) setRaw(e *Env, key, value []byte, deleted bool) error {
	if len(key) != 32 {
		return fmt.Errorf("%s.%s is a plain value: its key has 32 bytes, not %d", s.pallet, s.name, len(key))
	}
	return setCell(e, s.cell(e), value, deleted)
}

func (c *valueCache[V]) setRaw(e *Env, key, value []byte, deleted bool) error {
	return c.s.setRaw(e, key, value, deleted)
}

func setCell[V any](e *Env, c *cell[V], value []byte, deleted bool) error {
	if deleted {
		c.kill(e)
		return nil
	}
	var v V
	cur := e.cursor(value)
	c.codec.Decode(cur, &v)
	if err := cur.Finish(); err != nil {
		return fmt.Errorf("not a value of %s: %w", e.describe(c.key), err)
	}
	c.put(e, v)
	return nil
}

// Map is storage from K to V. The hasher is the field's tag, for example
// `frame:"blake2_128_concat"` or `frame:"twox_64_concat,optional"`; a missing
// value reads as Default.
type Map[K comparable, V any] struct {
	item
	appendKey func(dst []byte, k *K, h *hash.Hasher) []byte // hashes and keys, after the prefix
	readKey   func(c *scale.Cursor, k *K) bool              // false if a hasher does not keep its key
	codec     scale.Codec[V]
	Default   V
}

func (s *Map[K, V]) bind(it item) {
	it.wantHashers(1)
	keys := scale.CodecOf[K]()
	s.item, s.codec = it, scale.CodecOf[V]()
	s.appendKey = func(dst []byte, k *K, h *hash.Hasher) []byte { return appendHashed(dst, it.hashers[0], &keys, k, h) }
	s.readKey = func(c *scale.Cursor, k *K) bool { return readHashed(c, it.hashers[0], &keys, k) }
}

func (it *item) wantHashers(n int) {
	if len(it.hashers) != n {
		panic(fmt.Sprintf("frame: map %s.%s has %d hashers in its tag and needs %d", it.pallet, it.name, len(it.hashers), n))
	}
}

// DoubleMap is storage from K1 and K2 to V; its tag names two hashers. All
// methods of Map work with pairs; VisitPrefix visits what one K1 holds.
type DoubleMap[K1, K2 comparable, V any] struct {
	Map[scale.Pair[K1, K2], V]
	first scale.Codec[K1]
}

func (s *DoubleMap[K1, K2, V]) bind(it item) {
	it.wantHashers(2)
	second := scale.CodecOf[K2]()
	s.item, s.codec, s.first = it, scale.CodecOf[V](), scale.CodecOf[K1]()
	s.appendKey = func(dst []byte, k *scale.Pair[K1, K2], h *hash.Hasher) []byte {
		return appendHashed(appendHashed(dst, it.hashers[0], &s.first, &k.A, h), it.hashers[1], &second, &k.B, h)
	}
	s.readKey = func(c *scale.Cursor, k *scale.Pair[K1, K2]) bool {
		return readHashed(c, it.hashers[0], &s.first, &k.A) && readHashed(c, it.hashers[1], &second, &k.B)
	}
}

// Prefix visits the second keys and values that k1 holds, in storage order.
func (s *DoubleMap[K1, K2, V]) Prefix(e *Env, k1 K1) iter.Seq2[K2, V] {
	return func(yield func(K2, V) bool) {
		prefix := appendHashed(slices.Clone(s.prefix[:]), s.hashers[0], &s.first, &k1, nil)
		s.visit(e, prefix, prefix, func(k scale.Pair[K1, K2], v V) bool { return yield(k.B, v) })
	}
}

// KillPrefix removes everything that k1 holds and returns how many values that were.
func (s *DoubleMap[K1, K2, V]) KillPrefix(e *Env, k1 K1) int {
	n := 0
	for k2 := range s.Prefix(e, k1) {
		s.Kill(e, scale.Pair[K1, K2]{A: k1, B: k2})
		n++
	}
	return n
}

func (s *Map[K, V]) meta() *item     { return &s.item }
func (s *Map[K, V]) newCache() cache { return &mapCache[K, V]{s: s, cells: map[K]*cell[V]{}} }

func (s *Map[K, V]) describe() (key, value reflect.Type, def []byte) {
	return reflect.TypeFor[K](), reflect.TypeFor[V](), defaultBytes(&s.item, &s.codec, &s.Default)
}

type mapCache[K comparable, V any] struct {
	s     *Map[K, V]
	cells map[K]*cell[V]
	slab  []cell[V] // cells are allocated some at a time
	// recent are the latest two cells, the younger first: a call reads and writes
	// the same few accounts again and again.
	recent [2]recentCell[K, V]
}

type recentCell[K comparable, V any] struct {
	key K
	c   *cell[V]
}

func (c *mapCache[K, V]) dirty(f func(anyCell)) {
	for _, x := range c.cells { //arch:allow maprange Changes sorts
		if x.wrote {
			f(x)
		}
	}
}

func (c *mapCache[K, V]) setRaw(e *Env, key, value []byte, deleted bool) error {
	return c.s.setRaw(e, key, value, deleted)
}

func (s *Map[K, V]) cache(e *Env) *mapCache[K, V] {
	if c := e.caches[s.id]; c != nil {
		return c.(*mapCache[K, V])
	}
	c := s.newCache()
	e.caches[s.id] = c
	return c.(*mapCache[K, V])
}

func (s *Map[K, V]) cell(e *Env, k K) *cell[V] {
	m := s.cache(e)
	r := &m.recent
	if r[0].c != nil && r[0].key == k {
		return r[0].c
	}
	if r[1].c != nil && r[1].key == k {
		r[0], r[1] = r[1], r[0]
		return r[0].c
	}
	c := m.cells[k]
	if c == nil {
		c = m.add(e, k)
	}
	r[0], r[1] = recentCell[K, V]{k, c}, r[0]
	return c
}

// add makes the cell of k.
func (m *mapCache[K, V]) add(e *Env, k K) *cell[V] {
	if len(m.slab) == cap(m.slab) {
		m.slab = make([]cell[V], 0, min(max(4, 2*cap(m.slab)), 64))
	}
	var buf [128]byte
	key := e.keep(m.s.appendKey(append(buf[:0], m.s.prefix[:]...), &k, &e.hasher))
	m.slab = append(m.slab, cell[V]{key: key, codec: &m.s.codec})
	c := &m.slab[len(m.slab)-1]
	m.cells[k] = c
	return c
}

// Key is the full storage key of k.
func (s *Map[K, V]) Key(k K) []byte {
	var buf [128]byte
	return slices.Clone(s.appendKey(append(buf[:0], s.prefix[:]...), &k, nil))
}

// appendHashed appends a map key as its hasher demands. with is what hashes; nil
// stands for a new one.
func appendHashed[K any](dst []byte, h metadata.Hasher, c *scale.Codec[K], k *K, with *hash.Hasher) []byte {
	var buf [64]byte
	enc := c.Append(buf[:0], k)
	switch h {
	case metadata.Blake2_128, metadata.Blake2_128Concat:
		sum := with.Blake2b128(enc)
		dst = append(dst, sum[:]...)
	case metadata.Blake2_256:
		sum := hash.Blake2b256(enc)
		dst = append(dst, sum[:]...)
	case metadata.Twox128:
		sum := hash.Twox128(enc)
		dst = append(dst, sum[:]...)
	case metadata.Twox256:
		sum := hash.Twox256(enc)
		dst = append(dst, sum[:]...)
	case metadata.Twox64Concat:
		sum := hash.Twox64(enc)
		dst = append(dst, sum[:]...)
	}
	if _, concat := hashLen(h); concat {
		dst = append(dst, enc...)
	}
	return dst
}

// readHashed reads a key back; false if the hasher does not keep it.
func readHashed[K any](c *scale.Cursor, h metadata.Hasher, codec *scale.Codec[K], k *K) bool {
	skip, concat := hashLen(h)
	if concat {
		c.Ref(skip)
		codec.Decode(c, k)
	}
	return concat
}

// hashLen is the length of the hash before a key, and whether the key follows it.
func hashLen(h metadata.Hasher) (n int, concat bool) {
	switch h {
	case metadata.Blake2_128Concat:
		return 16, true
	case metadata.Twox64Concat:
		return 8, true
	case metadata.Identity:
		return 0, true
	}
	return 0, false
}

// Get returns the value of k, or Default if there is none.
func (s *Map[K, V]) Get(e *Env, k K) V {
	v, ok := s.Lookup(e, k)
	if !ok {
		return s.Default
	}
	return v
}

// Lookup returns the value of k and whether there is one.
func (s *Map[K, V]) Lookup(e *Env, k K) (V, bool) {
	c := s.cell(e, k)
	c.load(e)
	return c.value, c.exists
}

// Exists reports whether k has a value.
func (s *Map[K, V]) Exists(e *Env, k K) bool {
	c := s.cell(e, k)
	c.load(e)
	return c.exists
}

// Put sets the value of k.
func (s *Map[K, V]) Put(e *Env, k K, v V) { s.cell(e, k).put(e, v) }

// Insert sets the value of k, which must be known to have none: nobody looks for it.
// In a large state a look for what is not there costs as much as one for what is.
func (s *Map[K, V]) Insert(e *Env, k K, v V) {
	c := s.cell(e, k)
	c.loaded = true // as having no value, unless it was loaded before
	c.put(e, v)
}

// Kill removes the value of k.
func (s *Map[K, V]) Kill(e *Env, k K) { s.cell(e, k).kill(e) }

// Take removes the value of k and returns what Get would have.
func (s *Map[K, V]) Take(e *Env, k K) V {
	v := s.Get(e, k)
	s.Kill(e, k)
	return v
}

// All visits all keys and values in the order of the storage keys. Keys that
// are added during the visit are not visited.
func (s *Map[K, V]) All(e *Env) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		s.visit(e, s.prefix[:], s.prefix[:], yield)
	}
}

// After visits what All would visit after k, whether or not k has a value: so that
// a visit can be continued in another block.
func (s *Map[K, V]) After(e *Env, k K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		s.visit(e, s.prefix[:], append(s.Key(k), 0), yield)
	}
}

// visit merges the view with the cells that were written under prefix, both in
// key order and not below from, and calls f with the values that exist until it
// returns false. What is only read leaves no cell behind: a visit may be long.
func (s *Map[K, V]) visit(e *Env, prefix, from []byte, f func(K, V) bool) {
	type entry struct {
		k K
		c *cell[V]
	}
	cells := s.cache(e).cells
	var entries []entry
	var written []writtenKey
	for k, c := range cells { //arch:allow maprange merge sorts
		if c.wrote && bytes.HasPrefix(c.key, prefix) && bytes.Compare(c.key, from) >= 0 {
			written = append(written, writtenKey{c.key, len(entries)})
			entries = append(entries, entry{k, c})
		}
	}
	writtenOne := func(at int) bool {
		w := entries[at]
		return !w.c.exists || f(w.k, w.c.value)
	}
	s.merge(e.view, prefix, from, written, writtenOne, func(key, value []byte) bool {
		k, err := s.decodeKey(e, key)
		var v V
		if err == nil {
			cur := e.cursor(value)
			s.codec.Decode(cur, &v)
			err = cur.Finish()
		}
		if err != nil {
			panic(&Corruption{s.pallet + "." + s.name, bytesClone(key), err})
		}
		if c := cells[k]; c != nil && c.wrote { // since the visit began
			return !c.exists || f(k, c.value)
		}
		return f(k, v)
	})
}

// writtenKey is the key of a cell that was written, and its place in another list.
type writtenKey struct {
	key []byte
	at  int
}

// merge calls written and stored with what was written and what the view has, in key
// order, until one of them returns false. Of a key in both, written is told.
//
// It knows no types, so that there is one of it in the program and not one for each map.
func (it *item) merge(v state.View, prefix, from []byte, keys []writtenKey, written func(at int) bool, stored func(key, value []byte) bool) {
	view := v.Iterate(prefix, from)
	defer view.Close()
	slices.SortFunc(keys, func(a, b writtenKey) int { return bytes.Compare(a.key, b.key) })
	for view.Next() {
		for len(keys) > 0 && bytes.Compare(keys[0].key, view.Key()) < 0 {
			if !written(keys[0].at) {
				return
			}
			keys = keys[1:]
		}
		if len(keys) > 0 && bytes.Equal(keys[0].key, view.Key()) {
			continue // comes with the written ones
		}
		if !stored(view.Key(), view.Value()) {
			return
		}
	}
	if err := view.Err(); err != nil {
		panic(&Corruption{it.pallet + "." + it.name, prefix, err})
	}
	for _, k := range keys {
		if !written(k.at) {
			return
		}
	}
}

func (s *Map[K, V]) decodeKey(e *Env, key []byte) (k K, err error) {
	cur := e.cursor(key[min(32, len(key)):])
	if !s.readKey(cur, &k) {
		return k, fmt.Errorf("%s.%s does not keep its keys", s.pallet, s.name)
	}
	if err := cur.Finish(); err != nil {
		return k, err
	}
	var buf [128]byte
	if !bytes.Equal(s.appendKey(append(buf[:0], s.prefix[:]...), &k, &e.hasher), key) {
		return k, fmt.Errorf("not a key of %s.%s: the hash does not fit", s.pallet, s.name)
	}
	return k, nil
}

func (s *Map[K, V]) getRaw(e *Env, key []byte) ([]byte, bool) {
	k, err := s.decodeKey(e, key)
	if err != nil {
		return nil, false
	}
	c := s.cell(e, k)
	if c.load(e); !c.exists {
		return nil, false
	}
	return c.appendValue(nil), true
}

func (s *Map[K, V]) setRaw(e *Env, key, value []byte, deleted bool) error {
	k, err := s.decodeKey(e, key)
	if err != nil {
		return err
	}
	return setCell(e, s.cell(e, k), value, deleted)
}
