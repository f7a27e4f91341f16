package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Config is everything an operator can set. Field tags are the names in a
// configuration file; the command line uses the same with dashes.
type Config struct {
	Chain          string       `toml:"chain"`        // dev, local, or the path of a chain spec
	BasePath       string       `toml:"base-path"`    // where the node keeps its data
	Tmp            bool         `toml:"tmp"`          // keep data in a temporary directory that is removed at the end
	Name           string       `toml:"name"`         // what the node calls itself
	Validator      bool         `toml:"validator"`    // make blocks with the session keys in the keystore
	Keys           []string     `toml:"-"`            // secret URIs whose session keys are put into memory: --alice is //Alice
	RPCPort        uint16       `toml:"rpc-port"`     // HTTP and WebSocket; 0 picks a free port
	RPCExternal    bool         `toml:"rpc-external"` // listen on all interfaces, not only on 127.0.0.1
	RPCMethods     string       `toml:"rpc-methods"`  // auto, safe or unsafe
	RPCCors        []string     `toml:"rpc-cors"`     // allowed browser origins; all for any
	RPCMaxConns    int          `toml:"rpc-max-connections"`
	Port           uint16       `toml:"port"`            // peer-to-peer over TCP; 0 picks a free port
	WSPort         uint16       `toml:"ws-port"`         // peer-to-peer over WebSocket; 0 picks a free port
	ListenAddrs    []string     `toml:"listen-addr"`     // multiaddresses instead of the two ports
	PublicAddrs    []string     `toml:"public-addr"`     // multiaddresses to tell others
	Bootnodes      []string     `toml:"bootnodes"`       // multiaddresses beside those of the chain spec
	ReservedNodes  []string     `toml:"reserved-nodes"`  // multiaddresses of peers that are always kept
	ReservedOnly   bool         `toml:"reserved-only"`   // no other peers
	NoPrivateIP    bool         `toml:"no-private-ip"`   // dial no private addresses but those of bootnodes and reserved nodes
	NodeKeyFile    string       `toml:"node-key-file"`   // secret of the peer identity; made if it is not there
	OutPeers       int          `toml:"out-peers"`       // most peers that the node dials
	InPeers        int          `toml:"in-peers"`        // most peers that dial the node
	InPeersLight   int          `toml:"in-peers-light"`  // most light clients
	PrometheusPort uint16       `toml:"prometheus-port"` // 0 picks a free port
	NoPrometheus   bool         `toml:"no-prometheus"`
	StatePruning   string       `toml:"state-pruning"` // archive, or how many finalised blocks keep their state
	Cache          int          `toml:"cache"`         // MiB of state to keep in memory at most; 0 is DefaultCache
	Log            string       `toml:"log"`           // debug, info, warn or error
	Ready          func(Ready)  `toml:"-"`             // told once everything listens; may be nil
	Logger         *slog.Logger `toml:"-"`
	Version        string       `toml:"-"` // of the program, with its commit
}

// Ready says where a started node listens.
type Ready struct {
	RPC         string   // ws://127.0.0.1:9944
	P2P         []string // multiaddresses with the peer identity
	Metrics     string   // http://127.0.0.1:9615/metrics; empty if there are none
	GenesisHash string
}

// The ports of peer-to-peer, unless others are asked for. If they are taken, the
// node picks free ones: they need not be known.
const (
	defaultPort   = 30333
	defaultWSPort = 30334
)

// Default is the configuration of a node whose operator says nothing.
func Default() Config {
	return Config{
		Chain: "dev", BasePath: defaultBasePath(), RPCPort: 9944, RPCMethods: "auto", RPCMaxConns: 100, PrometheusPort: 9615,
		Port: defaultPort, WSPort: defaultWSPort, OutPeers: 8, InPeers: 32, InPeersLight: 100,
		StatePruning: "256", Log: "info",
	}
}

func defaultBasePath() string {
	dir, err := os.UserHomeDir()
	if err != nil {
		dir = "."
	}
	return filepath.Join(dir, ".local", "share", "crust")
}

// LoadFile reads a configuration file over c. Unknown keys are errors.
func (c *Config) LoadFile(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	d := toml.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err = d.Decode(c)
	var strict *toml.StrictMissingError
	switch {
	case errors.As(err, &strict):
		return fmt.Errorf("configuration %s: unknown key %q; the keys are the flags of `crust node --help` without dashes in front", path, strings.Join(strict.Errors[0].Key(), "."))
	case err != nil && !errors.Is(err, io.EOF):
		return fmt.Errorf("configuration %s: %w", path, err)
	}
	return nil
}

// Validate reports settings that cannot be, with what to do about them.
func (c *Config) Validate() error {
	if !slices.Contains([]string{"auto", "safe", "unsafe"}, c.RPCMethods) {
		return fmt.Errorf("--rpc-methods is %q; use auto (unsafe methods only on 127.0.0.1), safe or unsafe", c.RPCMethods)
	}
	if _, _, err := c.pruning(); err != nil {
		return err
	}
	if c.RPCMaxConns < 1 {
		return errors.New("--rpc-max-connections must be at least 1")
	}
	if c.Cache < 0 || c.Cache > maxCache {
		return fmt.Errorf("--cache is %d; use MiB up to %d, or 0 for a sixteenth of the machine's memory", c.Cache, maxCache)
	}
	_, err := logLevel(c.Log)
	return err
}

// maxCache is the most that makes sense to ask for, in MiB: 1 TiB.
const maxCache = 1 << 20

// cacheBytes is what Cache means.
func (c *Config) cacheBytes() int {
	if c.Cache == 0 {
		return DefaultCache()
	}
	return c.Cache << 20
}

// pruning is what StatePruning means.
func (c *Config) pruning() (archive bool, keep uint32, err error) {
	if c.StatePruning == "archive" {
		return true, 0, nil
	}
	n, err := strconv.ParseUint(c.StatePruning, 10, 32)
	if err != nil || n == 0 {
		return false, 0, fmt.Errorf("--state-pruning is %q; use archive, or the number of finalised blocks whose state is kept", c.StatePruning)
	}
	return false, uint32(n), nil
}

// allowUnsafe reports whether RPC offers methods that could harm the node.
func (c *Config) allowUnsafe() bool {
	return c.RPCMethods == "unsafe" || c.RPCMethods == "auto" && !c.RPCExternal
}

func logLevel(s string) (slog.Level, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(s)); err != nil {
		return 0, fmt.Errorf("--log is %q; use debug, info, warn or error", s)
	}
	return l, nil
}
