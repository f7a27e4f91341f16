package testnet

import (
	"os"
	"os/exec"
	"path/filepath"
)

// Storage says how a storage node is started.
type Storage struct {
	Name  string
	SURI  string   // of its account
	Owner string   // of the group to join
	SRD   string   // free space to prove
	Base  string   // base path: a short one, for a socket lies in it
	Args  []string // more arguments
}

// AddStorage makes the place of a storage node beside the network, which talks to one of its
// nodes. It is not among Nodes; Close stops it.
func (n *Net) AddStorage(s Storage, at int) *Node {
	args := []string{"storage", "--chain", n.Spec, "--base-path", s.Base, "--name", s.Name, "--suri", s.SURI, "--owner", s.Owner, "--srd", s.SRD,
		"--reserve", "1MiB", "--api-port", "0", "--prometheus-port", "0", "--gateway-port", "0", "--swarm-addr", "/ip4/127.0.0.1/tcp/0"}
	args = append(args, s.Args...)
	node := &Node{
		Name: s.Name, Log: filepath.Join(n.cfg.Dir, s.Name+".log"), ready: "storage node", moved: func(string, string) {},
		command: func() *exec.Cmd {
			cmd := exec.Command(n.cfg.Program, append(args[:len(args):len(args)], "--node-url", n.Nodes[at].URL("ws"))...)
			cmd.Env = append(os.Environ(), "NO_COLOR=1")
			return cmd
		},
	}
	n.storage = append(n.storage, node)
	return node
}
