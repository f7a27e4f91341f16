package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
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
	var configFile, pruning, devKey string
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
			ctx := cmd.Context()
			if withStdin {
				var stop context.CancelFunc
				ctx, stop = untilEOF(ctx, cmd.InOrStdin())
				defer stop()
			}
			return runNode(ctx, c, cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.BoolVar(&dev, "dev", false, "development chain, made by Alice, in a temporary directory (short for --chain dev --alice --tmp)")
	f.StringVar(&configFile, "config", "", "TOML file with settings; the command line wins over it")
	f.StringVar(&cfg.Chain, "chain", cfg.Chain, "dev, local, or the path of a chain spec")
	f.StringVarP(&cfg.BasePath, "base-path", "d", cfg.BasePath, "where the node keeps its data")
	f.BoolVar(&cfg.Tmp, "tmp", false, "keep data in a temporary directory that is removed at the end")
	f.StringVar(&cfg.Name, "name", cfg.Name, "what the node calls itself")
	f.BoolVar(&cfg.Validator, "validator", false, "make blocks with the session keys in the keystore")
	f.Uint16Var(&cfg.RPCPort, "rpc-port", cfg.RPCPort, "port of HTTP and WebSocket RPC; 0 picks a free one")
	f.BoolVar(&cfg.RPCExternal, "rpc-external", false, "answer RPC on all interfaces, not only on 127.0.0.1")
	f.StringVar(&cfg.RPCMethods, "rpc-methods", cfg.RPCMethods, "auto (unsafe methods only on 127.0.0.1), safe or unsafe")
	f.StringSliceVar(&cfg.RPCCors, "rpc-cors", cfg.RPCCors, "browser origins that may use RPC, or all; by default localhost and polkadot.js.org")
	f.IntVar(&cfg.RPCMaxConns, "rpc-max-connections", cfg.RPCMaxConns, "most RPC connections at a time")
	f.Uint16Var(&cfg.Port, "port", cfg.Port, "port of peer-to-peer over TCP; 0 picks a free one")
	f.Uint16Var(&cfg.WSPort, "ws-port", cfg.WSPort, "port of peer-to-peer over WebSocket; 0 picks a free one")
	f.StringSliceVar(&cfg.ListenAddrs, "listen-addr", nil, "multiaddresses to accept peers on, instead of 127.0.0.1 and the two ports")
	f.StringSliceVar(&cfg.PublicAddrs, "public-addr", nil, "multiaddresses to tell other nodes")
	f.StringSliceVar(&cfg.Bootnodes, "bootnodes", nil, "multiaddresses of nodes to begin with, beside those of the chain spec")
	f.StringSliceVar(&cfg.ReservedNodes, "reserved-nodes", nil, "multiaddresses of nodes to stay connected with")
	f.BoolVar(&cfg.ReservedOnly, "reserved-only", false, "connect to no other nodes than the reserved ones")
	f.StringVar(&cfg.NodeKeyFile, "node-key-file", "", "file with the secret of the peer identity; it is made if it is not there")
	f.IntVar(&cfg.OutPeers, "out-peers", cfg.OutPeers, "most nodes to connect to")
	f.IntVar(&cfg.InPeers, "in-peers", cfg.InPeers, "most nodes that may connect to this one")
	f.IntVar(&cfg.InPeersLight, "in-peers-light", cfg.InPeersLight, "most light clients that may connect to this one")
	f.Uint16Var(&cfg.PrometheusPort, "prometheus-port", cfg.PrometheusPort, "port of metrics; 0 picks a free one")
	f.BoolVar(&cfg.NoPrometheus, "no-prometheus", false, "offer no metrics")
	f.StringVar(&pruning, "state-pruning", cfg.StatePruning, "archive, or how many finalised blocks keep their state")
	f.StringVarP(&cfg.Log, "log", "l", cfg.Log, "debug, info, warn or error")
	for i, name := range devKeys {
		f.BoolVar(&named[i], name, false, "make blocks as "+strings.ToUpper(name[:1])+name[1:]+" of the development networks")
	}
	f.StringVar(&devKey, "dev-key", "", "secret URI whose session keys to make blocks with, on development networks: //Validator//7")
	f.BoolVar(&withStdin, "stop-with-stdin", false, "stop when standard input ends, as it does when the program that started the node is gone")
	cmd.PreRun = func(*cobra.Command, []string) { cfg.StatePruning = pruning }
	return cmd
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
	set := func(name string, apply func()) {
		if cmd.Flags().Changed(name) {
			apply()
		}
	}
	set("chain", func() { c.Chain = flags.Chain })
	set("base-path", func() { c.BasePath = flags.BasePath })
	set("tmp", func() { c.Tmp = flags.Tmp })
	set("name", func() { c.Name = flags.Name })
	set("validator", func() { c.Validator = flags.Validator })
	set("rpc-port", func() { c.RPCPort = flags.RPCPort })
	set("rpc-external", func() { c.RPCExternal = flags.RPCExternal })
	set("rpc-methods", func() { c.RPCMethods = flags.RPCMethods })
	set("rpc-cors", func() { c.RPCCors = flags.RPCCors })
	set("rpc-max-connections", func() { c.RPCMaxConns = flags.RPCMaxConns })
	set("port", func() { c.Port = flags.Port })
	set("ws-port", func() { c.WSPort = flags.WSPort })
	set("listen-addr", func() { c.ListenAddrs = flags.ListenAddrs })
	set("public-addr", func() { c.PublicAddrs = flags.PublicAddrs })
	set("bootnodes", func() { c.Bootnodes = flags.Bootnodes })
	set("reserved-nodes", func() { c.ReservedNodes = flags.ReservedNodes })
	set("reserved-only", func() { c.ReservedOnly = flags.ReservedOnly })
	set("node-key-file", func() { c.NodeKeyFile = flags.NodeKeyFile })
	set("out-peers", func() { c.OutPeers = flags.OutPeers })
	set("in-peers", func() { c.InPeers = flags.InPeers })
	set("in-peers-light", func() { c.InPeersLight = flags.InPeersLight })
	set("prometheus-port", func() { c.PrometheusPort = flags.PrometheusPort })
	set("no-prometheus", func() { c.NoPrometheus = flags.NoPrometheus })
	set("state-pruning", func() { c.StatePruning = flags.StatePruning })
	set("log", func() { c.Log = flags.Log })
	return &c, nil
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

// runNode runs a node until it is stopped.
func runNode(ctx context.Context, c *node.Config, stderr io.Writer) error {
	logger, err := newLogger(stderr, c.Log)
	if err != nil {
		return err
	}
	c.Logger = logger
	c.Version = version + "-" + commit
	ctx, stop := lifecycle.Signals(ctx, func(s os.Signal) {
		logger.Info("stopping; a second signal kills", "signal", s.String())
	})
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
