package trie

// Flush calls emit with the record of every big branch that was made since the
// last MarkFlushed, in path order. Together with the removed paths of the updates
// since then it brings the stored records up to t. record must not be modified.
func (t *Trie) Flush(emit func(path, record []byte) error) error {
	if t.root.br == nil {
		return nil
	}
	return flush(t.root.br, t.root.size, make([]byte, 0, 256), emit)
}

func flush(b *branch, size uint8, path []byte, emit func(path, record []byte) error) error {
	if b.clean.Load() || size < sizeBig {
		return nil
	}
	if err := emit(path, b.rec()); err != nil {
		return err
	}
	for i := range int(b.nibbles) {
		path = append(path, b.partialNibble(i))
	}
	for nib := range 16 {
		if k := b.kid(nib); k != nil {
			if kid := k.load(); kid != nil {
				if err := flush(kid, b.childSize(nib), append(path, byte(nib)), emit); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// MarkFlushed notes that the store holds t: its records are written and the flat
// store that Loader.Range reads is at t's state. From then on Evict may drop its
// nodes.
func (t *Trie) MarkFlushed() {
	if t.root.br != nil {
		markClean(t.root.br)
	}
}

func markClean(b *branch) {
	if b.clean.Swap(true) {
		return
	}
	kids := b.kids()
	for i := range kids {
		if k := kids[i].load(); k != nil {
			markClean(k)
		}
	}
}

// memOf is the memory that b and what is loaded below it take, in bytes.
func memOf(b *branch) int {
	n := b.memSize()
	kids := b.kids()
	for i := range kids {
		if k := kids[i].load(); k != nil {
			n += memOf(k)
		}
	}
	return n
}

// ageClasses is how many ticks back Evict tells ages apart.
const ageClasses = 1024

// Evict drops loaded nodes of t, which must be flushed, the least recently used
// first, until those that stay take at most limit bytes, and returns what they
// take. now is the caller's clock, as in Update. Nodes that other tries share
// stay with them.
func (t *Trie) Evict(limit int, now uint32) int {
	if t.root.br == nil {
		return 0
	}
	var bytesByAge [ageClasses]int
	total := tally(t.root.br, now, &bytesByAge)
	if total <= limit {
		return total
	}
	age, kept := 0, bytesByAge[0]
	for age+1 < ageClasses && kept+bytesByAge[age+1] <= limit {
		age++
		kept += bytesByAge[age]
	}
	if kept > limit { // even this tick's nodes are too many: begin anew below the root
		age = -1
	}
	return drop(t.root.br, now, age)
}

func ageOf(b *branch, now uint32) int { return int(min(now-b.used.Load(), ageClasses-1)) }

func tally(b *branch, now uint32, byAge *[ageClasses]int) int {
	n := b.memSize()
	byAge[ageOf(b, now)] += n
	kids := b.kids()
	for i := range kids {
		if k := kids[i].load(); k != nil {
			n += tally(k, now, byAge)
		}
	}
	return n
}

// MemSize is the memory that the loaded nodes take, in bytes.
func (t *Trie) MemSize() int {
	if t.root.br == nil {
		return 0
	}
	return memOf(t.root.br)
}

// drop unlinks the clean nodes below b that are older than age.
func drop(b *branch, now uint32, age int) int {
	n := b.memSize()
	kids := b.kids()
	for i := range kids {
		k := kids[i].load()
		if k == nil {
			continue
		}
		if k.clean.Load() && ageOf(k, now) > age {
			kids[i].store(nil)
			continue
		}
		n += drop(k, now, age)
	}
	return n
}
