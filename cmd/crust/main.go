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

func main() {
	if err := newRootCommand().ExecuteContext(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{Use: "crust", Short: "Decentralised storage network", SilenceUsage: true, SilenceErrors: true}
	root.AddCommand(newNodeCommand(), newBuildSpecCommand())
	return root
}
