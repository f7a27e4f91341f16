package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// Set by the linker.
var (
	version = "0.0.0"
	commit  = "unknown"
)

func main() { os.Exit(run()) }

// run is main with an exit status, for scripts that test it.
func run() int {
	if err := newRootCommand().ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		return 1
	}
	return 0
}

// newRootCommand gathers the commands. The global flags are in globals.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "crust",
		Short: "Decentralised storage network",
		Long: `Crust is a decentralised storage network. This program is its chain node, its wallet and its tools.

To look around, start a chain of your own with ` + "`crust node --dev`" + `, and in another terminal read an account with ` + "`crust query system account //Alice`" + `. A whole network with storage nodes is ` + "`crust devnet`" + `, and what is wrong with a node says ` + "`crust doctor`" + `.`,
		SilenceUsage: true, SilenceErrors: true,
		Args: unknownCommand, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	g := newGlobals(root)
	root.AddCommand(
		newNodeCommand(),
		newDevnetCommand(), newDemoCommand(g),
		newSimCommand(g),
		newStorageCommand(g),
		newDoctorCommand(g),
		newEnclaveCommand(),
		newBuildSpecCommand(),
		newChainCommand(g),
		newKeyCommand(g),
		newGatewayCommand(g),
		newTxCommand(g),
		newQueryCommand(g),
		newCallCommand(g),
		newFileCommand(g),
		newMerchantCommand(g),
		newValidatorCommand(g),
		newGuarantorCommand(g),
		newGroupCommand(g),
		newVersionCommand(g),
	)
	return root
}
