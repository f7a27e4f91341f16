package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/ss58"
	"github.com/crustgo/crust/substrate/types"
)

// Config adjusts a Client. The zero value is usable.
type Config struct {
	RPC jsonrpc.Config // limits of the connection
	// ReadFile reads the file that an argument "@file" names; nil forbids them.
	ReadFile func(name string) ([]byte, error)
}

// Best is the block argument that stands for the node's best block.
var Best types.Hash

// Version identifies a runtime.
type Version struct {
	SpecName           string `json:"specName"`
	ImplName           string `json:"implName"`
	SpecVersion        uint32 `json:"specVersion"`
	ImplVersion        uint32 `json:"implVersion"`
	TransactionVersion uint32 `json:"transactionVersion"`
}

// Runtime is one version of the chain's rules.
type Runtime struct {
	Version  Version
	Metadata *metadata.Metadata
}

// maxRuntimes bounds how many versions a Client remembers; queries of old blocks
// may meet many.
const maxRuntimes = 16

// Client is a connection to one node.
type Client struct {
	rpc     *jsonrpc.Client
	genesis types.Hash
	chain   string
	format  metadata.Format

	mu       sync.Mutex // guards the fields below
	current  *Runtime
	runtimes map[uint32]*Runtime // by spec version
}

// Dial connects to a ws, wss, http or https address and reads what the chain
// says about itself. Subscriptions, and so watching transactions, need ws or wss.
func Dial(ctx context.Context, url string, cfg Config) (*Client, error) {
	rpc, err := jsonrpc.Dial(ctx, url, cfg.RPC)
	if err != nil {
		return nil, err
	}
	c := &Client{rpc: rpc, runtimes: map[uint32]*Runtime{}}
	if err := c.introduce(ctx, cfg); err != nil {
		rpc.Close()
		return nil, err
	}
	return c, nil
}

func (c *Client) introduce(ctx context.Context, cfg Config) error {
	var genesis jsonrpc.Hex
	var props properties
	var v Version
	requests := []*jsonrpc.Request{
		{Method: "chain_getBlockHash", Params: []any{uint64(0)}, Out: &genesis},
		{Method: "system_chain", Out: &c.chain},
		{Method: "system_properties", Out: &props},
		{Method: "state_getRuntimeVersion", Out: &v},
	}
	if err := c.batch(ctx, requests); err != nil {
		return err
	}
	if len(genesis) != len(c.genesis) {
		return fmt.Errorf("the node's genesis hash has %d bytes", len(genesis))
	}
	c.genesis = types.Hash(genesis)
	c.format = props.format(cfg.ReadFile)
	rt, err := c.load(ctx, v, Best)
	if err != nil {
		return err
	}
	if props.SS58Format.n == nil { // then the runtime may say
		prefix := ss58.GenericPrefix
		if v, err := constant(rt, "System", "SS58Prefix"); err == nil {
			if n, ok := v.(uint64); ok && n <= uint64(ss58.MaxPrefix) {
				prefix = uint16(n)
			}
		}
		c.format.Prefix = prefix
		rt.Metadata.Format = c.format // nobody else has seen it yet
	}
	c.current = rt
	return nil
}

// batch sends requests together and returns the first error of any.
func (c *Client) batch(ctx context.Context, requests []*jsonrpc.Request) error {
	if err := c.rpc.Batch(ctx, requests); err != nil {
		return err
	}
	for _, r := range requests {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// properties is the answer of system_properties. Chains with several currencies
// answer with lists, of which the first entry counts.
type properties struct {
	SS58Format    first[uint16] `json:"ss58Format"`
	TokenSymbol   first[string] `json:"tokenSymbol"`
	TokenDecimals first[uint8]  `json:"tokenDecimals"`
}

type first[T any] struct{ n *T }

func (f *first[T]) UnmarshalJSON(b []byte) error {
	var list []T
	if err := json.Unmarshal(b, &list); err == nil {
		if len(list) > 0 {
			f.n = &list[0]
		}
		return nil
	}
	var one *T
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	f.n = one
	return nil
}

// maxDecimals bounds the size of a unit: amounts have at most 39 digits.
const maxDecimals = 36

func (p *properties) format(readFile func(string) ([]byte, error)) metadata.Format {
	f := metadata.Format{ReadFile: readFile}
	if n := p.SS58Format.n; n != nil {
		f.Prefix = min(*n, ss58.MaxPrefix)
	}
	if s, d := p.TokenSymbol.n, p.TokenDecimals.n; s != nil && d != nil && *d <= maxDecimals && isSymbol(*s) {
		f.Symbol, f.Decimals = *s, *d
	}
	return f
}

// isSymbol keeps what a node calls its currency from being anything but a word.
func isSymbol(s string) bool {
	for _, r := range s {
		if r < 'A' || r > 'Z' && r < 'a' || r > 'z' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 12
}

// Close ends the connection and every subscription on it.
func (c *Client) Close() { c.rpc.Close() }

// RPC is the connection, for methods that have no function here.
func (c *Client) RPC() *jsonrpc.Client { return c.rpc }

// Genesis is the hash of block 0, which identifies the chain.
func (c *Client) Genesis() types.Hash { return c.genesis }

// Chain is the chain's name.
func (c *Client) Chain() string { return c.chain }

// Format says how accounts and amounts are written on this chain.
func (c *Client) Format() metadata.Format { return c.format }

// Runtime is the newest runtime that the client has met.
func (c *Client) Runtime() *Runtime {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

// Metadata describes the newest runtime that the client has met.
func (c *Client) Metadata() *metadata.Metadata { return c.Runtime().Metadata }

// RuntimeAt is the runtime of a block.
func (c *Client) RuntimeAt(ctx context.Context, at types.Hash) (*Runtime, error) {
	var v Version
	if err := c.rpc.Call(ctx, "state_getRuntimeVersion", atParams(at), &v); err != nil {
		return nil, err
	}
	return c.runtime(ctx, v, at)
}

// runtime returns a version that is remembered, or loads it.
func (c *Client) runtime(ctx context.Context, v Version, at types.Hash) (*Runtime, error) {
	c.mu.Lock()
	rt := c.runtimes[v.SpecVersion]
	c.mu.Unlock()
	if rt == nil || rt.Version != v {
		var err error
		if rt, err = c.load(ctx, v, at); err != nil {
			return nil, err
		}
	}
	if at == Best {
		c.mu.Lock()
		c.current = rt
		c.mu.Unlock()
	}
	return rt, nil
}

// load reads the metadata of a block's runtime: V15 if there is, V14 otherwise.
func (c *Client) load(ctx context.Context, v Version, at types.Hash) (*Runtime, error) {
	blob, err := c.metadata15(ctx, at)
	if err != nil {
		return nil, err
	}
	if blob == nil {
		var raw jsonrpc.Hex
		if err := c.rpc.Call(ctx, "state_getMetadata", atParams(at), &raw); err != nil {
			return nil, err
		}
		blob = raw
	}
	m, err := metadata.Parse(blob, c.format)
	if err != nil {
		return nil, err
	}
	rt := &Runtime{v, m}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.runtimes) >= maxRuntimes {
		clear(c.runtimes)
	}
	c.runtimes[v.SpecVersion] = rt
	return rt, nil
}

// metadata15 returns nil if the runtime does not write V15.
func (c *Client) metadata15(ctx context.Context, at types.Hash) ([]byte, error) {
	out, err := c.CallRaw(ctx, at, "Metadata_metadata_at_version", []byte{15, 0, 0, 0})
	if _, answered := errors.AsType[*jsonrpc.Error](err); answered {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cur := scale.NewCursor(out)
	if cur.Tag(2) == 0 {
		return nil, nil
	}
	blob := cur.Bytes(metadata.MaxBytes)
	if err := cur.Finish(); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return blob, nil
}

// atParams are the trailing parameters of a method that takes a block.
func atParams(at types.Hash, before ...any) []any {
	if at == Best {
		return before
	}
	return append(before, at.String())
}
