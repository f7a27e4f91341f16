package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/substrate/chain"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/types"
)

// chainCommand is what the commands on chain data share.
type chainCommand struct {
	*globals
	cfg node.Config
}

// newChainCommand is `crust chain`.
func newChainCommand(g *globals) *cobra.Command {
	c := &chainCommand{globals: g, cfg: node.Default()}
	cmd := &cobra.Command{
		Use:   "chain",
		Short: "Copy, check and repair the chain on disk",
		Long: `Work on the chain in a node's data directory. The node must not be running.

Files of blocks carry a chain from one node to another: whoever imports one checks every block as if a peer had sent it.`,
		Args: unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := cmd.PersistentFlags()
	f.StringVar(&c.cfg.Chain, "chain", c.cfg.Chain, "dev, local, or the path of a chain spec")
	f.StringVarP(&c.cfg.BasePath, "base-path", "d", c.cfg.BasePath, "where the node keeps its data")
	f.StringVar(&c.cfg.StatePruning, "state-pruning", c.cfg.StatePruning, "archive, or how many finalised blocks keep their state")
	cmd.AddCommand(c.exportCommand(), c.importCommand(), c.verifyCommand(), c.revertCommand())
	return cmd
}

func (c *chainCommand) exportCommand() *cobra.Command {
	var from, to uint32
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write blocks into a file",
		Long: `Write the blocks of the best chain into a file, with the proofs of finality that the node keeps.

The file appears when it is whole.`,
		Example: "  crust chain export blocks.crust\n  crust chain export --from 1000 --to 2000 part.crust",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, false, func(ctx context.Context, d *node.Data) error {
				res, err := exportBlocks(ctx, d.Chain, args[0], from, to, c.progress(cmd, "export"))
				if err != nil {
					return err
				}
				return c.report(cmd, res, fmt.Sprintf("Wrote %d blocks, %d to %d, and %d justifications into %s.", res.Blocks, res.From, res.To, res.Justifications, res.File))
			})
		},
	}
	cmd.Flags().Uint32Var(&from, "from", 1, "first block")
	cmd.Flags().Uint32Var(&to, "to", 0, "last block; 0 is the best one")
	return cmd
}

func (c *chainCommand) importCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Add the blocks of a file to the chain",
		Long: `Add the blocks of a file to the chain, after checking each completely: author, inherents, signatures, execution, state root. Blocks become final by the justifications in the file. Blocks that the chain has are skipped, so an interrupted import can be repeated.

The first block that is wrong ends the import; what came before it is kept.`,
		Example: "  crust chain import blocks.crust\n  crust chain import --chain my-chain.json --base-path /srv/crust blocks.crust",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd, true, func(ctx context.Context, d *node.Data) error {
				res, err := importBlocks(ctx, d.Chain, args[0], c.progress(cmd, "import"))
				if err != nil {
					return fmt.Errorf("%w; %d blocks were added before, the best is now %d", err, res.Imported, res.Best.Number)
				}
				return c.report(cmd, res, fmt.Sprintf("Added %d blocks with %d transactions, skipped %d. Best block %d, finalised %d.",
					res.Imported, res.Transactions, res.Skipped, res.Best.Number, res.Finalised.Number))
			})
		},
	}
}

func (c *chainCommand) verifyCommand() *cobra.Command {
	var headers bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the chain on disk",
		Long: `Check the chain on disk from block 1 to the best block.

Without --headers every block is executed again, into a directory that is removed afterwards, exactly as if it came from a peer; then every key of the state on disk is compared with the result.

With --headers it is checked, without executing anything, that blocks follow each other, that their authors were entitled to make and did seal them, that bodies are those that headers name, and that the kept justifications are right.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd, false, func(ctx context.Context, d *node.Data) error {
				verify, p := verifyByExecution, c.progress(cmd, "verify")
				if headers {
					verify = verifyHeaders
				}
				res, err := verify(ctx, d, p)
				if err != nil {
					return fmt.Errorf("%w; %d blocks before are right", err, res.Blocks)
				}
				return c.report(cmd, res, res.String())
			})
		},
	}
	cmd.Flags().BoolVar(&headers, "headers", false, "check headers, bodies and justifications only, which is fast")
	return cmd
}

func (c *chainCommand) revertCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revert N",
		Short: "Drop the last N finalised blocks",
		Long: `Drop the last N finalised blocks and every block above them. Only as many can be dropped as have their state kept; see --state-pruning of ` + "`crust node`" + `.

What was final for other nodes stays so for them. A validator that votes again after this may contradict its own votes; it is for repairing single nodes and development chains.`,
		Example: "  crust chain revert 10",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.ParseUint(args[0], 10, 32)
			if err != nil {
				return fmt.Errorf("%q is not a number of blocks", args[0])
			}
			return c.with(cmd, false, func(_ context.Context, d *node.Data) error {
				before := d.Chain.Heads()
				to, err := d.Chain.Revert(uint32(n))
				if err != nil {
					return err
				}
				res := revertResult{Reverted: uint32(before.Finalised.Number - to.Number), Dropped: uint32(before.Best.Number - to.Number), Head: pointOf(to)}
				return c.report(cmd, res, fmt.Sprintf("Dropped %d blocks, %d of them final. The chain ends with block %d (%v).", res.Dropped, res.Reverted, res.Head.Number, res.Head.Hash))
			})
		},
	}
}

// point names a block in results.
type point struct {
	Number types.BlockNumber `json:"number"`
	Hash   types.Hash        `json:"hash"`
}

func pointOf(r chain.Ref) point { return point{r.Number, r.Hash} }

type revertResult struct {
	Reverted uint32 `json:"reverted"` // finalised blocks
	Dropped  uint32 `json:"dropped"`  // blocks of the best chain
	Head     point  `json:"head"`
}

// with opens the chain, runs f until a signal comes, and closes the chain. It
// makes a new directory only if create says so.
func (c *chainCommand) with(cmd *cobra.Command, create bool, f func(context.Context, *node.Data) error) (err error) {
	if err := c.cfg.Validate(); err != nil {
		return err
	}
	if !create {
		spec, err := node.LoadSpec(c.cfg.Chain)
		if err != nil {
			return err
		}
		dir := filepath.Join(c.cfg.BasePath, "chains", spec.ID, "db")
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no chain in %s; name the node's directory with --base-path and its chain with --chain", dir)
		}
	}
	if c.cfg.Logger, err = newLogger(cmd.ErrOrStderr(), "warn"); err != nil {
		return err
	}
	d, err := node.OpenData(&c.cfg)
	if err != nil {
		if errors.Is(err, syscall.EAGAIN) {
			err = fmt.Errorf("%w; the node that uses it has to be stopped first", err)
		}
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	ctx, stop := lifecycle.Signals(cmd.Context(), func(s os.Signal) {
		fmt.Fprintf(cmd.ErrOrStderr(), "Stopping on %v; a second signal kills.\n", s)
	})
	defer stop()
	return f(ctx, d)
}

// report writes the result.
func (c *chainCommand) report(cmd *cobra.Command, result any, text string) error {
	if c.json {
		return writeJSON(cmd.OutOrStdout(), result)
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}
