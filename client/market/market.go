package market

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount in plancks.
type Balance = fixed.U128

// Block is a block number as the market has it.
type Block = uint32

// State is the market of a chain after one block.
type State struct {
	c  *client.Client
	at types.Hash

	Number   Block         // of the block
	Slot     time.Duration // between blocks, if every slot has one
	Open     bool          // orders are taken
	Duration Block         // how long an order lasts from its first replica on
	Pending  Block         // how long an order waits for its first replica, and an ended one for its settlement
	Report   Block         // in a report slot
	MaxSize  uint64        // bytes that a file must stay below
	Settler  uint32        // part of what is left that whoever settles gets, in billionths
}

// ErrNoMarket says that the chain has no storage market.
var ErrNoMarket = errors.New("this chain has no storage market; ask a node of another one with --url")

// daySlots is how many report slots the market's day has, on every chain.
const daySlots = 24

// Open reads the market at the best block, at which all else is read as well.
func Open(ctx context.Context, c *client.Client) (*State, error) {
	at, err := c.BestHash(ctx)
	if err != nil {
		return nil, err
	}
	return OpenAt(ctx, c, at)
}

// OpenAt is Open at a block.
func OpenAt(ctx context.Context, c *client.Client, at types.Hash) (*State, error) {
	s := &State{c: c, at: at}
	if _, err := c.Metadata().Storage("Market", "FilesV2"); err != nil {
		return nil, ErrNoMarket
	}
	var slot uint64
	for _, k := range []struct {
		pallet, name string
		into         any
	}{
		{"Babe", "ExpectedBlockTime", &slot}, {"Market", "FileDuration", &s.Duration}, {"Market", "PendingLife", &s.Pending},
		{"Market", "ReportSlot", &s.Report}, {"Market", "MaximumFileSize", &s.MaxSize}, {"Market", "RenewRewardRatio", &s.Settler},
	} {
		v, err := c.Constant(k.pallet, k.name)
		if err == nil {
			err = convert(v, k.into, k.pallet+"."+k.name)
		}
		if err != nil {
			return nil, err
		}
	}
	s.Slot = time.Duration(slot) * time.Millisecond
	if err := s.read(ctx, &s.Number, "System", "Number"); err != nil {
		return nil, err
	}
	return s, s.read(ctx, &s.Open, "Market", "EnableMarket")
}

// Day is the market's day in blocks: the least time from an account's latest order to
// its cancellation.
func (s *State) Day() Block { return daySlots * s.Report }

// Until is about how long it is until a block; zero if it has been.
func (s *State) Until(n Block) time.Duration { return s.Time(n - min(n, s.Number)) }

// Time is about how long so many blocks take.
func (s *State) Time(blocks Block) time.Duration { return time.Duration(blocks) * s.Slot }

// read reads a storage item, whose default counts.
func (s *State) read(ctx context.Context, into any, pallet, item string, keys ...any) error {
	v, err := s.c.Query(ctx, s.at, pallet, item, keys...)
	if err != nil {
		return err
	}
	return convert(v, into, pallet+"."+item)
}

// call asks the runtime's MarketApi; ok is false if it answers with nothing.
func (s *State) call(ctx context.Context, into any, method string, args ...any) (ok bool, err error) {
	v, err := s.c.Call(ctx, s.at, "MarketApi", method, args...)
	if err != nil || v == nil {
		return false, err
	}
	return true, convert(v, into, "MarketApi_"+method)
}

func convert(v metadata.Value, into any, name string) error {
	if err := metadata.Unmarshal(v, into); err != nil {
		return fmt.Errorf("%s is not what it should be: %w", name, err)
	}
	return nil
}

// Quote is what an order costs, and where the money goes.
type Quote struct {
	BaseFee  Balance `json:"base_fee"`
	BytesFee Balance `json:"bytes_fee"` // for each started MiB
	KeysFee  Balance `json:"keys_fee"`  // for an entry in the market
	Tips     Balance `json:"tips"`
	Total    Balance `json:"total"`
	Staking  Balance `json:"staking"`  // what of it stakers get
	Storage  Balance `json:"storage"`  // what of it those get who store the file, tips included
	Reserved Balance `json:"reserved"` // the rest
}

// Quote is what an order of a file of that many bytes costs now; ok is false if the
// market takes no files of that size.
func (s *State) Quote(ctx context.Context, size uint64, tips Balance) (q Quote, ok bool, err error) {
	ok, err = s.call(ctx, &q, "quote", size, tips.String())
	return q, ok, err
}

// File is how the order of a file stands.
type File struct {
	CID       Text    `json:"cid"` // as the chain writes it
	Stage     Stage   `json:"stage"`
	Size      uint64  `json:"file_size"` // bytes: ordered, and measured once there is a replica
	Replicas  uint32  `json:"replicas"`  // reported
	Live      uint32  `json:"live_replicas"`
	Wanted    uint32  `json:"wanted_replicas"`
	PlacedAt  Block   `json:"placed_at"`
	Pending   *Block  `json:"pending_until"` // the order ends then unless a replica is reported
	ExpiresAt *Block  `json:"expires_at"`
	Amount    Balance `json:"amount"`   // left for those who store it
	Unvested  Balance `json:"unvested"` // booked to them and not theirs yet
	Prepaid   Balance `json:"prepaid"`  // for renewal
	ToBePaid  uint32  `json:"remaining_paid"`
	Power     uint64  `json:"spower"`
	Payers    uint32  `json:"payers"`
	Renewal   Balance `json:"renewal_cost"` // at current prices
}

// Expires is the block in which the file's time is over, or in which the order ends
// if nobody takes it.
func (f *File) Expires() Block {
	for _, b := range []*Block{f.ExpiresAt, f.Pending} {
		if b != nil {
			return *b
		}
	}
	return 0
}

// Renewals is how many renewals an amount pays for at current prices.
func (f *File) Renewals(amount Balance) uint64 {
	if f.Renewal.IsZero() {
		return 0
	}
	n, _ := amount.DivMod(f.Renewal)
	return n.Uint64Sat()
}

// File is how the order of a file stands; ok is false if there is none. Text that is
// no CID is an error.
func (s *State) File(ctx context.Context, cid string) (f File, ok bool, err error) {
	ok, err = s.call(ctx, &f, "order", metadata.Bytes(cid))
	return f, ok, err
}

// Paid is an order, and what an account holds of it.
type Paid struct {
	File        File    `json:"order"`
	Since       Block   `json:"since"`       // the account's first payment
	LastOrder   *Block  `json:"last_order"`  // its latest order
	Refundable  Balance `json:"refundable"`  // what cancelling would give back
	Cancellable bool    `json:"cancellable"` // now
}

// Orders are those that an account has paid for, at most a thousand.
func (s *State) Orders(ctx context.Context, who types.AccountID) (list []Paid, err error) {
	_, err = s.call(ctx, &list, "orders_by_account", who)
	return list, err
}

// Replica is one group's copy of a file.
type Replica struct {
	Owner      types.AccountID `json:"owner"`  // of the group
	Member     types.AccountID `json:"member"` // whose worker has it
	Lineage    Hex             `json:"lineage"`
	Platform   types.Hash      `json:"platform"` // machine of the worker
	ReportedAt Block           `json:"reported_at"`
	Live       bool            `json:"live"`
	Paid       bool            `json:"paid"`
	Endpoint   *Endpoint       `json:"endpoint"` // nil if the member published none
}

// Endpoint is where a member serves files.
type Endpoint struct {
	Peer      Hex   `json:"peer"`      // libp2p's peer id
	Addresses []Hex `json:"addresses"` // multiaddresses, binary
}

// Replicas is who holds a file, live or not, and where they can be reached.
func (s *State) Replicas(ctx context.Context, cid string) (list []Replica, err error) {
	if _, err := s.call(ctx, &list, "replicas", metadata.Bytes(cid)); err != nil {
		return nil, err
	}
	for i := range list {
		var e Endpoint
		v, err := s.c.Query(ctx, s.at, "Swork", "Endpoints", list[i].Member)
		if err == nil && v != nil {
			err = convert(v, &e, "Swork.Endpoints")
		}
		if err != nil {
			return nil, err
		}
		if len(e.Peer) > 0 {
			list[i].Endpoint = &e
		}
	}
	return list, nil
}

// Due is a file that may be settled.
type Due struct {
	CID       string
	ExpiredAt Block
	Left      Balance // of its money, for the settler and those who hold it
	Prepaid   Balance
}

// Due are the files whose time is over, in no order. It reads the whole market.
func (s *State) Due(ctx context.Context) (list []Due, err error) {
	for e, err := range s.c.QueryAll(ctx, s.at, "Market", "FilesV2") {
		var key Text
		var f struct {
			ExpiredAt Block   `json:"expired_at"`
			Amount    Balance `json:"amount"`
			Prepaid   Balance `json:"prepaid"`
		}
		if err == nil {
			err = errors.Join(convert(e.Keys[0], &key, "the key of Market.FilesV2"), convert(e.Value, &f, "Market.FilesV2"))
		}
		if err != nil {
			return nil, err
		}
		if f.ExpiredAt != 0 && f.ExpiredAt <= s.Number {
			list = append(list, Due{string(key), f.ExpiredAt, f.Amount, f.Prepaid})
		}
	}
	return list, nil
}

// ForSettler is about what of an amount goes to whoever settles a file.
func (s *State) ForSettler(left Balance) Balance {
	return left.MulDivSat(fixed.FromUint64(uint64(s.Settler)), fixed.FromUint64(1_000_000_000))
}
