package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/client/metadata"
)

// sessionKeyBytes is the length of the keys of a session: grandpa, babe, im_online
// and authority_discovery.
const sessionKeyBytes = 4 * 32

// newRotateKeysCommand is `crust validator rotate-keys`.
func newRotateKeysCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "rotate-keys",
		Short: "Let the node make new session keys, and write their public halves",
		Long: `Let the node make new session keys, and write their public halves. The secret halves stay with the node.

The chain knows nothing of them until ` + "`crust validator set-keys`" + ` files them. Ask the node that is to validate: its RPC must allow unsafe methods, as it does on the machine itself.`,
		Example: "  crust validator rotate-keys",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := g.dial(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			keys, err := rotateKeys(cmd.Context(), c, g.address())
			if err != nil {
				return err
			}
			if g.json {
				return g.print(cmd, map[string]any{"keys": metadata.Bytes(keys)})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%v\nFile them with `crust validator set-keys`.\n", metadata.Bytes(keys))
			return err
		},
	}
}

func rotateKeys(ctx context.Context, c *client.Client, url string) ([]byte, error) {
	var keys jsonrpc.Hex
	if err := c.RPC().Call(ctx, "author_rotateKeys", nil, &keys); err != nil {
		return nil, fmt.Errorf("the node at %s makes no keys: %w; ask the node that is to validate, from its own machine", url, root(err))
	}
	if len(keys) != sessionKeyBytes {
		return nil, fmt.Errorf("the node's keys have %d bytes, not %d; is it a node of this chain?", len(keys), sessionKeyBytes)
	}
	return keys, nil
}

// hasKeys asks the node whether it holds the secret halves of keys; known is false
// if it does not say.
func hasKeys(ctx context.Context, c *client.Client, keys []byte) (has, known bool) {
	err := c.RPC().Call(ctx, "author_hasSessionKeys", []any{jsonrpc.Hex(keys)}, &has)
	return has, err == nil
}

// newSetKeysCommand is `crust validator set-keys`.
func newSetKeysCommand(g *globals) *cobra.Command {
	return g.actCommand(&cobra.Command{
		Use:   "set-keys [KEYS]",
		Short: "File session keys for the stash",
		Long: `File session keys for the stash, by which its node makes blocks and votes. Without KEYS the node at --url makes new ones.

To move to another machine, file the keys of the new node and let the old one run until they are in force.`,
		Example: "  crust validator set-keys --suri //Alice\n  crust validator set-keys 0x… --suri //Alice",
		Args:    cobra.MaximumNArgs(1),
	}, func(ctx context.Context, r *role, args []string) error {
		b, err := r.controlled(ctx)
		if err != nil {
			return err
		}
		keys, err := r.keys(ctx, args)
		if err != nil {
			return err
		}
		old, err := r.state.KeysOf(ctx, b.Stash)
		if err != nil {
			return err
		}
		if bytes.Equal(old, keys) {
			return fmt.Errorf("stash %s has filed these keys already; there is nothing to do", r.address(b.Stash))
		}
		if has, known := hasKeys(ctx, r.client, keys); known && !has {
			if err := r.costs("The node at %s does not hold these keys, and a validator whose node is silent is chilled", g.address()); err != nil {
				return err
			}
		}
		r.say("Files keys %v for stash %s.", metadata.Bytes(keys), r.address(b.Stash))
		if len(args) == 0 {
			r.say("The node at %s has made them, so that it is the one that has to validate.", g.address())
		}
		r.say("They are in force in the session after the next one, in at most %s; keep the node with the old ones running until then.", about(2*r.state.Session))
		return r.send(ctx, "Session", "set_keys", keysRecord(keys), metadata.Bytes{})
	})
}

// keys are those that the command was given, or new ones of the node.
func (r *role) keys(ctx context.Context, args []string) ([]byte, error) {
	if len(args) == 0 && r.flags.dryRun {
		return nil, errors.New("the node would make new keys, which --dry-run must not; give KEYS of `crust validator rotate-keys`")
	}
	if len(args) == 0 {
		return rotateKeys(ctx, r.client, r.globals.address())
	}
	keys, err := hex.DecodeString(strings.TrimPrefix(args[0], "0x"))
	if err != nil || len(keys) != sessionKeyBytes {
		return nil, errors.New("KEYS are 0x and 256 hexadecimal digits, as `crust validator rotate-keys` writes them")
	}
	return keys, nil
}

// keysRecord is the keys as the call takes them.
func keysRecord(keys []byte) (out metadata.Record) {
	for i, name := range []string{"grandpa", "babe", "im_online", "authority_discovery"} {
		out = append(out, metadata.Member{Name: name, Value: metadata.Bytes(keys[32*i : 32*i+32])})
	}
	return out
}
