package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/runtime"
)

// newBuildSpecCommand is `crust build-spec`.
func newBuildSpecCommand() *cobra.Command {
	var chain string
	var raw bool
	cmd := &cobra.Command{
		Use:   "build-spec",
		Short: "Print a chain specification",
		Long: `Print a chain specification as JSON.

Without --raw it lists the constants and the configuration of the pallets, to be edited. With --raw it holds the state of block 0, which nodes and light clients start from; the same specification always gives the same bytes.`,
		Example: "  crust build-spec --chain dev > my-chain.json\n  crust build-spec --chain my-chain.json --raw > my-chain-raw.json\n  crust node --chain my-chain-raw.json --alice",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			spec, err := node.LoadSpec(chain)
			if err != nil {
				return err
			}
			if raw {
				if _, spec, err = runtime.Load(spec); err != nil {
					return err
				}
			}
			b, err := spec.Encode()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), string(b))
			return err
		},
	}
	cmd.Flags().StringVar(&chain, "chain", "dev", "dev, local, or the path of a chain spec")
	cmd.Flags().BoolVar(&raw, "raw", false, "print the state itself instead of the pallets' configuration")
	return cmd
}
