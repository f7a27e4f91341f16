package txpool

import (
	"fmt"

	"github.com/crustgo/crust/substrate/types"
)

// Tx is a transaction and what its validation said.
type Tx struct {
	Hash  types.Hash
	Bytes types.Extrinsic

	Signed bool
	Sender types.AccountID // if Signed
	Nonce  types.Nonce     // if Signed

	Requires  [][]byte // tags that have to be provided before
	Provides  [][]byte // tags that it provides; at least one, because they identify it
	Priority  uint64
	Longevity uint64 // blocks for which the validation holds
	Propagate bool   // whether peers may be told
	Mandatory bool   // inherents; the pool refuses them

	Watched bool // somebody wants to know of blocks and finality; see Event
	Back    bool // the pool had accepted it before, and it comes back: from a retracted block, or because its owner starts over
}

// Error is a reason to refuse a transaction, with Substrate's JSON-RPC code.
type Error struct {
	Code    int
	Message string
	Data    string // details, or empty
	Cause   error  // the runtime's verdict, or nil
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Error is the message with its details.
func (e *Error) Error() string {
	if e.Data == "" {
		return e.Message
	}
	return e.Message + ": " + e.Data
}

// Is compares codes, so that errors.Is finds a sentinel behind other details.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Reasons to refuse a transaction.
var (
	ErrInvalid      = &Error{Code: 1010, Message: "Invalid Transaction"}
	ErrUnknown      = &Error{Code: 1011, Message: "Unknown Transaction Validity"}
	ErrBanned       = &Error{Code: 1012, Message: "Transaction is temporarily banned"}
	ErrImported     = &Error{Code: 1013, Message: "Transaction Already Imported"}
	ErrPriority     = &Error{Code: 1014, Message: "Priority is too low"}
	ErrCycle        = &Error{Code: 1015, Message: "Cycle Detected"}
	ErrDropped      = &Error{Code: 1016, Message: "Immediately Dropped", Data: "The transaction couldn't enter the pool because of the limit"}
	ErrUnactionable = &Error{Code: 1018, Message: "Unactionable", Data: "The transaction is unactionable since it is not propagable and the local node does not author blocks"}
	ErrNoTags       = &Error{Code: 1019, Message: "No tags provided", Data: "Transaction does not provide any tags, so the pool can't identify it"}
)

func tooLow(old, offered uint64) *Error {
	return &Error{Code: ErrPriority.Code, Message: fmt.Sprintf("%s: (%d vs %d)", ErrPriority.Message, old, offered),
		Data: "The transaction has too low priority to replace another transaction already in the pool."}
}

// Place is where a transaction is.
type Place uint8

// The places.
const (
	Nowhere Place = iota
	InFuture
	InReady
)

// EventKind is what happened to a transaction; the comments give the state that
// author_submitAndWatchExtrinsic reports.
type EventKind uint8

// The events. Finalized, FinalityTimeout, Usurped, Dropped and Invalid are last.
const (
	Future          EventKind = iota // future
	Ready                            // ready
	InBlock                          // inBlock: included in Block, at Index
	Retracted                        // retracted: Block is not in the best chain any more
	FinalityTimeout                  // finalityTimeout: Block is long in the chain and not final
	Finalized                        // finalized: Block, which includes it at Index, is final
	Usurped                          // usurped: Other provides the same tags
	Dropped                          // dropped: the pool is full
	Invalid                          // invalid: it cannot go into a block any more
)

// String is the state's name in JSON-RPC.
func (k EventKind) String() string {
	return [...]string{"future", "ready", "inBlock", "retracted", "finalityTimeout", "finalized", "usurped", "dropped", "invalid"}[k]
}

// Event is a step in a transaction's life. Those that carry a block are only
// reported for watched transactions, all others for every transaction.
type Event struct {
	Tx    types.Hash
	Kind  EventKind
	Block types.Hash // InBlock to Finalized
	Index uint32     // InBlock, Finalized: place in the block's body
	Other types.Hash // Usurped
}

// Config is the pool's limits.
type Config struct {
	Ready           Limit  // what newcomers may fill
	Future          Limit  // what newcomers may fill; the pool is never larger than both together
	PerSender       int    // signed transactions of one account, of which half may be future; 0 for any number
	BanBlocks       uint64 // how long a transaction that proved invalid is refused
	Bans            int    // how many are remembered
	RevalidateAfter uint64 // blocks after which a transaction is worth validating again
	RevalidateMax   int    // how many OnBlock asks for at once
	FinalityBlocks  uint64 // blocks after inclusion at which waiting for finality ends
	RememberBlocks  int    // blocks whose tags still count as provided for late arrivals, and can be retracted
}

// DefaultConfig is for a chain of 6 s blocks with up to 8,000 transactions each.
func DefaultConfig() Config {
	return Config{
		Ready:           Limit{Count: 65_536, Bytes: 64 << 20},
		Future:          Limit{Count: 8192, Bytes: 8 << 20},
		PerSender:       1024,
		BanBlocks:       300,
		Bans:            65_536,
		RevalidateAfter: 10,
		RevalidateMax:   256,
		FinalityBlocks:  512,
		RememberBlocks:  8,
	}
}
