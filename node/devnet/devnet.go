package devnet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/chainspec"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee/dev"
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
	r := &runner{Config: c, file: file, group: lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)}
	for i := range file.Validators {
		if err := r.start(&file.Validators[i].Process); err != nil {
			r.group.Stop()
			return errors.Join(err, r.group.Wait())
		}
	}
	r.group.Go("start", r.bringUp)
	return r.group.Wait()
}

// runner runs the processes of a network.
type runner struct {
	Config
	file  *File
	group *lifecycle.Group
	ended sync.Map // of *Process: the error with which it ended by itself
}

// start starts a process and watches it. One that ends by itself does not stop the others.
func (r *runner) start(n *Process) error {
	p, err := start(n)
	if err != nil {
		return err
	}
	r.group.Go(n.Name, func(ctx context.Context) error {
		err := p.watch(ctx)
		if ctx.Err() == nil {
			r.ended.Store(n, fmt.Sprint(err))
			r.say("%s has stopped (%v); the others go on. Its log is %s", n.Name, err, n.Log)
			return nil
		}
		return err
	})
	return nil
}

// bringUp waits for the validators, starts what needs them, and says where everything is.
func (r *runner) bringUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errTimeout)
	defer cancel()
	err := r.awaitValidators(ctx)
	if err == nil && len(r.file.Storage) > 0 {
		err = r.startStorage(ctx)
	}
	if err == nil && len(r.file.Gateways) > 0 {
		err = r.startGateways(ctx)
	}
	switch {
	case err == nil:
		return r.announce()
	case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errTimeout):
		return nil // the network is stopped
	}
	return err
}

var errTimeout = errors.New("timeout")

// await asks until a process answers as it should, or has ended.
func (r *runner) await(ctx context.Context, p *Process, what string, ask func(context.Context) (bool, error)) error {
	for {
		ok, err := ask(ctx)
		if err == nil && ok {
			return nil
		}
		if why, ok := r.ended.Load(p); ok {
			return fmt.Errorf("%s ended at its start (%v): %s; its log is %s", p.Name, why, lastLine(p.Log), p.Log)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s has no %s after %v (%v); its log is %s", p.Name, what, startTimeout, err, p.Log)
		case <-time.After(pollInterval):
		}
	}
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
		ChainSpec: filepath.Join(c.BasePath, specName), BlockSeconds: float64(network.Preset.SlotDuration) / 1000, ReportSlotBlocks: uint32(network.Preset.Storage.ReportSlot),
		Accounts: map[string]string{"faucet": "//Faucet", "user": "//User"},
	}
	if err := c.sameAsBefore(); err != nil {
		return nil, err
	}
	var err error
	if network.Authority, err = c.authority(f.ChainSpec); err != nil {
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
	if err := c.planStorage(f, &network); err != nil {
		return nil, err
	}
	return f, makeSpec(f.ChainSpec, network, bootnodes)
}

// AuthorityFile is the name of the file, beside the chain's specification, with the seed of
// the authority that attests the network's development enclaves.
const AuthorityFile = "dev-ca"

// authority is the seed that the file has. A new network draws one of its own; an old one
// without the file has that which everybody knows.
func (c *Config) authority(spec string) (seed [32]byte, err error) {
	path := filepath.Join(c.BasePath, AuthorityFile)
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		if seed, err = dev.ParseSeed(string(text)); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
		return seed, err
	case !errors.Is(err, fs.ErrNotExist):
		return seed, err
	}
	if _, err := os.Stat(spec); err == nil {
		return dev.DevelopmentSeed(), nil
	}
	if _, err := rand.Read(seed[:]); err != nil {
		return seed, err
	}
	return seed, os.WriteFile(path, []byte(hex.EncodeToString(seed[:])+"\n"), 0o600)
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
	if n := len(old.Storage); n != c.Storage {
		return fmt.Errorf("%s holds a network of %d storage nodes, not %d; use --storage %d, or another --base-path", c.BasePath, n, c.Storage, n)
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

// lastLine is the end of a log, where a process says why it stopped.
func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	text := strings.TrimSpace(string(b))
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// awaitValidators waits until every validator answers and has seen a final block.
func (r *runner) awaitValidators(ctx context.Context) error {
	for i := range r.file.Validators {
		n := &r.file.Validators[i]
		err := r.await(ctx, &n.Process, "final block", func(ctx context.Context) (bool, error) {
			genesis, final, err := probe(ctx, n.RPC)
			r.file.GenesisHash = genesis
			return final > 0, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// announce writes devnet.json and says where everything is.
func (r *runner) announce() error {
	b, err := json.MarshalIndent(r.file, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(r.BasePath, FileName)
	if err := writeFile(path, append(b, '\n')); err != nil {
		return err
	}
	r.say("network is ready: %s, genesis %s", r.parts(), r.file.GenesisHash)
	for _, n := range r.file.Validators {
		r.say("  %-12s %s  %s", n.Name, n.RPC, n.P2P[0])
	}
	for _, s := range r.file.Storage {
		r.say("  %-12s %s  %s", s.Name, s.API, s.Gateway)
	}
	for _, g := range r.file.Gateways {
		r.say("  %-12s %s  %s", g.Name, g.HTTP, g.PSA)
	}
	r.say("details in %s; Ctrl-C stops it", path)
	return nil
}

// parts names what the network is made of.
func (r *runner) parts() string {
	parts := fmt.Sprintf("%d validators", len(r.file.Validators))
	if n := len(r.file.Storage); n > 0 {
		parts += fmt.Sprintf(", %d storage nodes", n)
	}
	if n := len(r.file.Gateways); n > 0 {
		parts += fmt.Sprintf(", %d gateways", n)
	}
	return parts
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
