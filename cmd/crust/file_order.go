package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/market"
)

// maxMemo bounds the memo of an order, which the chain keeps with the block.
const maxMemo = 4096

// newFileOrderCommand is `crust file order`.
func newFileOrderCommand(g *globals) *cobra.Command {
	var f roleFlags
	var tips, memo, prepaid string
	cmd := &cobra.Command{
		Use:   "order CID SIZE",
		Short: "Order that a file be stored, or be stored for longer",
		Long: `Order that a file be stored, or be stored for longer. The price is said first; the order is placed with --yes.

SIZE is the size of the whole file with the blocks around it, what IPFS calls the cumulative size. Storage nodes measure it: they refuse a file that is larger than was ordered, and a smaller one is not cheaper. So take it exactly, or a little too large.

Keep the file online until the order is live: somebody has to give it to the storage nodes. Where it is to be found can be said in the memo.`,
		Example: "  crust file order bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi 5MiB --suri-file key.txt --yes\n  crust file order QmZ4tDuvesekSs4qM5ZBKpXiZGun7S2CYtEZRB3DYXkjGx 1048576 --tips 0.01CRU --prepaid 1CRU --suri //Alice --yes",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := parseCID(args[0])
			if err != nil {
				return err
			}
			n, err := parseSize(args[1])
			switch {
			case err != nil:
				return err
			case n == 0:
				return errors.New("SIZE is 0; even an empty file has a block: give the cumulative size that IPFS says")
			case len(memo) > maxMemo:
				return fmt.Errorf("--memo has %d bytes; at most %d are taken", len(memo), maxMemo)
			}
			return g.trade(cmd, &f, func(ctx context.Context, t *trader) error {
				tips, err := t.tips(tips)
				if err != nil {
					return err
				}
				var fund market.Balance
				if prepaid != "" {
					if fund, err = t.amount(prepaid, market.Balance{}); err != nil {
						return err
					}
				}
				return t.order(ctx, key, n, tips, []byte(memo), fund)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&tips, "tips", "0", "amount given to those who store the file, on top of the price")
	cmd.Flags().StringVar(&memo, "memo", "", "text for storage nodes, such as where the file is to be found")
	cmd.Flags().StringVar(&prepaid, "prepaid", "", "amount for renewals, paid in as well (see crust file renew)")
	return cmd
}

// order says what an order costs and does, and places it.
func (t *trader) order(ctx context.Context, key string, n uint64, tips market.Balance, memo []byte, fund market.Balance) error {
	if !t.market.Open {
		return errors.New("the network takes no orders now; try again later")
	}
	file, known, err := t.market.File(ctx, key)
	if err != nil {
		return err
	}
	held := known && file.Replicas > 0
	switch {
	case held && n < file.Size:
		return fmt.Errorf("the file is stored already and has %d bytes (%s), not %d; order it with its size", file.Size, size(file.Size), n)
	case held:
		n = file.Size // what counts, and is paid, is what was measured
	}
	q, err := t.quote(ctx, n, tips)
	if err != nil {
		return err
	}
	t.say("File %s", key)
	t.sayQuote(n, q)
	switch {
	case held && file.ExpiresAt != nil && *file.ExpiresAt <= t.market.Number:
		t.say("It is stored already, and its time is over since %s: the order begins it anew.", t.at(*file.ExpiresAt))
	case held:
		t.say("It is stored already, until %s: the order begins its time anew, from now on.", t.at(file.Expires()))
	case known:
		t.say("It is ordered already, for %s, and waits for its first replica: the order adds to what storage nodes earn.", size(file.Size))
	default:
		t.say("If nobody stores it within %s, what is left of the storage share and the tips comes back.", t.blocks(t.market.Pending))
	}
	total := q.Total.AddSat(fund)
	if !fund.IsZero() {
		file.Renewal = q.Total.SubSat(tips)
		t.say("Another %s are prepaid: at this price they pay for %s.", t.coins(fund), times(file.Renewals(file.Prepaid.AddSat(fund))))
	}
	if err := t.affords(ctx, total); err != nil {
		return err
	}
	if err := t.costs("It takes %s from %s, of which %s to stakers and the reserve are spent at once", t.coins(total), t.address(t.who), t.coins(q.Staking.AddSat(q.Reserved))); err != nil {
		return err
	}
	tx := market.Order(key, n, tips, memo)
	if !fund.IsZero() {
		tx = market.Together(tx, market.Prepay(key, fund))
	}
	return t.sendOnly(ctx, tx)
}

// times writes a number of renewals.
func times(n uint64) string {
	if n == 1 {
		return "1 renewal"
	}
	return fmt.Sprintf("%d renewals", n)
}

func (t *trader) sendOnly(ctx context.Context, tx client.Tx) error {
	_, err := t.sendTx(ctx, tx)
	return err
}

// newFileRenewCommand is `crust file renew`.
func newFileRenewCommand(g *globals) *cobra.Command {
	var f roleFlags
	var count uint
	var amount string
	cmd := &cobra.Command{
		Use:   "renew CID",
		Short: "Prepay a file's renewal",
		Long: `Prepay a file's renewal. When the file's time is over and somebody settles it, or the chain itself a while later, the next time is paid from what is prepaid, at the price of that moment. Without enough of it the file is closed, and what is left is lost to the reserve.

To make the file's time longer at once, order it again with crust file order.`,
		Example: "  crust file renew bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi --suri-file key.txt\n  crust file renew QmZ4tDuvesekSs4qM5ZBKpXiZGun7S2CYtEZRB3DYXkjGx --times 4 --suri //Alice",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := parseCID(args[0])
			if err != nil {
				return err
			}
			if count == 0 || count > 1000 {
				return fmt.Errorf("--times is %d; prepay 1 to 1000 renewals", count)
			}
			return g.trade(cmd, &f, func(ctx context.Context, t *trader) error {
				file, err := t.known(ctx, key)
				if err != nil {
					return err
				}
				n, ok := file.Renewal.Mul64(uint64(count))
				if !ok {
					return fmt.Errorf("%d renewals cost more than there is money", count)
				}
				if amount != "" {
					if n, err = t.amount(amount, market.Balance{}); err != nil {
						return err
					}
				}
				return t.renew(ctx, key, file, n)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().UintVar(&count, "times", 1, "renewals to pay for, at the price of now")
	cmd.Flags().StringVar(&amount, "amount", "", "pay this amount instead")
	cmd.MarkFlagsMutuallyExclusive("times", "amount")
	return cmd
}

// known is the order of a file.
func (t *trader) known(ctx context.Context, key string) (market.File, error) {
	file, ok, err := t.market.File(ctx, key)
	if err == nil && !ok {
		err = fmt.Errorf("there is no order of %s: it was never placed, or is over; see which with `crust file history`, or place one with `crust file order`", key)
	}
	return file, err
}

func (t *trader) renew(ctx context.Context, key string, file market.File, n market.Balance) error {
	fund := file.Prepaid.AddSat(n)
	t.say("Adds %s to the %s that are prepaid for %s. A renewal costs %s now, for %s: together they pay for %s.",
		t.coins(n), t.coins(file.Prepaid), key, t.coins(file.Renewal), t.blocks(t.market.Duration), times(file.Renewals(fund)))
	switch {
	case file.ExpiresAt == nil:
		t.say("Nobody holds the file yet; if nobody stores it in time, what is prepaid comes back.")
	case *file.ExpiresAt <= t.market.Number:
		t.say("Its time is over since %s: it is renewed when it is settled, with `crust merchant settle`, or by the chain %s after its end.", t.at(*file.ExpiresAt), t.blocks(t.market.Pending))
	default:
		t.say("Its time is over at %s; it is renewed when it is settled then, at the price of that moment.", t.at(*file.ExpiresAt))
	}
	if fund.Less(file.Renewal) {
		t.say("That is not enough for one renewal: unless %s more are added, the file is closed at its end and what is prepaid goes to the reserve.", t.coins(file.Renewal.SubSat(fund)))
	}
	if err := t.affords(ctx, n); err != nil {
		return err
	}
	if err := t.costs("It takes %s from %s, which come back only if nobody ever holds the file", t.coins(n), t.address(t.who)); err != nil {
		return err
	}
	return t.sendOnly(ctx, market.Prepay(key, n))
}

// newFileCancelCommand is `crust file cancel`.
func newFileCancelCommand(g *globals) *cobra.Command {
	var f roleFlags
	cmd := &cobra.Command{
		Use:     "cancel CID",
		Short:   "Take back what was paid for a file that nobody holds",
		Long:    "Take back what was paid for a file and is not spent, as long as nobody holds it: the storage share, tips and what is prepaid. What stakers and the reserve got is not given back.",
		Example: "  crust file cancel bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi --suri-file key.txt",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := parseCID(args[0])
			if err != nil {
				return err
			}
			return g.trade(cmd, &f, func(ctx context.Context, t *trader) error {
				file, err := t.known(ctx, key)
				if err != nil {
					return err
				}
				list, err := t.market.Orders(ctx, t.who)
				if err != nil {
					return err
				}
				i := slices.IndexFunc(list, func(p market.Paid) bool { return string(p.File.CID) == key })
				switch {
				case file.Replicas > 0:
					return fmt.Errorf("%d groups hold the file already, who are paid for it; it cannot be cancelled any more, and ends at %s", file.Replicas, t.at(file.Expires()))
				case i < 0:
					return fmt.Errorf("%s has paid nothing for the file; see what it has with `crust file ls`", t.address(t.who))
				case !list[i].Cancellable:
					from := *list[i].LastOrder + t.market.Day()
					if end := file.Pending; end != nil && *end <= from {
						return fmt.Errorf("an order can be cancelled after %s, and this one ends before: at %s, what is not spent comes back by itself", t.blocks(t.market.Day()), t.at(*end))
					}
					return fmt.Errorf("the order can be cancelled from %s on, if nobody holds the file until then", t.at(from))
				}
				t.say("Gives %s back to %s. What stakers and the reserve got stays spent.", t.coins(list[i].Refundable), t.address(t.who))
				if file.Payers > 1 {
					t.say("The order stays, for %d others have paid for it.", file.Payers-1)
				} else {
					t.say("The order ends.")
				}
				return t.sendOnly(ctx, market.Cancel(key))
			})
		},
	}
	f.add(cmd)
	return cmd
}
