package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/internal/sim"
	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/substrate/types"
)

// simFlags are the flags of `crust sim`.
type simFlags struct {
	opt    sim.Options
	blocks uint32
	seeds  int
	faults string
	trace  string
	voters int
	off    int
}

// newSimCommand is `crust sim`.
func newSimCommand(g *globals) *cobra.Command {
	f := simFlags{opt: sim.Options{Seed: 1, Nodes: 4}, blocks: 300, seeds: 1, faults: "all"}
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Simulate a network that has bad luck and bad members",
		Long: `Simulate a network of validators on one thread, by a clock of its own: the real chain, database, synchronisation and finality, over links that delay, lose, repeat and reorder messages. The network is split and healed, nodes lose power and what was not written, clocks are wrong, validators are silent or sign twice.

What happens is drawn from the seed: a run with the same flags of the same program is the same run. If a rule is broken, the exit status is 1 and the command that repeats the run is written.

With --validators no block is executed: as many real voters make blocks final that are only headers, and the time that takes is measured.`,
		Example: "  crust sim --seeds 20\n  crust sim --nodes 7 --seed 12 --faults crash,partition --trace trace.txt\n  crust sim --validators 100 --offline 10",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			node.TuneMemory(0)
			if f.voters > 0 {
				return f.measure(cmd, g)
			}
			return f.run(cmd, g)
		},
	}
	s := cmd.Flags()
	s.IntVar(&f.opt.Nodes, "nodes", f.opt.Nodes, "how many validators the network has")
	s.Uint64Var(&f.opt.Seed, "seed", f.opt.Seed, "what everything random is drawn from")
	s.IntVar(&f.seeds, "seeds", f.seeds, "how many runs, each with the next seed")
	s.Uint32Var(&f.blocks, "blocks", f.blocks, "how many blocks are to be final")
	s.StringVar(&f.faults, "faults", f.faults, "all, none, or some of loss,duplicate,reorder,partition,skew,crash,silent,equivocate,setchange,slowdisk")
	s.StringVar(&f.trace, "trace", "", "file to write every event to")
	s.IntVar(&f.voters, "validators", 0, "measure finality with so many voters, without executing blocks")
	s.IntVar(&f.off, "offline", 0, "with --validators, how many of a hundred are offline")
	return cmd
}

// run runs the networks, one after the other.
func (f *simFlags) run(cmd *cobra.Command, g *globals) (err error) {
	if f.opt.Faults, err = sim.ParseFaults(f.faults); err != nil {
		return err
	}
	f.opt.Blocks = types.BlockNumber(f.blocks)
	if f.trace != "" {
		file, err := os.Create(f.trace)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		f.opt.Trace = file
	}
	var all []sim.Result
	for i := range f.seeds {
		opt := f.opt
		opt.Seed += uint64(i)
		cmd.PrintErrf("seed %d\n", opt.Seed)
		r, err := sim.Run(opt)
		if err != nil {
			return fmt.Errorf("seed %d, commit %s: %w", opt.Seed, commit, err)
		}
		all = append(all, r)
	}
	if g.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(all)
	}
	return simTable(cmd.OutOrStdout(), all)
}

func simTable(out io.Writer, all []sim.Result) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "seed\tblocks\tfinal\tsets\trounds\ttime\tp50\tp99\trecovery\tmessages\tlost\tfaults\trun")
	for i := range all {
		r := &all[i]
		faults := 0
		for _, n := range r.Injected {
			faults += n
		}
		_, _ = fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%v\t%v\t%v\t%v\t%d\t%d\t%d\t%.8s\n", r.Seed, r.Best, r.Finalised, r.Sets, r.Rounds,
			r.Time.Round(time.Second), r.P50, r.P99, r.Recovery, r.Messages, r.Lost, faults, r.Fingerprint)
	}
	return w.Flush()
}

// measure has many voters make blocks final.
func (f *simFlags) measure(cmd *cobra.Command, g *globals) error {
	r, err := sim.Voters(sim.VotersOptions{Seed: f.opt.Seed, Validators: f.voters, Offline: f.voters * f.off / 100, Blocks: int(f.blocks)})
	if err != nil {
		return err
	}
	if g.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), r)
	return err
}
