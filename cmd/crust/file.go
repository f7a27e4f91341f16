package main

import (
	"context"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/market"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/types"
)

// newFileCommand is `crust file`.
func newFileCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "file",
		Short: "Order that files be stored, and follow what becomes of them",
		Long: `Order that a file be stored by the network, follow what becomes of the order, and prove it.

A file is known by its CID, as IPFS has it. An order goes through the stages

  ordered, reported n/N, live until T, expired or closed.

It is paid in full when it is placed, and lasts from the first replica on.`,
		Args: unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newFileAddCommand(g), newFileGetCommand(g), newFileQuoteCommand(g), newFileOrderCommand(g), newFileStatusCommand(g), newFileListCommand(g),
		newFileRenewCommand(g), newFileCancelCommand(g), newFileProofCommand(g), newFileVerifyCommand(g), newFileHistoryCommand(g))
	return cmd
}

// trader is somebody who orders storage or sells it, at work.
type trader struct {
	*role
	market *market.State
}

// trade runs a command that is signed.
func (g *globals) trade(cmd *cobra.Command, f *roleFlags, run func(ctx context.Context, t *trader) error) error {
	return g.act(cmd, f, trading(run))
}

// browse runs a command that only reads.
func (g *globals) browse(cmd *cobra.Command, run func(ctx context.Context, t *trader) error) error {
	return g.look(cmd.Context(), cmd, trading(run))
}

func trading(run func(ctx context.Context, t *trader) error) func(ctx context.Context, r *role) error {
	return func(ctx context.Context, r *role) error {
		s, err := market.Open(ctx, r.client)
		if err != nil {
			return err
		}
		return run(ctx, &trader{r, s})
	}
}

// tradeCommand is actCommand in the market.
func (g *globals) tradeCommand(cmd *cobra.Command, run func(ctx context.Context, t *trader, args []string) error) *cobra.Command {
	return g.actCommand(cmd, func(ctx context.Context, r *role, args []string) error {
		return trading(func(ctx context.Context, t *trader) error { return run(ctx, t, args) })(ctx, r)
	})
}

// browseCommand is lookCommand in the market.
func (g *globals) browseCommand(cmd *cobra.Command, run func(ctx context.Context, t *trader, args []string, secret *secretFlags) error) *cobra.Command {
	return g.lookCommand(cmd, func(ctx context.Context, r *role, args []string, secret *secretFlags) error {
		return trading(func(ctx context.Context, t *trader) error { return run(ctx, t, args, secret) })(ctx, r)
	})
}

// blocks writes a number of blocks and how long they take.
func (t *trader) blocks(n market.Block) string {
	if n == 1 {
		return "1 block (" + about(t.market.Time(1)) + ")"
	}
	return fmt.Sprintf("%d blocks (%s)", n, about(t.market.Time(n)))
}

// at writes a block and how long it is until then.
func (t *trader) at(n market.Block) string {
	if n <= t.market.Number {
		return fmt.Sprintf("block %d, which was %s ago", n, about(t.market.Time(t.market.Number-n)))
	}
	return fmt.Sprintf("block %d, in about %s", n, t.blocks(n-t.market.Number))
}

// free is what an account can spend.
func (t *trader) free(ctx context.Context, who types.AccountID) (market.Balance, error) {
	v, err := t.client.Query(ctx, types.Hash{}, "System", "Account", who)
	if err != nil {
		return market.Balance{}, err
	}
	var a struct {
		Data struct {
			Free   market.Balance `json:"free"`
			Frozen market.Balance `json:"frozen"`
		} `json:"data"`
	}
	err = metadata.Unmarshal(v, &a)
	return a.Data.Free.SubSat(a.Data.Frozen), err
}

// affords refuses what the signer has not the money for, before a fee is paid for
// being told so.
func (t *trader) affords(ctx context.Context, n market.Balance) error {
	has, err := t.free(ctx, t.who)
	if err == nil && has.Less(n) {
		err = fmt.Errorf("%s has %s to spend, and this takes %s; send it some more, or sign with another key", t.address(t.who), t.coins(has), t.coins(n))
	}
	return err
}

// parseCID reads a CID in any form, and returns the chain's.
func parseCID(text string) (string, error) {
	c, err := dag.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%.80q: %w; give the CID of the file as IPFS writes it, such as Qm… or bafy…", text, err)
	}
	return c.String(), nil
}

// parseSize reads a number of bytes: 1000, 5MiB, 1.5GB.
func parseSize(text string) (uint64, error) {
	units := map[string]uint64{"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40, "pb": 1e15, "pib": 1 << 50,
		"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
	bad := fmt.Errorf("%.40q is no size; write bytes, or a number and a unit such as 5MiB or 1.5GB", text)
	end := strings.LastIndexAny(text, "0123456789") + 1
	unit, ok := units[strings.ToLower(strings.TrimSpace(text[end:]))]
	whole, fraction, _ := strings.Cut(text[:end], ".")
	n, err := strconv.ParseUint(whole, 10, 64)
	if !ok || err != nil || len(fraction) > 9 || strings.Trim(fraction, "0123456789") != "" || strings.HasSuffix(text[:end], ".") {
		return 0, bad
	}
	over, n := bits.Mul64(n, unit)
	part := uint64(0)
	for i := len(fraction) - 1; i >= 0; i-- { // rounded down to bytes
		part = (uint64(fraction[i]-'0')*unit + part) / 10
	}
	if sum := n + part; over == 0 && sum >= n {
		return sum, nil
	}
	return 0, bad
}

// size writes a number of bytes.
func size(n uint64) string {
	const unit = 1 << 10
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exp := float64(n)/unit, 0
	for ; value >= unit && exp < 4; exp++ {
		value /= unit
	}
	return strconv.FormatFloat(value, 'f', -1, 32) + " " + []string{"KiB", "MiB", "GiB", "TiB", "PiB"}[exp]
}

// tips reads --tips.
func (t *trader) tips(text string) (n market.Balance, err error) {
	b, err := t.format.ParseAmount(text)
	if err != nil || b.Sign() < 0 || b.BitLen() > 96 {
		return n, fmt.Errorf("--tips is %q; give an amount, such as 0.01%s", text, t.format.Symbol)
	}
	return balance(b), nil
}

// newFileQuoteCommand is `crust file quote`.
func newFileQuoteCommand(g *globals) *cobra.Command {
	var tips string
	cmd := &cobra.Command{
		Use: "quote SIZE", Short: "Say what it costs now to have a file stored",
		Example: "  crust file quote 5MiB\n  crust file quote 1.5GB --tips 0.01CRU",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := parseSize(args[0])
			if err != nil {
				return err
			}
			return g.browse(cmd, func(ctx context.Context, t *trader) error {
				tips, err := t.tips(tips)
				if err != nil {
					return err
				}
				q, err := t.quote(ctx, n, tips)
				if err != nil {
					return err
				}
				if t.json {
					return t.print(cmd, quoteJSON(t, n, q))
				}
				t.sayQuote(n, q)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&tips, "tips", "0", "amount given to those who store the file, on top of the price")
	return cmd
}

// quote is what an order costs now.
func (t *trader) quote(ctx context.Context, n uint64, tips market.Balance) (market.Quote, error) {
	q, ok, err := t.market.Quote(ctx, n, tips)
	if err == nil && !ok {
		err = fmt.Errorf("a file of %s is too large for this network, which takes files below %s; split it", size(n), size(t.market.MaxSize))
	}
	return q, err
}

func (t *trader) sayQuote(n uint64, q market.Quote) {
	t.say("An order of %s costs %s now: %s for the order, %s for the entry, %s for the size, %s of tips.",
		size(n), t.coins(q.Total), t.coins(q.BaseFee), t.coins(q.KeysFee), t.coins(q.BytesFee), t.coins(q.Tips))
	t.say("Of it %s go to those who store the file, %s to those who stake, %s to the reserve.", t.coins(q.Storage), t.coins(q.Staking), t.coins(q.Reserved))
	t.say("It lasts %s from the first replica on.", t.blocks(t.market.Duration))
}

func quoteJSON(t *trader, n uint64, q market.Quote) metadata.Value {
	return metadata.Record{{Name: "size", Value: n}, {Name: "total", Value: plancks(q.Total)}, {Name: "base", Value: plancks(q.BaseFee)}, {Name: "entry", Value: plancks(q.KeysFee)},
		{Name: "bytes", Value: plancks(q.BytesFee)}, {Name: "tips", Value: plancks(q.Tips)}, {Name: "storage", Value: plancks(q.Storage)}, {Name: "staking", Value: plancks(q.Staking)},
		{Name: "reserved", Value: plancks(q.Reserved)}, {Name: "durationBlocks", Value: uint64(t.market.Duration)}, {Name: "durationSeconds", Value: seconds(t.market.Time(t.market.Duration))}}
}

func seconds(d time.Duration) uint64 { return uint64(d / time.Second) }

// marketHint says what to do about an error of the market or of the funds.
func marketHint(err *metadata.DispatchError) string {
	if err == nil {
		return ""
	}
	if hint := map[string]string{
		"Market.InsufficientCurrency":   "see the price with `crust file quote`, and send the account what is missing",
		"Market.FileSizeNotCorrect":     "the file is known to be larger; see its size with `crust file status`",
		"Market.FileTooLarge":           "split the file",
		"Market.FileNotExist":           "order it first with `crust file order`",
		"Market.NoContribution":         "see what you have paid for with `crust file ls`",
		"Market.ReplicaReported":        "an order can be cancelled as long as nobody holds the file",
		"Market.CancelTooEarly":         "see from when on it can be with `crust file ls`",
		"Market.FileClosing":            "its former payers are being paid back; try again in a few blocks",
		"Market.NotInRewardPeriod":      "nobody holds the file yet; there is nothing to settle",
		"Market.NotEnoughReward":        "see what vests, and when, with `crust merchant income`",
		"Market.PlaceOrderNotAvailable": "the network takes no orders now; try again later",
		"Benefits.InsuffientBalance":    "lock less, or send the account some more",
		"Benefits.InvalidTarget":        "lock some money first with `crust merchant collateral lock`",
		"Benefits.InsufficientValue":    "take a larger amount",
		"Benefits.NoMoreChunks":         "withdraw first; 16 parts of a fund can wait at a time",
		"Benefits.NoUnlockChunk":        "nothing is on its way out",
	}[err.Pallet+"."+err.Name]; hint != "" {
		return "; " + hint
	}
	return ""
}
