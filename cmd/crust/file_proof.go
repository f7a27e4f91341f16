package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/dsm/bundle"
	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/grandpa"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// trustFlags say what is trusted: a chain, by its specification, or a checkpoint.
type trustFlags struct {
	chain, checkpoint string
	spec              *chainspec.Spec // of the chain that from found; nil if it is a checkpoint
}

func (f *trustFlags) add(cmd *cobra.Command) {
	p := cmd.Flags()
	p.StringVar(&f.chain, "chain", "", "the chain that is trusted: dev, local, or the path of a chain spec (default: a network that ships with this program)")
	p.StringVar(&f.checkpoint, "checkpoint", "", "file of a block that is trusted, as --save-checkpoint writes it; proofs from there are shorter")
	cmd.MarkFlagsMutuallyExclusive("chain", "checkpoint")
}

// from is the block that is trusted; without flags, the genesis block with a hash.
func (f *trustFlags) from(genesis types.Hash) (light.Checkpoint, error) {
	switch {
	case f.checkpoint != "":
		data, err := readLimited(f.checkpoint, bundle.MaxBytes)
		if err != nil {
			return light.Checkpoint{}, err
		}
		p, err := bundle.DecodeCheckpoint(data)
		if err != nil {
			return light.Checkpoint{}, fmt.Errorf("%s: %w", f.checkpoint, err)
		}
		return p.Checkpoint, nil
	case f.chain != "":
		var err error
		if f.spec, err = node.LoadSpec(f.chain); err != nil {
			return light.Checkpoint{}, err
		}
		return runtime.Genesis(f.spec)
	}
	spec, p, err := shipped(genesis)
	if f.spec = spec; err != nil || spec != nil {
		return p, err
	}
	return p, fmt.Errorf("block %v begins no network that ships with this program; say what you trust with --chain SPEC or --checkpoint FILE", genesis)
}

// shipped is the network that ships with the program and begins with a block; nil if
// none does.
func shipped(genesis types.Hash) (*chainspec.Spec, light.Checkpoint, error) {
	networks := runtime.Networks()
	for _, name := range slices.Sorted(maps.Keys(networks)) {
		spec, err := networks[name].Spec()
		if err != nil {
			return nil, light.Checkpoint{}, err
		}
		if p, err := runtime.Genesis(spec); err != nil || p.Header.Hash() == genesis {
			return spec, p, err
		}
	}
	return nil, light.Checkpoint{}, nil
}

// readLimited reads a file of at most so many bytes.
func readLimited(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes; is it the right file?", name, limit)
	}
	return data, err
}

// judge is the rules of a chain, and its time.
type judge struct {
	slot   time.Duration
	prefix uint16
}

// rules finds the runtime of a state's chain.
func (j *judge) rules(view state.View) (bundle.Runtime, error) {
	rt, err := runtime.Of(view)
	if err != nil {
		return nil, err
	}
	j.slot = time.Duration(rt.Preset.SlotDuration) * time.Millisecond
	j.prefix = runtime.SS58Prefix
	return rt.Frame, nil
}

// newFileProofCommand is `crust file proof`.
func newFileProofCommand(g *globals) *cobra.Command {
	var trust trustFlags
	var out string
	cmd := &cobra.Command{
		Use:   "proof CID",
		Short: "Write a file that proves how an order stands",
		Long: `Write a file that proves how the order of a file stood in the last final block: its size, who holds it and proves so, and until when. Whoever has the file can check it without a node, with crust file verify-proof.

The proof begins at the chain's first block, or at a checkpoint that whoever checks it has as well.`,
		Example: "  crust file proof bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi\n  crust file proof QmZ4tDuvesekSs4qM5ZBKpXiZGun7S2CYtEZRB3DYXkjGx -o film.proof --checkpoint june.checkpoint",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := parseCID(args[0])
			if err != nil {
				return err
			}
			if out == "" {
				out = key + ".proof"
			}
			ctx := cmd.Context()
			c, err := g.dial(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			from, err := trust.from(c.Genesis())
			if err != nil {
				return err
			}
			if h := from.Header.Hash(); from.Header.Number == 0 && h != c.Genesis() {
				return fmt.Errorf("the node's chain begins with %v, and the one that is trusted with %v; ask a node of that one with --url", c.Genesis(), h)
			}
			j := &judge{}
			b, err := prove(ctx, c, key, from, j)
			if err != nil {
				return err
			}
			v := verified{judge: j, bundle: b, from: from, spec: trust.spec}
			if v.statement, v.light, err = bundle.Verify(b, from, j.rules, lifecycle.Parallel); err != nil {
				return fmt.Errorf("what the node says does not hold: %w", err)
			}
			if err := writeWhole(out, b.Encode()); err != nil {
				return err
			}
			if g.json {
				return g.print(cmd, append(v.record(), metadata.Member{Name: "file", Value: out}))
			}
			if err := v.write(cmd.OutOrStdout()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Written to %s; check it with `crust file verify-proof`.\n", out)
			return err
		},
	}
	trust.add(cmd)
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write (default: the CID and .proof)")
	return cmd
}

// prove makes a bundle of what a node says, which Verify has still to check.
func prove(ctx context.Context, c *client.Client, key string, from light.Checkpoint, j *judge) (*bundle.Bundle, error) {
	b := &bundle.Bundle{From: from.Header.Hash(), CID: key}
	at, number := b.From, from.Header.Number
	for finished := false; !finished; {
		raw, err := c.WarpProof(ctx, at)
		if err != nil {
			return nil, fmt.Errorf("proof of what is final after block %d: %w", number, err)
		}
		p, err := grandpa.DecodeWarpProof(raw)
		if err != nil {
			return nil, err
		}
		if len(p.Fragments) == 0 {
			break // nothing is final above
		}
		if b.Trail = append(b.Trail, raw); len(b.Trail) > bundle.MaxTrail {
			return nil, fmt.Errorf("the way from block %d is too long for one proof; begin at a later checkpoint, see --save-checkpoint of `crust file verify-proof`", from.Header.Number)
		}
		h := &p.Fragments[len(p.Fragments)-1].Header
		at, number, finished = h.Hash(), h.Number, p.Finished
	}
	r := &bundle.Recorder{Fetch: func(k []byte) ([]byte, bool, error) { return c.Storage(ctx, at, k) }}
	switch _, err := bundle.Judge(r, j.rules, key); {
	case errors.Is(err, bundle.ErrNoOrder):
		return nil, fmt.Errorf("there is no order of %s in block %d, the last final one: it was never placed, is not final yet, or is closed", key, number)
	case err != nil:
		return nil, fmt.Errorf("block %d: %w", number, err)
	}
	var err error
	b.Nodes, err = c.ReadProof(ctx, at, r.Keys())
	return b, err
}

// writeWhole writes a file that appears when it is whole.
func writeWhole(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".crust-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// newFileVerifyCommand is `crust file verify-proof`.
func newFileVerifyCommand(g *globals) *cobra.Command {
	var trust trustFlags
	var save string
	cmd := &cobra.Command{
		Use:   "verify-proof FILE",
		Short: "Check a proof of how an order stands, without a node",
		Long: `Check a proof that crust file proof has written, without a node, and say what it proves.

What has to be trusted is the chain's first block, or a later one, and that in each set of validators since then less than a third lied. That a replica is live says that its machine has proven lately that it has the file.`,
		Example: "  crust file verify-proof film.proof\n  crust file verify-proof film.proof --chain spec.json --save-checkpoint june.checkpoint\n  crust file verify-proof film.proof --checkpoint june.checkpoint --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := readLimited(args[0], bundle.MaxBytes)
			if err != nil {
				return err
			}
			b, err := bundle.Decode(data)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			from, err := trust.from(b.From)
			if err != nil {
				return err
			}
			j := &judge{}
			v := verified{judge: j, bundle: b, from: from, spec: trust.spec}
			switch v.statement, v.light, err = bundle.Verify(b, from, j.rules, lifecycle.Parallel); {
			case errors.Is(err, bundle.ErrCheckpoint):
				return fmt.Errorf("%s: %w; trust that one with --chain or --checkpoint, or ask for a proof from the checkpoint that you have", args[0], err)
			case err != nil:
				return fmt.Errorf("%s proves nothing: %w", args[0], err)
			}
			if save != "" {
				if err := writeWhole(save, bundle.Checkpoint{Checkpoint: v.light.Checkpoint()}.Encode()); err != nil {
					return err
				}
			}
			if g.json {
				return g.print(cmd, v.record())
			}
			return v.write(cmd.OutOrStdout())
		},
	}
	trust.add(cmd)
	cmd.Flags().StringVar(&save, "save-checkpoint", "", "write the block that was verified into this file, for later proofs to begin at")
	return cmd
}

// verified is a bundle that holds.
type verified struct {
	*judge
	bundle    *bundle.Bundle
	from      light.Checkpoint
	spec      *chainspec.Spec // of the chain, if it is known
	statement *bundle.Statement
	light     *light.Client
}

// public says whether the chain is one for development, whose keys anybody has.
func (v *verified) public() (name string, ok bool) {
	spec := v.spec
	if spec == nil {
		var err error
		if spec, _, err = shipped(v.statement.Genesis); err != nil || spec == nil {
			return "", false
		}
	}
	return spec.Name, spec.ChainType != chainspec.Live
}

func (v *verified) time() time.Time { return time.UnixMilli(int64(v.statement.Time)).UTC() }

// ends is about when the file's time is over.
func (v *verified) ends() (block uint32, at time.Time, ok bool) {
	block, ok = v.statement.Order.ExpiresAt.Get()
	return block, v.time().Add(time.Duration(int64(block)-int64(v.statement.Number)) * v.slot), ok
}

func (v *verified) account(who types.AccountID) metadata.Account {
	return metadata.Account{ID: who, Prefix: v.prefix}
}

// write tells people.
func (v *verified) write(out io.Writer) error {
	s, w := v.statement, tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%s:\t%s\n", name, fmt.Sprintf(format, args...))
	}
	o := &s.Order
	line("File", "%s", o.Cid)
	line("Stage", "%s", o.Stage)
	line("Size", "%s (%d bytes)", size(o.FileSize), o.FileSize)
	line("Replicas", "%d live, %d reported", o.LiveReplicas, o.Replicas)
	if block, at, ok := v.ends(); ok {
		line("Expires", "block %d, about %s", block, at.Format(time.DateTime+" MST"))
	} else {
		line("Expires", "not yet known: it lasts from the first replica on")
	}
	line("Block", "%d, %v", s.Number, s.Hash)
	line("Time", "%s", v.time().Format(time.DateTime+" MST"))
	line("Chain", "%v", s.Genesis)
	line("Checked", "from block %d on: %d warp proofs, %d nodes of state, %d bytes", v.from.Header.Number, len(v.bundle.Trail), len(v.bundle.Nodes), len(v.bundle.Encode()))
	if len(s.Replicas) > 0 {
		fmt.Fprintln(w, "\nGROUP\tMEMBER\tLIVE\tSINCE")
		for _, r := range s.Replicas {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", v.account(r.Owner), v.account(r.Member), yes(r.Live), r.ReportedAt)
		}
	}
	err := w.Flush()
	if name, ok := v.public(); ok && err == nil {
		_, err = fmt.Fprintf(out, "- %s is a network for development, whose keys are public: anybody can make such a proof.\n", name)
	}
	return err
}

// record tells programs.
func (v *verified) record() metadata.Record {
	s, o := v.statement, &v.statement.Order
	holders := metadata.List{}
	for _, r := range s.Replicas {
		holders = append(holders, metadata.Record{{Name: "group", Value: v.account(r.Owner)}, {Name: "member", Value: v.account(r.Member)}, {Name: "lineage", Value: metadata.Bytes(r.Lineage[:])},
			{Name: "platform", Value: r.Platform.String()}, {Name: "live", Value: r.Live}, {Name: "since", Value: uint64(r.ReportedAt)}})
	}
	var expires, when metadata.Value
	if block, at, ok := v.ends(); ok {
		expires, when = uint64(block), at.Format(time.RFC3339Nano)
	}
	_, known := v.public()
	return metadata.Record{{Name: "cid", Value: string(o.Cid)}, {Name: "stage", Value: o.Stage.String()}, {Name: "size", Value: o.FileSize}, {Name: "live", Value: uint64(o.LiveReplicas)},
		{Name: "reported", Value: uint64(o.Replicas)}, {Name: "expiresAt", Value: expires}, {Name: "expires", Value: when}, {Name: "block", Value: uint64(s.Number)},
		{Name: "hash", Value: s.Hash.String()}, {Name: "time", Value: v.time().Format(time.RFC3339Nano)}, {Name: "genesis", Value: s.Genesis.String()}, {Name: "publicKeys", Value: known},
		{Name: "from", Value: uint64(v.from.Header.Number)}, {Name: "bytes", Value: uint64(len(v.bundle.Encode()))}, {Name: "holders", Value: holders}}
}
