package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/node/demo"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// newDemoCommand is `crust demo`.
func newDemoCommand(g *globals) *cobra.Command {
	var cfg demo.Config
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole product on this machine, unattended",
		Long: `Start a network of validators, storage nodes and a gateway on this machine, store files, and look whether all that the network promises comes true: the files are sealed, proven and paid for, stake follows storage, every file comes back to the byte from other nodes, its order can be proven offline, and nothing is lost when nodes are killed.

Every step is a command of this program that you can run yourself; the network's data shows how. The exit status is 0 only if every claim held.`,
		Example: "  crust demo\n  crust demo --file ~/photos --file thesis.pdf\n  crust demo --keep --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cfg.Program, err = os.Executable(); err != nil {
				return err
			}
			if cfg.BasePath == "" {
				if cfg.BasePath, err = os.MkdirTemp("", "crust-demo-"); err != nil {
					return err
				}
			} else if _, err := os.Stat(filepath.Join(cfg.BasePath, "network")); err == nil {
				return fmt.Errorf("%s holds a network already; name another directory with --base-path", cfg.BasePath)
			}
			if cfg.BasePath, err = filepath.Abs(cfg.BasePath); err != nil {
				return err
			}
			if err := os.MkdirAll(cfg.BasePath, 0o755); err != nil {
				return err
			}
			cfg.Out = cmd.OutOrStdout()
			if g.json {
				cfg.Out = cmd.ErrOrStderr()
			}
			ctx, stop := lifecycle.Signals(cmd.Context(), func(os.Signal) { cmd.PrintErrln("stopping; once more kills") })
			defer stop()
			report, err := demo.Run(ctx, cfg)
			if !keep {
				defer os.RemoveAll(cfg.BasePath)
			}
			if err != nil {
				return err
			}
			if g.json {
				err = g.print(cmd, report)
			} else {
				err = report.Write(cmd.OutOrStdout())
			}
			if err == nil && !report.Held() {
				err = errors.New("not every claim held; run it with --keep, and the logs in its data say why")
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&cfg.Files, "file", nil, "file or directory to store; may be given several times (default files of its own)")
	f.BoolVar(&keep, "keep", false, "leave the network's data and logs there in the end")
	f.StringVarP(&cfg.BasePath, "base-path", "d", "", "where everything lies (default a temporary directory)")
	f.Uint16Var(&cfg.BasePort, "base-port", 9940, "first port; process i uses this one plus 10 i and the six after it")
	return cmd
}
