package devnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/types"
)

// Times of a network's life.
const (
	startTimeout = 60 * time.Second       // until every node answers and a block is final
	pollInterval = 100 * time.Millisecond // between two questions to a node that starts
	stopTimeout  = 20 * time.Second       // after which a node that does not stop is killed
)

// Run starts the network and runs it until ctx ends.
func Run(ctx context.Context, c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	var err error
	if c.BasePath, err = filepath.Abs(c.BasePath); err != nil {
		return err
	}
	file, err := c.prepare()
	if err != nil {
		return err
	}
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	for i := range file.Validators {
		p, err := start(&file.Validators[i])
		if err != nil {
			g.Stop()
			return errors.Join(err, g.Wait())
		}
		g.Go(p.node.Name, func(ctx context.Context) error {
			err := p.watch(ctx)
			if ctx.Err() == nil {
				c.say("%s has stopped (%v); the others go on. Its log is %s", p.node.Name, err, p.node.Log)
				return nil
			}
			return err
		})
	}
	g.Go("start", func(ctx context.Context) error { return c.await(ctx, file) })
	return g.Wait()
}

func (c *Config) say(format string, args ...any) {
	if c.Out != nil {
		fmt.Fprintf(c.Out, format+"\n", args...)
	}
}

// prepare makes what the network needs on disk, or finds it there.
func (c *Config) prepare() (*File, error) {
	if err := os.MkdirAll(c.BasePath, 0o755); err != nil {
		return nil, fmt.Errorf("%w; choose another directory with --base-path", err)
	}
	network := runtime.Devnet(c.Validators)
	f := &File{
		ChainSpec: filepath.Join(c.BasePath, specName), BlockSeconds: float64(network.Preset.SlotDuration) / 1000,
		Accounts: map[string]string{"faucet": "//Faucet", "user": "//User"},
	}
	if err := c.sameAsBefore(); err != nil {
		return nil, err
	}
	var bootnodes []string
	for i, name := range network.Validators {
		n, err := c.plan(i, name)
		if err != nil {
			return nil, err
		}
		f.Validators = append(f.Validators, n)
		bootnodes = append(bootnodes, n.P2P...)
	}
	return f, makeSpec(f.ChainSpec, network, bootnodes)
}

// sameAsBefore refuses to continue a network with another number of validators.
func (c *Config) sameAsBefore() error {
	old, err := Load(c.BasePath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if n := len(old.Validators); n != c.Validators {
		return fmt.Errorf("%s holds a network of %d validators, not %d; use --validators %d, or another --base-path", c.BasePath, n, c.Validators, n)
	}
	return nil
}

// Load reads the devnet.json of a base path.
func Load(basePath string) (*File, error) {
	b, err := os.ReadFile(filepath.Join(basePath, FileName))
	if err != nil {
		return nil, err
	}
	f := new(File)
	if err := json.Unmarshal(b, f); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(basePath, FileName), err)
	}
	return f, nil
}

// makeSpec writes the raw chain specification with the nodes' addresses. The
// genesis of a network that ran before stays what it is.
func makeSpec(path string, network runtime.Network, bootnodes []string) error {
	spec, err := network.Spec()
	if err != nil {
		return err
	}
	switch old, err := os.ReadFile(path); {
	case err == nil:
		if spec, err = chainspec.Parse(old); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if _, spec, err = runtime.Load(spec); err != nil {
		return err
	}
	spec.BootNodes = bootnodes
	b, err := spec.Encode()
	if err != nil {
		return err
	}
	return writeFile(path, b)
}

// writeFile writes a file that is either there as a whole or not at all.
func writeFile(path string, b []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// await waits until every node answers and has seen a final block, and says so.
func (c *Config) await(ctx context.Context, f *File) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("timeout"))
	defer cancel()
	for i := range f.Validators {
		n := &f.Validators[i]
		for {
			genesis, final, err := probe(ctx, n.RPC)
			if err == nil && final > 0 {
				f.GenesisHash = genesis
				break
			}
			select {
			case <-ctx.Done():
				if errors.Is(context.Cause(ctx), context.Canceled) {
					return nil // the network is stopped
				}
				return fmt.Errorf("%s has no final block after %v (%v); its log is %s", n.Name, startTimeout, err, n.Log)
			case <-time.After(pollInterval):
			}
		}
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(c.BasePath, FileName)
	if err := writeFile(path, append(b, '\n')); err != nil {
		return err
	}
	c.say("network is ready: %d validators, genesis %s", len(f.Validators), f.GenesisHash)
	for _, n := range f.Validators {
		c.say("  %-12s %s  %s", n.Name, n.RPC, strings.Join(n.P2P[:1], " "))
	}
	c.say("details in %s; Ctrl-C stops it", path)
	return nil
}

// probe asks a node for its genesis hash and the number of its last final block.
func probe(ctx context.Context, url string) (genesis string, final uint32, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := jsonrpc.Dial(ctx, url, jsonrpc.Config{})
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	var head types.Hash
	var header struct {
		Number string `json:"number"`
	}
	err = conn.Call(ctx, "chain_getBlockHash", []any{0}, &genesis)
	if err == nil {
		err = conn.Call(ctx, "chain_getFinalizedHead", nil, &head)
	}
	if err == nil {
		err = conn.Call(ctx, "chain_getHeader", []any{head}, &header)
	}
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(header.Number, 0, 32)
	return genesis, uint32(n), err
}
