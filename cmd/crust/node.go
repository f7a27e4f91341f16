package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// devKeys are the development accounts that have a flag of their own.
var devKeys = []string{"alice", "bob", "charlie", "dave", "eve", "ferdie"}

// newNodeCommand is `crust node`.
func newNodeCommand() *cobra.Command {
	cfg := node.Default()
	var dev bool
	var configFile, devKey string
	var withStdin bool
	named := make([]bool, len(devKeys))
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Run a chain node",
		Long: `Run a chain node: it keeps the chain, answers JSON-RPC over HTTP and WebSocket on one port, and makes blocks if it is a validator.

To try it out, ` + "`crust node --dev`" + ` starts a chain of its own with one block a second, in a temporary directory that is removed at the end.
Every flag without a value on the command line can stand in a TOML file that --config names.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := effectiveConfig(cmd, &cfg, configFile)
			if err != nil {
				return err
			}
			if dev {
				applyDev(cmd, c)
			}
			for i, on := range named {
				if on {
					c.Keys, c.Validator = append(c.Keys, "//"+strings.ToUpper(devKeys[i][:1])+devKeys[i][1:]), true
				}
			}
			if devKey != "" {
				c.Keys, c.Validator = append(c.Keys, devKey), true
			}
			return runNode(cmd, c, withStdin)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&dev, "dev", false, "development chain, made by Alice, in a temporary directory (short for --chain dev --alice --tmp)")
	f.StringVar(&configFile, "config", "", "TOML file with settings; the command line wins over it")
	bindConfig(f, &cfg)
	for i, name := range devKeys {
		f.BoolVar(&named[i], name, false, "make blocks as "+strings.ToUpper(name[:1])+name[1:]+" of the development networks")
	}
	f.StringVar(&devKey, "dev-key", "", "secret URI whose session keys to make blocks with, on development networks: //Validator//7")
	f.BoolVar(&withStdin, "stop-with-stdin", false, "stop when standard input ends, as it does when the program that started the node is gone")
	return cmd
}

// bindConfig defines the flags that set a field of the configuration; its values
// are their defaults.
func bindConfig(f *pflag.FlagSet, c *node.Config) {
	f.StringVar(&c.Chain, "chain", c.Chain, "dev, local, or the path of a chain spec")
	f.StringVarP(&c.BasePath, "base-path", "d", c.BasePath, "where the node keeps its data")
	f.BoolVar(&c.Tmp, "tmp", c.Tmp, "keep data in a temporary directory that is removed at the end")
	f.StringVar(&c.Name, "name", c.Name, "what the node calls itself")
	f.BoolVar(&c.Validator, "validator", c.Validator, "make blocks with the session keys in the keystore")
	f.Uint16Var(&c.RPCPort, "rpc-port", c.RPCPort, "port of HTTP and WebSocket RPC; 0 picks a free one")
	f.BoolVar(&c.RPCExternal, "rpc-external", c.RPCExternal, "answer RPC on all interfaces, not only on 127.0.0.1")
	f.StringVar(&c.RPCMethods, "rpc-methods", c.RPCMethods, "auto (unsafe methods only on 127.0.0.1), safe or unsafe")
	f.StringSliceVar(&c.RPCCors, "rpc-cors", c.RPCCors, "browser origins that may use RPC, or all; by default localhost and polkadot.js.org")
	f.IntVar(&c.RPCMaxConns, "rpc-max-connections", c.RPCMaxConns, "most RPC connections at a time")
	f.Uint16Var(&c.Port, "port", c.Port, "port of peer-to-peer over TCP; 0 picks a free one")
	f.Uint16Var(&c.WSPort, "ws-port", c.WSPort, "port of peer-to-peer over WebSocket; 0 picks a free one")
	f.StringSliceVar(&c.ListenAddrs, "listen-addr", c.ListenAddrs, "multiaddresses to accept peers on, instead of 127.0.0.1 and the two ports")
	f.StringSliceVar(&c.PublicAddrs, "public-addr", c.PublicAddrs, "multiaddresses to tell other nodes")
	f.StringSliceVar(&c.Bootnodes, "bootnodes", c.Bootnodes, "multiaddresses of nodes to begin with, beside those of the chain spec")
	f.StringSliceVar(&c.ReservedNodes, "reserved-nodes", c.ReservedNodes, "multiaddresses of nodes to stay connected with")
	f.BoolVar(&c.ReservedOnly, "reserved-only", c.ReservedOnly, "connect to no other nodes than the reserved ones")
	f.BoolVar(&c.NoPrivateIP, "no-private-ip", c.NoPrivateIP, "dial no private addresses that others tell; bootnodes and reserved nodes may have them")
	f.StringVar(&c.NodeKeyFile, "node-key-file", c.NodeKeyFile, "file with the secret of the peer identity; it is made if it is not there")
	f.IntVar(&c.OutPeers, "out-peers", c.OutPeers, "most nodes to connect to")
	f.IntVar(&c.InPeers, "in-peers", c.InPeers, "most nodes that may connect to this one")
	f.IntVar(&c.InPeersLight, "in-peers-light", c.InPeersLight, "most light clients that may connect to this one")
	f.Uint16Var(&c.PrometheusPort, "prometheus-port", c.PrometheusPort, "port of metrics; 0 picks a free one")
	f.BoolVar(&c.NoPrometheus, "no-prometheus", c.NoPrometheus, "offer no metrics")
	f.StringVar(&c.StatePruning, "state-pruning", c.StatePruning, "archive, or how many finalised blocks keep their state")
	f.IntVar(&c.Cache, "cache", c.Cache, "MiB of state to keep in memory at most; 0 is a sixteenth of the machine's memory")
	f.StringVarP(&c.Log, "log", "l", c.Log, "debug, info, warn or error")
}

// effectiveConfig is the defaults, then the file, then the command line.
func effectiveConfig(cmd *cobra.Command, flags *node.Config, file string) (*node.Config, error) {
	if file == "" {
		return flags, nil
	}
	c := node.Default()
	if err := c.LoadFile(file); err != nil {
		return nil, err
	}
	over := pflag.NewFlagSet("", pflag.ContinueOnError)
	bindConfig(over, &c)
	var err error
	cmd.Flags().Visit(func(given *pflag.Flag) {
		f := over.Lookup(given.Name)
		if f == nil {
			return // it sets no field
		}
		if list, ok := given.Value.(pflag.SliceValue); ok {
			err = errors.Join(err, f.Value.(pflag.SliceValue).Replace(list.GetSlice()))
		} else {
			err = errors.Join(err, f.Value.Set(given.Value.String()))
		}
	})
	return &c, err
}

// applyDev is what --dev stands for; a base path that was given is kept.
func applyDev(cmd *cobra.Command, c *node.Config) {
	if !cmd.Flags().Changed("chain") {
		c.Chain = "dev"
	}
	if !cmd.Flags().Changed("base-path") {
		c.Tmp = true
	}
	c.Validator = true
	c.Keys = append(c.Keys, "//Alice")
}

// untilEOF returns a context that ends with r.
func untilEOF(ctx context.Context, r io.Reader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	g := lifecycle.NewGroup(ctx, time.Nanosecond) // reading cannot be broken off: nobody waits for it
	g.Go("standard input", func(context.Context) error {
		_, err := io.Copy(io.Discard, r)
		cancel()
		return err
	})
	return ctx, cancel
}

// serving returns the context of a process that serves until a signal, or with withStdin
// the end of its standard input, stops it.
func serving(cmd *cobra.Command, log *slog.Logger, withStdin bool) (context.Context, func()) {
	ctx, stop := lifecycle.Signals(cmd.Context(), func(s os.Signal) {
		log.Info("stopping; a second signal kills", "signal", s.String())
	})
	if !withStdin {
		return ctx, stop
	}
	ctx, end := untilEOF(ctx, cmd.InOrStdin())
	return ctx, func() {
		end()
		stop()
	}
}

// runNode runs a node until it is stopped.
func runNode(cmd *cobra.Command, c *node.Config, withStdin bool) error {
	logger, err := newLogger(cmd.ErrOrStderr(), c.Log)
	if err != nil {
		return err
	}
	c.Logger = logger
	c.Version = version + "-" + commit
	ctx, stop := serving(cmd, logger, withStdin)
	defer stop()
	return node.Run(ctx, *c)
}

// newLogger writes colours to terminals and plain lines elsewhere.
func newLogger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log is %q; use debug, info, warn or error", level)
	}
	f, ok := w.(*os.File)
	plain := !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("NO_COLOR") != ""
	return slog.New(tint.NewTextHandler(w, &tint.Options{Level: l, NoColor: plain, TimeFormat: time.DateTime + ".000"})), nil
}
