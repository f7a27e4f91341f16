package rpc

import (
	"cmp"
	"runtime"
	"time"

	"github.com/crustgo/crust/substrate/types"
)

// Config holds the limits of the methods. A zero field takes the default given
// with it.
type Config struct {
	MaxKeys       int // keys of one request, and keys that one answer lists where it cannot be continued; 1024
	MaxPage       int // keys of one page of state_getKeysPaged; 1000
	MaxBlockRange int // blocks of one state_queryStorage, and headers of one finality proof; 4096
	MaxReaders    int // runtime calls, proofs and scans that run at a time; twice the processors
	CachedHeaders int // headers kept in JSON; 512

	MaxFollows         int               // chainHead subscriptions of one connection; 2
	MaxPinned          int               // blocks pinned by one chainHead subscription; 512
	MaxPinnedAge       types.BlockNumber // how far below the finalised block a pinned block may be; 256
	MaxOperations      int               // operations of one chainHead subscription at a time; 16
	MaxOperationItems  int               // items of one chainHead_v1_storage; further ones are discarded; 64
	OperationPageItems int               // entries below a key that are sent before the client has to ask for more; 512
	OperationPageBytes int               // the same in bytes of keys and values; 512 KiB
	FirstFinalised     int               // finalised blocks that a new chainHead subscription is told of; 16

	MaxBroadcasts int // transactions that one connection broadcasts; 16

	// FinalisedAfter is how long after inBlock author_submitAndWatchExtrinsic tells
	// of finality at the earliest; 200 ms. polkadot.js looks into the block before it
	// reports inBlock, and reports nothing if it hears the next status meanwhile.
	FinalisedAfter time.Duration
}

func (c *Config) setDefaults() {
	c.MaxKeys = cmp.Or(c.MaxKeys, 1024)
	c.MaxPage = cmp.Or(c.MaxPage, 1000)
	c.MaxBlockRange = cmp.Or(c.MaxBlockRange, 4096)
	c.MaxReaders = cmp.Or(c.MaxReaders, 2*runtime.GOMAXPROCS(0))
	c.CachedHeaders = cmp.Or(c.CachedHeaders, 512)
	c.MaxFollows = cmp.Or(c.MaxFollows, 2)
	c.MaxPinned = cmp.Or(c.MaxPinned, 512)
	c.MaxPinnedAge = cmp.Or(c.MaxPinnedAge, 256)
	c.MaxOperations = cmp.Or(c.MaxOperations, 16)
	c.MaxOperationItems = cmp.Or(c.MaxOperationItems, 64)
	c.OperationPageItems = cmp.Or(c.OperationPageItems, 512)
	c.OperationPageBytes = cmp.Or(c.OperationPageBytes, 512<<10)
	c.FirstFinalised = cmp.Or(c.FirstFinalised, 16)
	c.MaxBroadcasts = cmp.Or(c.MaxBroadcasts, 16)
	c.FinalisedAfter = cmp.Or(c.FinalisedAfter, 200*time.Millisecond)
}
