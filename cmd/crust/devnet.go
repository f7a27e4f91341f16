package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/node/devnet"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// newDevnetCommand is `crust devnet`.
func newDevnetCommand() *cobra.Command {
	cfg := devnet.Default()
	cmd := &cobra.Command{
		Use:   "devnet",
		Short: "Run a network of several nodes on this machine",
		Long: `Run a network on this machine, one process for each node, until Ctrl-C: validators, storage nodes in the groups of the first of them, and a gateway.

The first run makes the chain and its keys in the base path; later runs there go on with it. When every node answers and a block is final, devnet.json in the base path says where everything is.`,
		Example: "  crust devnet\n  crust devnet --validators 7 --base-path /tmp/net\n  crust query system number --url ws://127.0.0.1:9950",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			program, err := os.Executable()
			if err != nil {
				return err
			}
			cfg.Program, cfg.Out = program, cmd.OutOrStdout()
			if !cmd.Flags().Changed("storage") {
				cfg.Storage = min(cfg.Storage, cfg.Validators)
			}
			ctx, stop := lifecycle.Signals(cmd.Context(), func(os.Signal) { cmd.PrintErrln("stopping the nodes; once more kills") })
			defer stop()
			return devnet.Run(ctx, cfg)
		},
	}
	f := cmd.Flags()
	f.IntVar(&cfg.Validators, "validators", cfg.Validators, "how many validators the network has")
	f.IntVar(&cfg.Storage, "storage", cfg.Storage, "how many storage nodes the network has, each in the group of a validator")
	f.IntVar(&cfg.Gateways, "gateways", cfg.Gateways, "how many gateways the network has, for users without a node")
	f.StringVar(&cfg.SRD, "srd", cfg.SRD, "free space that each storage node proves")
	f.StringVarP(&cfg.BasePath, "base-path", "d", cfg.BasePath, "where the network keeps its data")
	f.Uint16Var(&cfg.BasePort, "base-port", cfg.BasePort, "first port; process i uses this one plus 10 i and the six after it")
	f.StringVarP(&cfg.Log, "log", "l", cfg.Log, "how much the nodes log: debug, info, warn or error")
	return cmd
}
