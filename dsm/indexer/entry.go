package indexer

import (
	"fmt"
	"strings"

	"github.com/crustgo/crust/client/market"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/fixed"
	"github.com/crustgo/crust/substrate/types"
)

// Balance is an amount in plancks.
type Balance = fixed.U128

// Key is the place of an entry among all: those of later blocks come later.
type Key struct {
	Block types.BlockNumber
	Index uint32 // of the event in the block, from 1; so that the zero Key is before all
}

// Entry is one thing that happened to a file or an account of the market. Members
// that a kind does not speak of are zero.
type Entry struct {
	Key
	Time     types.Moment // of the block, ms since 1970
	Kind     string       // as in the table of Kinds
	CID      string       // empty for what is of no file
	Accounts []types.AccountID
	Amount   Balance
	Until    uint32 // block
	Count    uint32 // of holders
	Size     uint64 // bytes
}

// kinds are what the market's events are called, by their names in metadata.
var kinds = map[string]string{
	"FileSuccess":           "ordered",   // by an account
	"AddPrepaidSuccess":     "prepaid",   // an amount by an account
	"ReplicaAdded":          "stored",    // by a group, on a member's machine
	"ReplicaRemoved":        "removed",   // a group holds it no more
	"RewardBooked":          "booked",    // an amount to a group, that vests until a block
	"RewardForfeited":       "forfeited", // an amount, by a group
	"FileSettled":           "settled",   // an amount to each of so many holders
	"RenewFileSuccess":      "renewed",   // settled by an account, or by nobody
	"FileClosed":            "closed",
	"OrderCancelled":        "cancelled", // an amount came back to an account
	"PendingFileEnded":      "failed",    // nobody took it in time
	"Refunded":              "refunded",  // an amount to an account
	"SizeRefused":           "refused",   // a replica, for the file has another size than was ordered
	"RewardMerchantSuccess": "claimed",   // by a group's owner
}

// event has the members of all of them.
type event struct {
	CID      market.Text      `json:"cid"`
	Who      *types.AccountID `json:"who"`
	Owner    *types.AccountID `json:"owner"`
	Amount   Balance          `json:"amount"`
	Each     Balance          `json:"each"`
	Until    uint32           `json:"until"`
	Holders  uint32           `json:"holders"`
	Measured uint64           `json:"measured"`
}

// Read is the entries of a block's events, without their time.
func Read(block types.BlockNumber, events []metadata.Event) (out []Entry, err error) {
	for i := range events {
		e := &events[i]
		kind := kinds[e.Name]
		if e.Pallet != "Market" || kind == "" {
			continue
		}
		var v event
		if err := metadata.Unmarshal(e.Fields, &v); err != nil {
			return nil, fmt.Errorf("block %d: event Market.%s is not what it should be: %w", block, e.Name, err)
		}
		x := Entry{Key: Key{block, uint32(i) + 1}, Kind: kind, CID: string(v.CID), Amount: v.Amount.AddSat(v.Each), Until: v.Until, Count: v.Holders, Size: v.Measured}
		if strings.IndexByte(x.CID, 0) >= 0 {
			return nil, fmt.Errorf("block %d: event Market.%s names %q, which is no file", block, e.Name, x.CID)
		}
		for _, a := range []*types.AccountID{v.Owner, v.Who} {
			if a != nil && *a != (types.AccountID{}) && (len(x.Accounts) == 0 || x.Accounts[0] != *a) {
				x.Accounts = append(x.Accounts, *a)
			}
		}
		out = append(out, x)
	}
	return out, nil
}
