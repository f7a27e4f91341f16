package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chainspec"
)

// newBuildSpecCommand is `crust build-spec`.
func newBuildSpecCommand() *cobra.Command {
	var chain string
	var founding string
	var raw bool
	cmd := &cobra.Command{
		Use:   "build-spec",
		Short: "Print a chain specification",
		Long: `Print a chain specification as JSON.

mainnet and testnet are real networks: the constants of production, Intel's root of trust, the market open. They need --founding, a JSON file that says who founds them:

  {"sudo": ACCOUNT, "balances": [[ACCOUNT, PLANCKS], …], "evaluationLimit": 20, "fileBaseFee": 1000000000,
   "enclaves": [{"code": MEASUREMENT, "version": 1, "until": BLOCK}, …],
   "validators": [{"stash": ACCOUNT, "controller": ACCOUNT, "bond": PLANCKS, "limit": PLANCKS,
     "keys": {"grandpa": KEY, "babe": KEY, "imOnline": KEY, "authorityDiscovery": KEY}}, …]}

Without --raw it lists the constants and the configuration of the pallets, to be edited. With --raw it holds the state of block 0, which nodes and light clients start from; the same specification always gives the same bytes.`,
		Example: "  crust build-spec --chain dev > my-chain.json\n  crust build-spec --chain my-chain.json --raw > my-chain-raw.json\n  crust node --chain my-chain-raw.json --alice",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			spec, err := chainSpec(chain, founding)
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
	cmd.Flags().StringVar(&chain, "chain", "dev", "dev, local, mainnet, testnet, or the path of a chain spec")
	cmd.Flags().StringVar(&founding, "founding", "", "file that says who founds mainnet or testnet")
	cmd.Flags().BoolVar(&raw, "raw", false, "print the state itself instead of the pallets' configuration")
	return cmd
}

// chainSpec is the specification of a network that ships with the program or is founded,
// or a file's.
func chainSpec(chain, founding string) (*chainspec.Spec, error) {
	real := chain == "mainnet" || chain == "testnet"
	switch {
	case !real && founding != "":
		return nil, fmt.Errorf("--founding is for mainnet and testnet; --chain is %s", chain)
	case !real:
		return node.LoadSpec(chain)
	case founding == "":
		return nil, fmt.Errorf("%s has to be founded by somebody: name the file that says by whom with --founding; crust build-spec --help shows its form", chain)
	}
	b, err := os.ReadFile(founding)
	if err != nil {
		return nil, err
	}
	f, err := runtime.DecodeFounding(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", founding, err)
	}
	return runtime.ProductionSpec(chain, f)
}
