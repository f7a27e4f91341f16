package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/dsm/indexer"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/substrate/types"
)

// historyFlags are the flags of `crust file history`.
type historyFlags struct {
	dir   string
	since uint32
	limit int
}

// newFileHistoryCommand is `crust file history`.
func newFileHistoryCommand(g *globals) *cobra.Command {
	var f historyFlags
	cmd := &cobra.Command{
		Use:   "history CID|ACCOUNT",
		Short: "Say what happened to a file, or to who pays or is paid",
		Long: `Say what happened in the market to a file, or to an account that has ordered, holds or settled files: also what the chain has forgotten, such as files that are closed.

The command reads the events of final blocks into an index on this machine, the first time all of them, and later those that are new. A node keeps the events of old blocks only if it is an archive node; with others, begin with a later block.`,
		Example: "  crust file history bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi\n  crust file history //Alice --json\n  crust file history //Alice --since 1000 --index ./index",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.limit < 1 {
				return fmt.Errorf("--limit is %d; give a positive number", f.limit)
			}
			ctx := cmd.Context()
			c, err := g.dial(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			list, x, err := g.history(ctx, cmd, c, &f, args[0])
			if err != nil {
				return err
			}
			if g.json {
				return g.print(cmd, historyJSON(c.Format(), list, x))
			}
			return writeHistory(cmd, c.Format(), list, x)
		},
	}
	p := cmd.Flags()
	p.StringVar(&f.dir, "index", "", "directory of the index (default: by chain, beside the data of nodes)")
	p.Uint32Var(&f.since, "since", 1, "block that a new index begins with")
	p.IntVar(&f.limit, "limit", 1000, "list at most this many entries, the oldest")
	return cmd
}

// history brings the index up to date and asks it.
func (g *globals) history(ctx context.Context, cmd *cobra.Command, c *client.Client, f *historyFlags, what string) (list []indexer.Entry, at indexer.Cursor, err error) {
	genesis := c.Genesis()
	dir := cmp.Or(f.dir, filepath.Join(node.Default().BasePath, "index", fmt.Sprintf("%x", genesis[:8])))
	x, err := indexer.Open(dir, genesis, types.BlockNumber(max(f.since, 1)))
	if err != nil {
		return nil, at, err
	}
	defer x.Close()
	began := time.Now()
	err = indexer.CatchUp(ctx, c, x, func(next, final types.BlockNumber) {
		if time.Since(began) > 2*time.Second && !g.json {
			fmt.Fprintf(os.Stderr, "Read block %d of %d\n", next-1, final)
			began = time.Now()
		}
	})
	if err != nil {
		return nil, at, err
	}
	format := c.Format()
	if id, err := dag.Parse(what); err == nil {
		list, err = x.File(id.String(), indexer.Key{}, f.limit)
		return list, x.Cursor(), err
	}
	who, err := format.ParseAccount(what)
	if err != nil {
		return nil, at, fmt.Errorf("%.80q is neither a CID nor an account: %w", what, err)
	}
	list, err = x.Account(who, indexer.Key{}, f.limit)
	return list, x.Cursor(), err
}

func writeHistory(cmd *cobra.Command, format metadata.Format, list []indexer.Entry, x indexer.Cursor) error {
	out := cmd.OutOrStdout()
	if len(list) == 0 {
		_, err := fmt.Fprintf(out, "Nothing happened in blocks %d to %d.\n", x.First, x.Next-1)
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "BLOCK\tTIME\tWHAT\tFILE\tWHO\tDETAIL")
	for i := range list {
		e := &list[i]
		who := ""
		if len(e.Accounts) > 0 {
			who = metadata.Account{ID: e.Accounts[0], Prefix: format.Prefix}.String()
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", e.Block, time.UnixMilli(int64(e.Time)).UTC().Format(time.DateTime), e.Kind, cmp.Or(e.CID, "-"), cmp.Or(who, "-"), detail(format, e))
	}
	return w.Flush()
}

// historyJSON tells programs. Amounts are plancks; what an entry does not speak of is
// left out.
func historyJSON(format metadata.Format, list []indexer.Entry, x indexer.Cursor) metadata.Value {
	entries := metadata.List{}
	for i := range list {
		e := &list[i]
		accounts := metadata.List{}
		for _, a := range e.Accounts {
			accounts = append(accounts, metadata.Account{ID: a, Prefix: format.Prefix})
		}
		r := metadata.Record{{Name: "block", Value: uint64(e.Block)}, {Name: "event", Value: uint64(e.Index - 1)}, {Name: "time", Value: time.UnixMilli(int64(e.Time)).UTC().Format(time.RFC3339Nano)},
			{Name: "kind", Value: e.Kind}, {Name: "cid", Value: e.CID}, {Name: "accounts", Value: accounts}}
		if !e.Amount.IsZero() {
			r = append(r, metadata.Member{Name: "amount", Value: plancks(e.Amount)})
		}
		for _, m := range []metadata.Member{{Name: "until", Value: uint64(e.Until)}, {Name: "holders", Value: uint64(e.Count)}, {Name: "size", Value: e.Size}} {
			if m.Value != uint64(0) {
				r = append(r, m)
			}
		}
		entries = append(entries, r)
	}
	return metadata.Record{{Name: "from", Value: uint64(x.First)}, {Name: "upTo", Value: uint64(x.Next - 1)}, {Name: "entries", Value: entries}}
}

// detail is what else an entry says.
func detail(format metadata.Format, e *indexer.Entry) string {
	coins := format.FormatAmount(plancks(e.Amount))
	switch e.Kind {
	case "prepaid", "forfeited", "cancelled", "refunded":
		return coins
	case "booked":
		return fmt.Sprintf("%s, until block %d", coins, e.Until)
	case "settled":
		return fmt.Sprintf("%s to each of %d holders", coins, e.Count)
	case "refused":
		return fmt.Sprintf("it has %s", size(e.Size))
	case "failed":
		return "nobody stored it in time"
	}
	return ""
}
