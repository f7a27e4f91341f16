package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// InitGenesis makes the genesis block of an empty database, with the state that
// holds exactly entries. The block's state root must be theirs.
func (db *DB) InitGenesis(b Block, entries []trie.KV) error {
	sorted := trie.SortEntries(append([]trie.KV(nil), entries...))
	all := func(yield func(key, value []byte) bool) {
		for _, e := range sorted {
			if !yield(e.Key, e.Value) {
				return
			}
		}
	}
	return db.StreamGenesis(all, func(root types.Hash) (Block, error) {
		if root != b.StateRoot {
			return b, fmt.Errorf("%w: the block says %s, the state has %s", ErrStateRoot, b.StateRoot, root)
		}
		return b, nil
	})
}

// StreamGenesis does the same with a state that need not fit in memory: entries
// come in key order, and are good until the next one is asked for. block makes the
// genesis block that has their root.
func (db *DB) StreamGenesis(entries iter.Seq2[[]byte, []byte], block func(root types.Hash) (Block, error)) error {
	db.write.Lock()
	defer db.write.Unlock()
	if db.closed {
		return ErrClosed
	}
	if !db.Empty() {
		return fmt.Errorf("the database has genesis block %s already", db.Genesis())
	}
	g := &bulk{db: db, state: tables{db: db, name: "state"}}
	anchor, err := g.write(entries)
	if err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	b, err := block(anchor.Hash)
	if err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	if want := db.opt.Genesis; want != (types.Hash{}) && want != b.Hash {
		return fmt.Errorf("genesis block is %s, expected %s", b.Hash, want)
	}
	base := &node{ref: ref{b.Number, b.Hash}, parent: b.Parent, root: b.StateRoot}
	rest := tables{db: db, name: "rest"}
	err = errors.Join(rest.set([]byte{kindBase}, baseRecord{base.ref, anchor}.encode()), rest.next(),
		rest.records(g.tries), rest.next(), // everything of the state comes between
		rest.set(byNumber(kindUndo, b.Number), beginUndo(b.StateRoot, undoValues, nil)), rest.next())
	if err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := db.ingestGenesis(&b, append(g.state.files, rest.files...)); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	l := &loader{db: db}
	base.trie, err = trie.Open(l, db.version, anchor)
	if err = errors.Join(err, l.close()); err != nil {
		return err
	}
	db.genesis, db.floor = b.Hash, b.Number
	db.base, db.finalised, db.best = base, base, base
	db.nodes[b.Hash] = base
	return nil
}

// bulk writes a state and works out its trie, whose records it collects: they come
// in another order than they are stored, and are few, since only big branches have one.
type bulk struct {
	db    *DB
	state tables
	tries []record
}

// bulkBytes is how much of a state is on its way at a time.
const bulkBytes = 1 << 20

// write reads a part of the entries while the part before it goes into the trie
// and into the tables.
func (g *bulk) write(entries iter.Seq2[[]byte, []byte]) (trie.Anchor, error) {
	next, stop := iter.Pull2(entries)
	defer stop()
	builder := trie.NewBuilder(g.db.version, func(path trie.Path, rec []byte) error {
		g.tries = append(g.tries, record{path.Append([]byte{kindTrie}), append([]byte(nil), rec...)})
		return nil
	})
	var part, coming entryList
	for {
		var errs [3]error
		g.db.opt.Par(len(errs), func(i int) {
			switch i {
			case 0:
				coming.fill(next)
			case 1:
				errs[i] = part.each(func(key, value []byte) error { return builder.Add(key[1:], value) })
			case 2:
				errs[i] = part.each(g.state.set)
			}
		})
		if err := errors.Join(errs[:]...); err != nil {
			return trie.Anchor{}, errors.Join(err, g.state.next())
		}
		if part, coming = coming, part; len(part.ends) == 0 {
			break
		}
	}
	anchor, err := builder.Finish()
	sortRecords(g.tries)
	return anchor, errors.Join(err, g.state.next())
}

// entryList is keys of the state, as the database has them, and values.
type entryList struct {
	bytes []byte
	ends  [][2]int // of each key and its value
}

func (l *entryList) fill(next func() (key, value []byte, ok bool)) {
	l.bytes, l.ends = l.bytes[:0], l.ends[:0]
	for len(l.bytes) < bulkBytes {
		key, value, ok := next()
		if !ok {
			return
		}
		l.bytes = append(append(l.bytes, kindState), key...)
		end := len(l.bytes)
		l.bytes = append(l.bytes, value...)
		l.ends = append(l.ends, [2]int{end, len(l.bytes)})
	}
}

func (l *entryList) each(f func(key, value []byte) error) error {
	from := 0
	for _, end := range l.ends {
		if err := f(l.bytes[from:end[0]], l.bytes[end[0]:end[1]]); err != nil {
			return err
		}
		from = end[1]
	}
	return nil
}

// tables writes records in key order into as many tables as they need.
type tables struct {
	db    *DB
	name  string
	files []string
	at    *table
	bytes int
}

func (t *tables) set(key, value []byte) (err error) {
	if t.bytes >= t.db.opt.tableBytes {
		if err := t.next(); err != nil {
			return err
		}
	}
	if t.at == nil {
		if t.at, err = t.db.newTable(fmt.Sprintf("%s-%d.sst", t.name, len(t.files)), lowestLevel); err != nil {
			return err
		}
	}
	t.bytes += len(key) + len(value)
	return writeError(t.at.set(key, value))
}

func (t *tables) records(rs []record) error {
	for _, r := range rs {
		if err := t.set(r.key, r.value); err != nil {
			return err
		}
	}
	return nil
}

// next completes the table that is being written: what comes goes into another one.
func (t *tables) next() error {
	if t.at == nil {
		return nil
	}
	t.files = append(t.files, t.at.path)
	err := writeError(t.at.w.Close())
	t.at, t.bytes = nil, 0
	return err
}

func (db *DB) ingestGenesis(b *Block, files []string) error {
	// An attempt that crashed may have left a part behind. What takes the place of all there is goes to the lowest level, where
	// a state belongs: tables that are laid over others, even over a deletion, are read, merged and rewritten as if they were news.
	all := pebble.KeyRange{Start: []byte{0}, End: []byte{0xFF}}
	if _, err := db.pdb.IngestAndExcise(context.Background(), files, nil, nil, all); err != nil {
		return writeError(err)
	}
	archive := byte(0)
	if db.opt.Archive {
		archive = 1
	}
	at := ref{b.Number, b.Hash}
	batch := db.pdb.NewBatch()
	defer func() { _ = batch.Close() }()
	set := setter{batch: batch}
	set.set(metaKey(metaGenesis), append(append([]byte(nil), b.Hash[:]...), byte(db.version), archive))
	set.set(metaKey(metaBest), at.encode())
	set.set(metaKey(metaFinalised), at.encode())
	set.set(metaKey(metaFloor), binary.BigEndian.AppendUint32(nil, uint32(b.Number)))
	set.set(byBlock(kindBlock, b.Number, b.Hash), encodeBlock(b))
	set.set(numberKey(b.Hash), byNumber(0, b.Number)[1:])
	set.set(byNumber(kindCanonical, b.Number), b.Hash[:])
	set.set(metaKey(metaFormat), binary.BigEndian.AppendUint32(nil, FormatVersion))
	return set.apply(true)
}
