package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chainspec"
)

// Config says what a network is made of.
type Config struct {
	Program    string // path of crust
	Dir        string // where specification, data and logs go
	Validators int
	// Others is how many nodes there are beside them, without keys but for those of Keys;
	// they come after the validators.
	Others int
	// Keys are the secret URIs of the first of the others. Who has the key of a validator
	// is its twin: both make blocks and vote in its name.
	Keys []string
	// Slot is the time between blocks, unless Spec says it; 0 means that of
	// development networks.
	Slot time.Duration
	// Spec is the specification of a network with that many validators of
	// runtime.Devnet; nil means that one itself.
	Spec   *chainspec.Spec
	Linked bool     // connections go through links
	Args   []string // more arguments for every node
}

// Net is a network.
type Net struct {
	Nodes []*Node
	Spec  string // file

	cfg     Config
	links   map[[2]int]*link // by who dials, and whom
	doors   map[int]*link    // to the RPC of nodes
	storage []*Node
	watch   *watch
}

// New makes a network, none of whose nodes runs.
func New(c Config) (*Net, error) {
	n := &Net{cfg: c, Spec: filepath.Join(c.Dir, "spec.json"), links: map[[2]int]*link{}, doors: map[int]*link{}}
	if err := n.writeSpec(); err != nil {
		return nil, err
	}
	names := runtime.Devnet(c.Validators).Validators
	for i := range c.Validators + c.Others {
		var key string
		name := fmt.Sprintf("other-%d", i)
		if i < c.Validators {
			key = "//" + names[i]
			name = strings.ToLower(strings.ReplaceAll(names[i], "//", "-"))
		} else if k := i - c.Validators; k < len(c.Keys) {
			key = c.Keys[k]
		}
		if err := n.add(i, name, key); err != nil {
			return nil, errors.Join(err, n.Close())
		}
	}
	n.watch = newWatch(n.Nodes)
	return n, nil
}

func (n *Net) writeSpec() error {
	spec, network := n.cfg.Spec, runtime.Devnet(n.cfg.Validators)
	if n.cfg.Slot != 0 {
		network.Preset.SlotDuration = uint64(n.cfg.Slot.Milliseconds())
	}
	var err error
	if spec == nil {
		if spec, err = network.Spec(); err != nil {
			return err
		}
	}
	if _, spec, err = runtime.Load(spec); err != nil {
		return err
	}
	b, err := spec.Encode()
	if err != nil {
		return err
	}
	return os.WriteFile(n.Spec, b, 0o600)
}

// add makes the place of a node, and its links to and from those before it.
func (n *Net) add(i int, name, key string) error {
	dir := filepath.Join(n.cfg.Dir, name)
	keyFile := filepath.Join(dir, "node.key")
	id, err := node.PeerID(keyFile)
	if err != nil {
		return err
	}
	for j := range i {
		for _, pair := range [][2]int{{i, j}, {j, i}} {
			if !n.cfg.Linked {
				break
			}
			if n.links[pair], err = newLink(); err != nil {
				return err
			}
		}
	}
	args := []string{"node", "--chain", n.Spec, "--base-path", dir, "--name", name, "--node-key-file", keyFile,
		"--rpc-port", "0", "--prometheus-port", "0", "--listen-addr", "/ip4/127.0.0.1/tcp/0"}
	if key != "" {
		args = append(args, "--dev-key", key)
	}
	args = append(args, n.cfg.Args...)
	n.Nodes = append(n.Nodes, &Node{
		Name: name, ID: id, Log: filepath.Join(n.cfg.Dir, name+".log"), ready: "node is ready",
		command: func() *exec.Cmd {
			cmd := exec.Command(n.cfg.Program, append(args[:len(args):len(args)], n.peers(i)...)...)
			cmd.Env = append(os.Environ(), "NO_COLOR=1")
			return cmd
		},
		moved: func(address, rpc string) {
			for pair, k := range n.links {
				if pair[1] == i {
					k.set(func(k *link) { k.to = address })
				}
			}
			if k := n.doors[i]; k != nil {
				k.set(func(k *link) { k.to = rpc })
			}
		},
	})
	return nil
}

// peers are the arguments that tell node i of the others.
func (n *Net) peers(i int) (args []string) {
	if n.cfg.Linked {
		args = append(args, "--reserved-only", "--no-private-ip")
	}
	for j, other := range n.Nodes {
		switch address := other.Address(); {
		case j == i:
		case n.cfg.Linked:
			args = append(args, "--reserved-nodes", n.links[[2]int{i, j}].address(other.ID))
		case address != "":
			args = append(args, "--bootnodes", address)
		}
	}
	return args
}

// Door is where a node answers RPC over WebSocket, wherever it listens after its next
// start; nobody answers there while it does not run. It is to be asked for before any
// node is started.
func (n *Net) Door(i int) (url string, err error) {
	k := n.doors[i]
	if k == nil {
		if k, err = newLink(); err != nil {
			return "", err
		}
		n.doors[i] = k
	}
	return "ws://" + k.listener.Addr().String(), nil
}

// Start starts nodes, all if none is named, at the same time if they are linked.
func (n *Net) Start(ctx context.Context, which ...int) error {
	if len(which) == 0 {
		for i := range n.Nodes {
			which = append(which, i)
		}
	}
	errs := make([]error, len(which))
	var starting sync.WaitGroup
	for k, i := range which {
		if !n.cfg.Linked {
			errs[k] = n.Nodes[i].Start(ctx)
			continue
		}
		starting.Go(func() { errs[k] = n.Nodes[i].Start(ctx) })
	}
	starting.Wait()
	return errors.Join(errs...)
}

// Close ends everything: it stops the nodes, and reports those that end badly.
func (n *Net) Close() error {
	errs := make([]error, len(n.Nodes))
	if n.watch != nil {
		n.watch.close()
	}
	for _, s := range n.storage { // before the nodes that they talk to
		errs = append(errs, s.Stop())
	}
	var stopping sync.WaitGroup
	for i, node := range n.Nodes {
		stopping.Go(func() { errs[i] = node.Stop() })
	}
	stopping.Wait()
	for _, k := range n.links {
		k.close()
	}
	for _, k := range n.doors {
		k.close()
	}
	return errors.Join(errs...)
}

// Split cuts all links but those within a group; a node in no group is alone.
func (n *Net) Split(groups ...[]int) {
	group := map[int]int{}
	for g, members := range groups {
		for _, i := range members {
			group[i] = g + 1
		}
	}
	for pair, k := range n.links {
		apart := group[pair[0]] != group[pair[1]] || group[pair[0]] == 0
		k.set(func(k *link) { k.cut = apart })
	}
}

// Heal restores all links.
func (n *Net) Heal() {
	for _, k := range n.links {
		k.set(func(k *link) { k.cut = false })
	}
}

// Break ends the connections of all links that pick chooses by their ends; new
// ones may be made at once.
func (n *Net) Break(pick func(from, to int) bool) {
	for pair, k := range n.links {
		if pick(pair[0], pair[1]) {
			k.set((*link).breakAll)
		}
	}
}

// Delay delays everything on all links, each by what of returns for its ends.
func (n *Net) Delay(of func(from, to int) time.Duration) {
	for pair, k := range n.links {
		d := of(pair[0], pair[1])
		k.set(func(k *link) { k.delay = d })
	}
}
