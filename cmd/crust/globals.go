package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/types"
)

// defaultURL is where a node on this machine answers.
const defaultURL = "ws://127.0.0.1:9944"

// dialTimeout bounds connecting to a node and reading what it is.
const dialTimeout = 20 * time.Second

// globals are the flags that every command has.
type globals struct {
	json bool
	url  string
}

func newGlobals(root *cobra.Command) *globals {
	g := &globals{}
	f := root.PersistentFlags()
	f.BoolVar(&g.json, "json", false, "write results as JSON")
	f.StringVar(&g.url, "url", "", "address of the node's RPC (env CRUST_URL; default "+defaultURL+")")
	return g
}

// address is where the node is: flag, environment, default.
func (g *globals) address() string { return cmp.Or(g.url, os.Getenv("CRUST_URL"), defaultURL) }

// dial connects to the node.
func (g *globals) dial(ctx context.Context) (*client.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c, err := client.Dial(ctx, g.address(), client.Config{ReadFile: os.ReadFile})
	if err != nil {
		return nil, fmt.Errorf("%w; is a node running there? Start one with `crust node --dev`, or name another with --url", root(err))
	}
	return c, nil
}

// root shortens a chain of network errors to its ends: what was attempted, and why
// it failed.
func root(err error) error {
	last := err
	for next := errors.Unwrap(last); next != nil; next = errors.Unwrap(last) {
		last = next
	}
	if what, _, ok := strings.Cut(err.Error(), ": "); ok && last != err && !strings.HasSuffix(what, last.Error()) {
		return fmt.Errorf("%s: %w", what, last)
	}
	return err
}

// print writes a result as indented JSON, or on one line with --json.
func (g *globals) print(cmd *cobra.Command, v any) error {
	b, err := metadata.JSON(v)
	if err != nil {
		return err
	}
	if !g.json {
		if b, err = json.MarshalIndent(json.RawMessage(b), "", "  "); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), string(b))
	return err
}

// blockFlag is the value of --at: a hash, or the number of a block of the best chain.
func blockFlag(ctx context.Context, c *client.Client, text string) (types.Hash, error) {
	if text == "" {
		return client.Best, nil
	}
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return c.BlockHash(ctx, types.BlockNumber(n))
	}
	var h types.Hash
	if err := h.UnmarshalText([]byte(text)); err != nil {
		return h, fmt.Errorf("--at is %q; give the number of a block, or its hash as 0x and 64 hexadecimal digits", text)
	}
	return h, nil
}

// twoNames takes "Pallet item" or "pallet.item" off the arguments.
func twoNames(cmd *cobra.Command, args []string) (a, b string, rest []string, err error) {
	if len(args) > 0 {
		if a, b, ok := strings.Cut(args[0], "."); ok && a != "" && b != "" {
			return a, b, args[1:], nil
		}
	}
	if len(args) < 2 {
		return "", "", nil, fmt.Errorf("%s takes at least two names; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
	}
	return args[0], args[1], args[2:], nil
}

// unknownCommand refuses words that are no command, and says which come close.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return &metadata.NameError{What: "command of " + cmd.CommandPath(), Name: args[0], Near: metadata.Nearest(args[0], names), All: names}
}
