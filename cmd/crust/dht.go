package main

import (
	"github.com/spf13/cobra"

	"github.com/crustgo/crust/node/ipfs"
)

// dhtFlags are the flags of nodes that take part in the directory of the IPFS network.
type dhtFlags struct {
	mode      string
	peers     []string
	delegates []string
}

func (f *dhtFlags) add(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVar(&f.mode, "dht", ipfs.DirectoryOff, "part to take in IPFS's directory of who has which file, the public one with --no-private-ip and otherwise that of the local network: off, client, server, which anybody must be able to reach, or auto, a server while others find that they can reach it")
	s.StringArrayVar(&f.peers, "dht-peer", nil, "multiaddress of a node of the directory to begin with (default those of the public one); may be given several times")
	s.StringArrayVar(&f.delegates, "router", nil, "URL of a server of IPFS's delegated routing API (/routing/v1) that is asked, too, who has a file; may be given several times")
}

// config is what the flags say; public is --no-private-ip.
func (f *dhtFlags) config(public bool) (ipfs.Directory, error) {
	d := ipfs.Directory{Mode: f.mode, Peers: f.peers, Local: !public, Delegates: f.delegates}
	return d, d.Check()
}
