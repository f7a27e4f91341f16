package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/mpow/worker/reporter"
	"github.com/crustgo/crust/node/ipfs"
)

// ipfsFlags are the flags of `crust storage` that concern IPFS.
type ipfsFlags struct {
	swarm, public, take, refuse []string
	gateway                     uint16
	bandwidth, maxSize          string
	noPrivate                   bool
	dht                         dhtFlags
}

func (f *ipfsFlags) add(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringArrayVar(&f.swarm, "swarm-addr", []string{"/ip4/127.0.0.1/tcp/4001", "/ip4/127.0.0.1/udp/4001/quic-v1"}, "multiaddress to serve IPFS on; may be given several times")
	s.StringArrayVar(&f.public, "public-addr", nil, "multiaddress by which others reach the node, if it is behind another; may be given several times")
	s.Uint16Var(&f.gateway, "gateway-port", 8080, "port of the trustless HTTP gateway; 0 picks a free one")
	s.StringVar(&f.bandwidth, "bandwidth", "0", "bytes a second that files may take each way, such as 50MiB; 0 for no limit")
	s.BoolVar(&f.noPrivate, "no-private-ip", false, "do not fetch files from private addresses that orders name")
	f.dht.add(cmd)
	s.StringVar(&f.maxSize, "max-size", "0", "largest file to take an order for; 0 for any")
	s.StringArrayVar(&f.take, "take", nil, "CID of an order to take whoever else does; may be given several times")
	s.StringArrayVar(&f.refuse, "refuse", nil, "CID of an order never to take; may be given several times")
}

// engine is the part of a storage node that touches IPFS.
func (f *ipfsFlags) engine(dir string, log *slog.Logger) (func(context.Context, *worker.Worker, *reporter.Node, prometheus.Registerer) error, error) {
	cfg := ipfs.Config{Dir: dir, Swarm: f.swarm, Public: f.public, GatewayPort: f.gateway, NoPrivate: f.noPrivate, Take: f.take, Refuse: f.refuse, Agent: "crust/" + version, Log: log}
	for flag, texts := range map[string][]string{"--take": f.take, "--refuse": f.refuse} {
		for _, text := range texts {
			if _, err := dag.Parse(text); err != nil {
				return nil, fmt.Errorf("%s %s: %w", flag, text, err)
			}
		}
	}
	var err error
	if cfg.Directory, err = f.dht.config(f.noPrivate); err != nil {
		return nil, err
	}
	bandwidth, err := sizeOf("--bandwidth", f.bandwidth)
	if err != nil {
		return nil, err
	}
	cfg.Bandwidth = int64(min(bandwidth, 1<<62))
	if cfg.MaxSize, err = sizeOf("--max-size", f.maxSize); err != nil {
		return nil, err
	}
	return func(ctx context.Context, w *worker.Worker, n *reporter.Node, figures prometheus.Registerer) error {
		cfg := cfg
		cfg.Registry = figures
		return ipfs.Run(ctx, cfg, w, n)
	}, nil
}
