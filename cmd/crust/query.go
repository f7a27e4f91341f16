package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/types"
)

// newQueryCommand is `crust query`.
func newQueryCommand(g *globals) *cobra.Command {
	var at string
	var limit int
	cmd := &cobra.Command{
		Use:   "query PALLET ITEM [KEY…]",
		Short: "Read the chain's state, or a constant",
		Long: `Read a storage item of the chain, or a constant of the runtime.

Without all its keys, a map is listed: one entry a line, keys first. Names may be written in any style, and as pallet.item. Accounts are addresses, 0x and hexadecimal digits, or development keys such as //Alice.`,
		Example: "  crust query system account //Alice\n  crust query system.number --at 100\n  crust query system blockHash --limit 5\n  crust query balances existentialDeposit",
		RunE: func(cmd *cobra.Command, args []string) error {
			pallet, item, texts, err := twoNames(cmd, args)
			if err != nil {
				return err
			}
			if limit < 0 {
				return fmt.Errorf("--limit is %d; give a positive number, or leave it out for all", limit)
			}
			ctx := cmd.Context()
			c, err := g.dial(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			block, err := blockFlag(ctx, c, at)
			if err != nil {
				return err
			}
			return g.query(ctx, cmd, c, block, pallet, item, texts, limit)
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "number or hash of the block to read at (default: the best block)")
	cmd.Flags().IntVar(&limit, "limit", 0, "list at most this many entries of a map (default: all)")
	return cmd
}

func (g *globals) query(ctx context.Context, cmd *cobra.Command, c *client.Client, at types.Hash, pallet, item string, texts []string, limit int) error {
	rt, err := c.RuntimeAt(ctx, at)
	if err != nil {
		return err
	}
	m := rt.Metadata
	s, err := m.Storage(pallet, item)
	if err != nil {
		k, constErr := m.Constant(pallet, item)
		if constErr != nil || len(texts) > 0 {
			return err
		}
		v, err := m.DecodeConstant(k)
		if err != nil {
			return err
		}
		return g.print(cmd, v)
	}
	keys := make([]any, len(texts))
	for i, id := range s.Keys()[:min(len(texts), len(s.Keys()))] {
		if keys[i], err = m.ParseArg(id, texts[i]); err != nil {
			return err
		}
	}
	if len(texts) >= len(s.Hashers) {
		v, err := c.Query(ctx, at, pallet, item, keys...)
		if err != nil {
			return err
		}
		return g.print(cmd, v)
	}
	n := 0
	for e, err := range c.QueryAll(ctx, at, pallet, item, keys...) {
		if err != nil {
			return err
		}
		if err := g.printEntry(cmd, e); err != nil {
			return err
		}
		if n++; n == limit {
			break
		}
	}
	return nil
}

// printEntry writes an entry of a map on a line.
func (g *globals) printEntry(cmd *cobra.Command, e client.Entry) error {
	keys := metadata.List(e.Keys)
	if g.json {
		return g.print(cmd, metadata.Record{{Name: "keys", Value: keys}, {Name: "value", Value: e.Value}})
	}
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = oneLine(k)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", strings.Join(parts, " "), oneLine(e.Value))
	return err
}

// oneLine writes a value as people read it: texts without quotes.
func oneLine(v metadata.Value) string {
	if text, ok := v.(fmt.Stringer); ok {
		return text.String()
	}
	b, err := metadata.JSON(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// newCallCommand is `crust call`.
func newCallCommand(g *globals) *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use:   "call API METHOD [ARG…]",
		Short: "Call a function of the runtime",
		Long: `Call a function of a runtime API on the state of a block, and write what it returns. Nothing is changed and nothing is paid.

Names may be written in any style, and as api.method. Structs, vectors and enums are JSON.`,
		Example: "  crust call core version\n  crust call accountNonceApi accountNonce //Alice",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, method, texts, err := twoNames(cmd, args)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			c, err := g.dial(ctx)
			if err != nil {
				return err
			}
			defer c.Close()
			block, err := blockFlag(ctx, c, at)
			if err != nil {
				return err
			}
			rt, err := c.RuntimeAt(ctx, block)
			if err != nil {
				return err
			}
			_, f, err := rt.Metadata.Method(api, method)
			if err != nil {
				return err
			}
			values := make([]any, len(texts))
			for i, text := range texts {
				if i < len(f.Inputs) {
					if values[i], err = rt.Metadata.ParseArg(f.Inputs[i].Type, text); err != nil {
						return err
					}
				}
			}
			v, err := c.Call(ctx, block, api, method, values...)
			if err != nil {
				return err
			}
			return g.print(cmd, v)
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "number or hash of the block to call at (default: the best block)")
	return cmd
}
