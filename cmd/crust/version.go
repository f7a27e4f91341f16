package main

import (
	"fmt"
	goruntime "runtime"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/runtime"
)

// newVersionCommand is `crust version`.
func newVersionCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of this program and of its runtime",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := runtime.New(runtime.Development()).Frame.Version()
			if g.json {
				return g.print(cmd, map[string]any{"version": version, "commit": commit, "specName": v.SpecName,
					"specVersion": v.SpecVersion, "transactionVersion": v.TransactionVersion, "go": goruntime.Version()})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "crust %s (%s)\nruntime %s, spec version %d, transaction version %d\n%s\n",
				version, commit, v.SpecName, v.SpecVersion, v.TransactionVersion, goruntime.Version())
			return err
		},
	}
}
