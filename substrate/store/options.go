package store

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/trie"
	"github.com/crustgo/crust/substrate/types"
)

// Options configure a DB. The zero value of a field means its default. All sizes
// are upper bounds that fill only as the chain needs them.
type Options struct {
	// Genesis is the chain's genesis hash; a database of another chain is refused.
	// Zero accepts any.
	Genesis types.Hash
	// StateVersion is the trie version of a database that is created; V1 if nil.
	StateVersion *trie.Version
	// Archive keeps the state of every finalised block. It is chosen when a
	// database is created.
	Archive bool
	// KeepBlocks is how many finalised blocks below the base keep their state
	// (default 256). Archive ignores it.
	KeepBlocks uint32
	// CheckpointBytes is the memory that finalised blocks above the base may take
	// before a checkpoint moves the base (default 20 MiB).
	CheckpointBytes int
	// CheckpointBlocks is the number of such blocks (default 256).
	CheckpointBlocks int
	// MaxLayerBytes is what LayerBytes may reach before Commit refuses blocks
	// (default 1 GiB).
	MaxLayerBytes int
	// CacheBytes is what the three caches below may take together (default 256 MiB). It is
	// divided between those that are not set.
	CacheBytes int
	// ValueCacheBytes bounds the cache of base values (default a quarter of CacheBytes).
	ValueCacheBytes int
	// TrieCacheBytes bounds the loaded trie nodes of the base (default five eighths of
	// CacheBytes). The nodes of the whole trie take some 70 bytes a key.
	TrieCacheBytes int
	// BlockCacheBytes bounds the database's cache of table blocks (default an eighth of
	// CacheBytes, and room for the write buffers, which are taken from it).
	BlockCacheBytes int64
	// MemTableBytes bounds one of the database's write buffers (default 16 MiB). If
	// what is written between two checkpoints fits, the journal of blocks is
	// forgotten before it is ever written to a table.
	MemTableBytes uint64
	// Par runs parts of an update at the same time; all processors if nil.
	Par trie.Par
	// Log gets what an operator should know; none if nil.
	Log *slog.Logger

	fs         vfs.FS // set by OpenMem
	tableBytes int    // of one table of a state that is written at once, before compression: about what compactions make
}

func (o *Options) setDefaults() {
	if o.StateVersion == nil {
		v := trie.V1
		o.StateVersion = &v
	}
	def(&o.KeepBlocks, 256)
	def(&o.CheckpointBytes, 20<<20)
	def(&o.CheckpointBlocks, 256)
	def(&o.MaxLayerBytes, 1<<30)
	def(&o.MemTableBytes, 16<<20)
	def(&o.CacheBytes, 256<<20)
	def(&o.ValueCacheBytes, o.CacheBytes/4)
	def(&o.TrieCacheBytes, o.CacheBytes/8*5)
	def(&o.BlockCacheBytes, int64(o.CacheBytes/8)+2*int64(o.MemTableBytes))
	def(&o.tableBytes, 256<<20)
	if o.Par == nil {
		o.Par = lifecycle.Parallel
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.fs == nil {
		o.fs = vfs.Default
	}
}

func def[T uint32 | int | int64 | uint64](p *T, v T) {
	if *p == 0 {
		*p = v
	}
}

func (o *Options) validate() error {
	if o.CheckpointBytes < 0 || o.CheckpointBlocks < 0 || o.MaxLayerBytes < 0 || o.CacheBytes < 0 || o.ValueCacheBytes < 0 || o.TrieCacheBytes < 0 || o.BlockCacheBytes < 0 {
		return errors.New("store options: a size is negative")
	}
	if *o.StateVersion != trie.V0 && *o.StateVersion != trie.V1 {
		return fmt.Errorf("store options: unknown state version %d", *o.StateVersion)
	}
	return nil
}

// pebbleOptions configure the database for little memory at rest: write buffers
// start at 256 KiB and grow with load, and blocks are cached up to a small bound
// since values and trie nodes have caches of their own.
func (o *Options) pebbleOptions(cache *pebble.Cache) *pebble.Options {
	po := &pebble.Options{
		FS:                          o.fs,
		Cache:                       cache,
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       8,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                512,
		WALBytesPerSync:             1 << 20,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		Cleaner:                     cleaner{},
		Logger:                      pebbleLogger{o.Log},
	}
	if o.fs != vfs.Default {
		po.WALBytesPerSync = 0 // a disk in memory keeps what is asked for, and no more
	}
	for i := range po.Levels {
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		po.Levels[i].BlockSize = blockBytes
	}
	return po
}

// lowestLevel is the database's last, where most of a state is.
const lowestLevel = len(pebble.Options{}.Levels) - 1

// blockBytes is the size of a table's blocks. A checkpoint reads most blocks of
// the state for the values that it replaces, which costs less the fewer they are;
// a value that no cache has costs more the larger they are.
const blockBytes = 4 << 10

// cleaner deletes old files, logs included. By itself the database would keep up
// to five of its logs, of up to MemTableBytes each, to write the next ones into
// them; it does not with a cleaner that says it needs what is in the files.
type cleaner struct {
	pebble.DeleteCleaner
	needsContents
}

type needsContents struct{ pebble.ArchiveCleaner }

// pebbleLogger passes on what the database reports. Fatalf is how it reports a
// failed write of its log: nothing may go on after that.
type pebbleLogger struct{ log *slog.Logger }

func (l pebbleLogger) Infof(string, ...any) {}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.log.Error("database", "err", fmt.Sprintf(format, args...))
}

func (l pebbleLogger) Fatalf(format string, args ...any) {
	panic("store: the database cannot write: " + fmt.Sprintf(format, args...))
}
