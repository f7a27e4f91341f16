package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/market"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/node/ipfs"
	"github.com/crustgo/crust/substrate/types"
)

// newFileStatusCommand is `crust file status`.
func newFileStatusCommand(g *globals) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "status CID",
		Short: "Say how the order of a file stands, and what to look after",
		Long: `Say how the order of a file stands, and what to look after. With --watch the command goes on, says what changes, and ends when the file is live, or its order is gone.

A replica counts as live when the machine that holds it has proven so lately.`,
		Example: "  crust file status bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi\n  crust file status QmZ4tDuvesekSs4qM5ZBKpXiZGun7S2CYtEZRB3DYXkjGx --watch",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := parseCID(args[0])
			if err != nil {
				return err
			}
			return g.browse(cmd, func(ctx context.Context, t *trader) error {
				if watch {
					return t.watch(ctx, key, 1)
				}
				v, err := t.fileState(ctx, key)
				if err != nil {
					return err
				}
				if t.json {
					return t.print(cmd, v.record(t))
				}
				return v.write(t)
			})
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on until the file is live, and say what changes")
	return cmd
}

// fileState is how a file stands.
type fileState struct {
	market.File
	replicas []market.Replica
}

func (t *trader) fileState(ctx context.Context, key string) (v fileState, err error) {
	if v.File, err = t.known(ctx, key); err != nil {
		return v, err
	}
	v.replicas, err = t.market.Replicas(ctx, key)
	return v, err
}

// advice is what to look after.
func (v *fileState) advice(t *trader) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch v.Stage.Name {
	case "ordered":
		if v.Pending != nil {
			add("Nobody holds the file yet. Keep it online where storage nodes can fetch it; the order ends at %s, and then what is not spent comes back.", t.at(*v.Pending))
		}
	case "reported":
		add("Replicas are reported and not proven yet, which takes up to two report slots of %s.", t.blocks(t.market.Report))
	case "expired":
		add("The file's time is over. Settle it with `crust merchant settle %s`; the chain does it at %s.", v.CID, t.at(v.Expires()+t.market.Pending))
	}
	if v.ExpiresAt != nil && v.Prepaid.Less(v.Renewal) {
		add("Prepaid is less than a renewal costs: at the end the file is closed, unless you run `crust file renew %s`.", v.CID)
	}
	if v.Stage.Name == "live" && v.Live < minLive {
		add("Only %d of %d replicas are live; %d are wanted.", v.Live, v.Replicas, v.Wanted)
	}
	for _, r := range v.replicas {
		if a := dialable(&r); r.Live && len(a) > 0 {
			add("Any IPFS node fetches it once it is connected: `ipfs swarm connect %s`.", a[0])
			break
		}
	}
	return out
}

// dialable are the addresses, with its peer id, that the holder of a replica has told.
func dialable(r *market.Replica) []string {
	if r.Endpoint == nil {
		return nil
	}
	return ipfs.EndpointOf(r.Endpoint).Texts()
}

// minLive is how many live replicas nobody needs to worry below: as many as are paid.
const minLive = 4

// write tells people.
func (v *fileState) write(t *trader) error {
	w := tabwriter.NewWriter(t.cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s:\t%s\n", name, fmt.Sprintf(format, args...))
	}
	line("File", "%s", v.CID)
	line("Stage", "%s", v.Stage)
	line("Size", "%s (%d bytes)", size(v.Size), v.Size)
	line("Ordered", "%s", t.at(v.PlacedAt))
	if v.ExpiresAt != nil {
		line("Ends", "%s", t.at(*v.ExpiresAt))
	} else if v.Pending != nil {
		line("Waits", "until %s", t.at(*v.Pending))
	}
	line("Replicas", "%d live, %d reported, %d wanted", v.Live, v.Replicas, v.Wanted)
	line("Rewards", "%s left, %s booked and not vested, %d replicas still to be paid", t.coins(v.Amount), t.coins(v.Unvested), v.ToBePaid)
	line("Prepaid", "%s, %s at %s", t.coins(v.Prepaid), times(v.Renewals(v.Prepaid)), t.coins(v.Renewal))
	line("Payers", "%d", v.Payers)
	if len(v.replicas) > 0 {
		fmt.Fprintln(w, "\nGROUP\tMEMBER\tLIVE\tSINCE\tREACHABLE")
		for _, r := range v.replicas {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", t.address(r.Owner), t.address(r.Member), yes(r.Live), r.ReportedAt, yes(len(dialable(&r)) > 0))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, text := range v.advice(t) {
		t.say("- %s", text)
	}
	return nil
}

func yes(b bool) string { return map[bool]string{true: "yes", false: "-"}[b] }

// record tells programs. Amounts are plancks.
func (v *fileState) record(t *trader) metadata.Value {
	replicas, advice := metadata.List{}, metadata.List{}
	for _, r := range v.replicas {
		addresses := metadata.List{}
		for _, a := range dialable(&r) {
			addresses = append(addresses, a)
		}
		replicas = append(replicas, metadata.Record{{Name: "group", Value: t.value(r.Owner)}, {Name: "member", Value: t.value(r.Member)}, {Name: "lineage", Value: metadata.Bytes(r.Lineage)},
			{Name: "platform", Value: r.Platform.String()}, {Name: "live", Value: r.Live}, {Name: "paid", Value: r.Paid}, {Name: "since", Value: uint64(r.ReportedAt)}, {Name: "addresses", Value: addresses}})
	}
	for _, text := range v.advice(t) {
		advice = append(advice, text)
	}
	return append(fileRecord(t, &v.File), metadata.Member{Name: "holders", Value: replicas}, metadata.Member{Name: "advice", Value: advice})
}

func fileRecord(t *trader, f *market.File) metadata.Record {
	return metadata.Record{{Name: "cid", Value: string(f.CID)}, {Name: "stage", Value: f.Stage.String()}, {Name: "size", Value: f.Size}, {Name: "block", Value: uint64(t.market.Number)},
		{Name: "placedAt", Value: uint64(f.PlacedAt)}, {Name: "expiresAt", Value: optional(f.ExpiresAt)}, {Name: "pendingUntil", Value: optional(f.Pending)},
		{Name: "secondsLeft", Value: seconds(t.market.Until(f.Expires()))}, {Name: "live", Value: uint64(f.Live)}, {Name: "reported", Value: uint64(f.Replicas)},
		{Name: "wanted", Value: uint64(f.Wanted)}, {Name: "amount", Value: plancks(f.Amount)}, {Name: "unvested", Value: plancks(f.Unvested)}, {Name: "prepaid", Value: plancks(f.Prepaid)},
		{Name: "renewal", Value: plancks(f.Renewal)}, {Name: "payers", Value: uint64(f.Payers)}}
}

func optional(n *market.Block) metadata.Value {
	if n == nil {
		return nil
	}
	return uint64(*n)
}

// watch says each change until the file is live in a final block, or its order gone.
func (t *trader) watch(ctx context.Context, key string, live uint32) error {
	heads, err := t.client.SubscribeHeads(ctx)
	if err != nil {
		return err
	}
	last, seen := "", false
	for {
		if t.market, err = market.Open(ctx, t.client); err != nil {
			return err
		}
		file, ok, err := t.market.File(ctx, key)
		switch {
		case err != nil:
			return err
		case !ok && !seen:
			_, err := t.known(ctx, key)
			return err
		case !ok:
			return fmt.Errorf("the order of %s is gone since block %d: it was cancelled, nobody took it in time, or it is closed", key, t.market.Number)
		}
		seen = true
		if now := fmt.Sprintf("%s, %d live", file.Stage, file.Live); now != last {
			last = now
			if err := t.event(&file); err != nil {
				return err
			}
		}
		switch {
		case file.Live >= live:
			return t.awaitFinal(ctx, key, live)
		case file.Stage.Name == "expired":
			return errors.New("the file's time is over; order it again, or settle it with `crust merchant settle`")
		}
		if _, err := heads.Next(ctx); err != nil {
			return err
		}
	}
}

// awaitFinal waits until what the best block says is final: only then does the order's proof say it too.
func (t *trader) awaitFinal(ctx context.Context, key string, live uint32) error {
	heads, err := t.client.SubscribeFinalizedHeads(ctx)
	if err != nil {
		return err
	}
	for {
		head, err := heads.Latest(ctx)
		if err != nil {
			return err
		}
		final, err := market.OpenAt(ctx, t.client, head.Hash())
		if err != nil {
			return err
		}
		if file, ok, err := final.File(ctx, key); err != nil || ok && file.Live >= live {
			return err
		}
	}
}

// event writes one line of watch.
func (t *trader) event(f *market.File) error {
	if t.json {
		return t.print(t.cmd, fileRecord(t, f))
	}
	t.say("Block %d: %s; %d live, %d reported, %d wanted", t.market.Number, f.Stage, f.Live, f.Replicas, f.Wanted)
	return nil
}

// newFileListCommand is `crust file ls`.
func newFileListCommand(g *globals) *cobra.Command {
	return g.browseCommand(&cobra.Command{
		Use: "ls [ACCOUNT]", Short: "List the files that an account has paid for",
		Long:    "List the files that an account has paid for and that are in the market. Without ACCOUNT, that of the key that is given.",
		Example: "  crust file ls //Alice\n  crust file ls --suri-file key.txt --json",
		Args:    cobra.MaximumNArgs(1),
	}, func(ctx context.Context, t *trader, args []string, secret *secretFlags) error {
		who, err := t.whose(args, secret)
		if err != nil {
			return err
		}
		list, err := t.market.Orders(ctx, who)
		if err != nil {
			return err
		}
		return t.writeOrders(who, list)
	})
}

// whose is the account that is named, or that of the key that is given.
func (t *trader) whose(args []string, secret *secretFlags) (types.AccountID, error) {
	if len(args) > 0 {
		return t.account(args[0])
	}
	pair, err := secret.pair(t.cmd, "")
	if err != nil {
		return types.AccountID{}, errors.New("whose? Name an account, or give its key with --suri-file")
	}
	return pair.Account(), nil
}

func (t *trader) writeOrders(who types.AccountID, list []market.Paid) error {
	if t.json {
		out := metadata.List{}
		for i := range list {
			p := &list[i]
			out = append(out, append(fileRecord(t, &p.File), metadata.Member{Name: "since", Value: uint64(p.Since)}, metadata.Member{Name: "lastOrder", Value: optional(p.LastOrder)},
				metadata.Member{Name: "refundable", Value: plancks(p.Refundable)}, metadata.Member{Name: "cancellable", Value: p.Cancellable}))
		}
		return t.print(t.cmd, out)
	}
	if len(list) == 0 {
		t.say("%s has paid for no file that is in the market.", t.address(who))
		return nil
	}
	w := tabwriter.NewWriter(t.cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CID\tSIZE\tSTAGE\tLIVE\tLEFT\tPREPAID\tCANCEL")
	for i := range list {
		p := &list[i]
		cancel := "-"
		if p.Cancellable {
			cancel = "gives " + t.coins(p.Refundable)
		} else if p.File.Replicas == 0 && p.LastOrder != nil {
			from := *p.LastOrder + t.market.Day()
			cancel = fmt.Sprintf("from block %d", from)
			if end := p.File.Pending; end != nil && *end <= from {
				cancel = fmt.Sprintf("by itself at block %d", *end)
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", p.File.CID, size(p.File.Size), p.File.Stage, p.File.Live, about(t.market.Until(p.File.Expires())), t.coins(p.File.Prepaid), cancel)
	}
	return w.Flush()
}
