package main

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/types"
)

// txFlags are the flags of `crust tx`.
type txFlags struct {
	secret   secretFlags
	wait     string
	tip      string
	nonce    int64
	period   uint64
	immortal bool
	dryRun   bool
	timeout  time.Duration
}

// newTxCommand is `crust tx`.
func newTxCommand(g *globals) *cobra.Command {
	var f txFlags
	cmd := &cobra.Command{
		Use:   "tx PALLET CALL [ARG…]",
		Short: "Sign a transaction, send it, and wait for what it does",
		Long: `Sign a transaction, send it to the node, and wait until it is in a finalised block. Then its events and the fee are written; if the call failed, the exit status is not zero.

Names may be written in any style, and as pallet.call. Amounts are plancks, or have the chain's unit (1.5CRU). Accounts are addresses, 0x and hexadecimal digits, or development keys such as //Alice. Bytes are text, 0x and hexadecimal digits, or @FILE. Structs, vectors and enums are JSON; a call within a call is {"pallet.call": {"argument": value}}.`,
		Example: `  crust tx balances transferKeepAlive //Bob 1.5CRU --suri //Alice
  crust tx system.remarkWithEvent @note.txt --suri-file key.txt --wait inblock
  crust tx utility batchAll '[{"system.remark":{"remark":"a"}},{"system.remark":["b"]}]' --suri //Alice
  crust tx balances transferAll //Bob false --suri //Alice --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			pallet, call, texts, err := twoNames(cmd, args)
			if err != nil {
				return err
			}
			return g.tx(cmd, &f, pallet, call, texts)
		},
	}
	f.add(cmd)
	return cmd
}

// add gives a command the flags.
func (f *txFlags) add(cmd *cobra.Command) {
	f.secret.add(cmd)
	p := cmd.Flags()
	p.StringVar(&f.wait, "wait", "finalized", "wait until the transaction is inblock or finalized, or none to only send it")
	p.StringVar(&f.tip, "tip", "0", "amount given to the block's author on top of the fee")
	p.Int64Var(&f.nonce, "nonce", -1, "the transaction's number among the account's (default: the next one)")
	p.Lookup("nonce").DefValue = "0" // which help leaves out, as -1 says nothing
	p.Uint64Var(&f.period, "mortal", client.DefaultPeriod, "blocks for which the signature holds, 4 to 65536")
	p.BoolVar(&f.immortal, "immortal", false, "the signature holds for ever")
	p.BoolVar(&f.dryRun, "dry-run", false, "only write what the transaction would cost")
	p.DurationVar(&f.timeout, "timeout", 5*time.Minute, "give up waiting after this long; the transaction may still happen")
	cmd.MarkFlagsMutuallyExclusive("mortal", "immortal")
}

// until is how far a transaction is waited for.
func (f *txFlags) until() (client.StatusKind, error) {
	until, ok := map[string]client.StatusKind{"none": client.Ready, "inblock": client.InBlock, "finalized": client.Finalized}[f.wait]
	if !ok {
		return until, fmt.Errorf("--wait is %q; use inblock, finalized or none", f.wait)
	}
	return until, nil
}

// options turns the flags into what the client takes.
func (f *txFlags) options(format metadata.Format) (o client.SignOptions, err error) {
	o = client.SignOptions{Period: f.period, Immortal: f.immortal}
	if o.Tip, err = format.ParseAmount(f.tip); err != nil {
		return o, fmt.Errorf("--tip: %w", err)
	}
	if f.nonce >= 0 {
		if f.nonce > 1<<32-1 {
			return o, fmt.Errorf("--nonce is %d; nonces go up to %d", f.nonce, uint32(1<<32-1))
		}
		n := uint32(f.nonce)
		o.Nonce = &n
	}
	return o, nil
}

func (g *globals) tx(cmd *cobra.Command, f *txFlags, pallet, call string, texts []string) error {
	if _, err := f.until(); err != nil { // before anything is read or asked
		return err
	}
	pair, err := f.secret.pair(cmd, "")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	c, err := g.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	encoded, err := c.Metadata().ParseCall(pallet, call, texts)
	if err != nil {
		return err
	}
	_, err = g.send(ctx, cmd, f, c, pair, encoded)
	return err
}

// send signs a call, sends it, waits as the flags say, and writes what it did. The
// outcome is nil if the call was not sent, or not waited for.
func (g *globals) send(ctx context.Context, cmd *cobra.Command, f *txFlags, c *client.Client, pair crypto.Pair, call []byte) (*client.Outcome, error) {
	until, err := f.until()
	if err != nil {
		return nil, err
	}
	o, err := f.options(c.Format())
	if err != nil {
		return nil, err
	}
	xt, err := c.SignEncoded(ctx, call, pair, o)
	if err != nil {
		return nil, err
	}
	switch {
	case f.dryRun:
		return nil, g.fee(ctx, cmd, c, xt)
	case until == client.Ready:
		h, err := c.Submit(ctx, xt)
		if err != nil {
			return nil, err
		}
		return nil, g.printSent(cmd, h)
	}
	done, err := c.SubmitAndWait(ctx, xt, until, func(s client.Status) { g.progress(cmd, s) })
	if ctx.Err() == context.DeadlineExceeded {
		return nil, fmt.Errorf("transaction %v is not %s after %v; it may still happen, so look before sending it again", xt.Hash(), f.wait, f.timeout)
	}
	if err != nil {
		return nil, err
	}
	return done, g.printOutcome(cmd, c.Metadata(), done, until)
}

// fee writes what a transaction would cost.
func (g *globals) fee(ctx context.Context, cmd *cobra.Command, c *client.Client, xt types.Extrinsic) error {
	info, err := c.Fee(ctx, xt)
	if err != nil {
		return err
	}
	if g.json {
		return g.print(cmd, metadata.Record{{Name: "fee", Value: info.Fee}, {Name: "class", Value: info.Class},
			{Name: "refTime", Value: info.RefTime}, {Name: "proofSize", Value: info.ProofSize}, {Name: "bytes", Value: uint64(len(xt))}})
	}
	format := c.Format()
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "Fee: %s, without tip\n", format.FormatAmount(info.Fee))
	return err
}

func (g *globals) printSent(cmd *cobra.Command, h types.Hash) error {
	if g.json {
		return g.print(cmd, map[string]any{"hash": h, "status": "sent"})
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "Sent transaction %v\n", h)
	return err
}

// progress tells people, not programs, what happens.
func (g *globals) progress(cmd *cobra.Command, s client.Status) {
	if g.json {
		return
	}
	text := map[client.StatusKind]string{
		client.Ready: "In the pool", client.Future: "In the pool, waiting for an earlier nonce", client.Broadcast: "Sent to peers",
		client.InBlock: "In block " + s.Block.String(), client.Retracted: "That block left the best chain", client.Finalized: "Final in block " + s.Block.String(),
	}[s.Kind]
	if text != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), text)
	}
}

func (g *globals) printOutcome(cmd *cobra.Command, m *metadata.Metadata, o *client.Outcome, until client.StatusKind) error {
	format := &m.Format
	var failed error
	if o.Err != nil {
		failed = fmt.Errorf("the transaction is in block %d, but its call failed: %w; the fee is paid%s", o.Number, o.Err, stakingHint(o.Err)+marketHint(o.Err)+groupHint(o.Err))
	}
	if g.json {
		return firstError(g.print(cmd, outcomeJSON(o, until)), failed)
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "Transaction: %v\nBlock:       %d, %v, index %d\n", o.Hash, o.Number, o.Block, o.Index)
	if o.Fee != nil {
		tip := ""
		if o.Tip != nil && o.Tip.Sign() > 0 {
			tip = ", of which " + format.FormatAmount(o.Tip) + " tip"
		}
		fmt.Fprintf(out, "Fee:         %s%s\n", format.FormatAmount(o.Fee), tip)
	}
	_, err := fmt.Fprintln(out, "Events:")
	for _, e := range o.Events {
		fields := ""
		if e.Fields != nil {
			fields = " " + oneLine(e.Fields)
		}
		_, err = fmt.Fprintf(out, "  %s.%s%s\n", e.Pallet, e.Name, fields)
		for _, inner := range m.DispatchErrors(e.Fields) {
			_, err = fmt.Fprintf(out, "    error %v\n", inner)
		}
	}
	return firstError(err, failed)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func outcomeJSON(o *client.Outcome, until client.StatusKind) metadata.Value {
	events := make(metadata.List, len(o.Events))
	for i, e := range o.Events {
		events[i] = metadata.Record{{Name: "event", Value: e.Pallet + "." + e.Name}, {Name: "fields", Value: e.Fields}}
	}
	var cause metadata.Value
	if o.Err != nil {
		cause = o.Err.Error()
	}
	return metadata.Record{
		{Name: "hash", Value: o.Hash.String()}, {Name: "status", Value: until.String()}, {Name: "block", Value: o.Block.String()},
		{Name: "number", Value: uint64(o.Number)}, {Name: "index", Value: uint64(o.Index)}, {Name: "success", Value: o.Err == nil},
		{Name: "error", Value: cause}, {Name: "fee", Value: amount(o.Fee)}, {Name: "tip", Value: amount(o.Tip)}, {Name: "events", Value: events},
	}
}

// amount is nil for an unknown amount.
func amount(n *big.Int) metadata.Value {
	if n == nil {
		return nil
	}
	return n
}
