package devnet

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/substrate/types"
)

// maxValidators is as many as a network on one machine may have.
const maxValidators = 64

// portsPerNode is the distance between the ports of two nodes.
const portsPerNode = 10

// Config is what a network is made of.
type Config struct {
	Validators int
	Storage    int    // storage nodes, each in a group of its own
	Gateways   int    // gateways for users without a node
	SRD        string // free space that each storage node proves
	BasePath   string
	BasePort   uint16
	Program    string // path of the crust program
	Log        string // level of the nodes' logs
	// Out gets a line for everything that an operator wants to know.
	Out io.Writer
}

// Default is the network that `crust devnet` starts if nothing else is said.
func Default() Config {
	return Config{Validators: 4, Storage: 3, Gateways: 1, SRD: "128MiB", BasePath: "crust-devnet", BasePort: 9940, Log: "info"}
}

// Validate reports settings that cannot be, with what to do about them.
func (c *Config) Validate() error {
	if c.Validators < 1 || c.Validators > maxValidators {
		return fmt.Errorf("--validators is %d; a network on one machine has 1 to %d", c.Validators, maxValidators)
	}
	if c.Storage < 0 || c.Storage > c.Validators {
		return fmt.Errorf("--storage is %d; each storage node is in the group of a validator, so it is 0 to %d", c.Storage, c.Validators)
	}
	if c.Gateways < 0 || c.Gateways > maxValidators {
		return fmt.Errorf("--gateways is %d; a network on one machine has 0 to %d", c.Gateways, maxValidators)
	}
	ports := portsPerNode * (c.Validators + c.Storage + c.Gateways)
	if c.BasePort == 0 || int(c.BasePort)+ports > 1<<16 {
		return fmt.Errorf("--base-port %d leaves no room for %d ports; choose one from 1024 to %d", c.BasePort, ports, 1<<16-ports)
	}
	if c.BasePath == "" {
		return errors.New("--base-path is empty; name the directory that the network keeps its data in")
	}
	return nil
}

// File is devnet.json: where everything is.
type File struct {
	ChainSpec        string            `json:"chain_spec"`
	GenesisHash      string            `json:"genesis_hash"`
	BlockSeconds     float64           `json:"block_seconds"`
	ReportSlotBlocks uint32            `json:"report_slot_blocks"`
	Validators       []Node            `json:"validators"`
	Storage          []Storage         `json:"storage,omitempty"`
	Gateways         []Gateway         `json:"gateways,omitempty"`
	Accounts         map[string]string `json:"accounts"`
}

// Process is what all processes of the network have.
type Process struct {
	Name    string   `json:"name"`
	PID     int      `json:"pid"`
	Metrics string   `json:"metrics"`
	Log     string   `json:"log"`     // file
	Command []string `json:"command"` // starts the process again
}

// Node is a validator.
type Node struct {
	Process
	RPC string   `json:"rpc"`
	P2P []string `json:"p2p"` // multiaddresses with the peer identity
}

// Storage is a storage node.
type Storage struct {
	Process
	Account types.AccountID `json:"account"`
	Owner   types.AccountID `json:"owner"` // of its group
	Swarm   []string        `json:"swarm"` // multiaddresses of IPFS
	Gateway string          `json:"gateway"`
	API     string          `json:"api"`
}

// Gateway serves users without a node of their own.
type Gateway struct {
	Process
	HTTP  string   `json:"http"`
	PSA   string   `json:"psa"`   // the pinning service
	Token string   `json:"token"` // of the account user
	Swarm []string `json:"swarm"`
}

// FileName is the name of the File in the base path.
const FileName = "devnet.json"

// specName is the name of the chain specification in the base path.
const specName = "chain-spec.json"

// nodeName is a directory and a label: "Validator//7" becomes "validator-7".
func nodeName(validator string) string {
	return strings.ToLower(strings.ReplaceAll(validator, "//", "-"))
}

// plan says how node i of the network is started.
func (c *Config) plan(i int, validator string) (Node, error) {
	name := nodeName(validator)
	dir := filepath.Join(c.BasePath, name)
	key := filepath.Join(dir, "node.key")
	id, err := node.PeerID(key)
	if err != nil {
		return Node{}, fmt.Errorf("%s: %w", name, err)
	}
	port := int(c.BasePort) + portsPerNode*i
	return Node{
		Process: c.process(name, port,
			"node", "--chain", filepath.Join(c.BasePath, specName), "--base-path", dir, "--name", name, "--dev-key", "//"+validator,
			"--rpc-port", fmt.Sprint(port), "--port", fmt.Sprint(port+1), "--ws-port", fmt.Sprint(port+2), "--node-key-file", key),
		RPC: fmt.Sprintf("ws://127.0.0.1:%d", port),
		P2P: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", port+1, id), fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/ws/p2p/%s", port+2, id)},
	}, nil
}

// process is what the processes have in common, with the arguments that only one has.
func (c *Config) process(name string, port int, args ...string) Process {
	return Process{
		Name:    name,
		Metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", port+3),
		Log:     filepath.Join(c.BasePath, name, args[0]+".log"),
		Command: append(append([]string{c.Program}, args...), "--prometheus-port", fmt.Sprint(port+3), "--log", c.Log),
	}
}
