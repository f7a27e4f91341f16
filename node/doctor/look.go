package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/substrate/types"
)

// Config says where to look.
type Config struct {
	Roles     []Role
	URL       string   // RPC of the chain node
	BasePaths []string // of the nodes; none: those are not looked at
	Disks     []string // for sealed data, beside those that the storage node tells
	Reserve   uint64   // bytes of each disk that stay free
	API       string   // local interface of the storage node: http://127.0.0.1:12222
	Gateway   string   // address of the gateway: http://127.0.0.1:8080
	Account   string   // who pays for the storage node, or the gateway; of the former its interface tells
	Stash     string   // of the validator
	// Validator tells how the stash stands; what needs the staking state is known elsewhere.
	Validator func(ctx context.Context, c *client.Client, stash string) (ValidatorFacts, types.AccountID, error)
}

// Has reports whether a role is looked at.
func (c *Config) Has(r Role) bool { return slices.Contains(c.Roles, r) }

// timeout bounds every question.
const timeout = 10 * time.Second

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// Look finds out all that the roles want known. It takes as long as what does not answer:
// some seconds for each.
func Look(ctx context.Context, cfg Config) *Facts {
	f := &Facts{}
	c := f.lookNode(ctx, &cfg)
	if c != nil {
		defer c.Close()
	}
	account := cfg.Account
	if cfg.Has(StorageNode) {
		account = f.lookStorage(ctx, &cfg, account)
	}
	if cfg.Has(Gateway) {
		f.lookGateway(ctx, &cfg)
	}
	for _, dir := range cfg.BasePaths {
		f.Folders = append(f.Folders, folder(dir, false, 0))
		f.Secrets = append(f.Secrets, secrets(dir)...)
	}
	for _, dir := range cfg.Disks {
		if !slices.ContainsFunc(f.Folders, func(d Folder) bool { return d.Disk && d.Path == dir }) {
			f.Folders = append(f.Folders, folder(dir, true, cfg.Reserve))
		}
	}
	if c != nil {
		f.lookChain(ctx, &cfg, c, account)
	}
	return f
}

// lookNode asks the chain node.
func (f *Facts) lookNode(ctx context.Context, cfg *Config) *client.Client {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	n := &NodeFacts{URL: cfg.URL}
	f.Node = n
	c, err := client.Dial(ctx, cfg.URL, client.Config{})
	if err != nil {
		err = fmt.Errorf("%s: %w", cfg.URL, last(err))
	} else {
		if err = n.ask(ctx, c); err != nil {
			c.Close()
		}
	}
	f.Now = time.Now()
	if err == nil {
		n.Halted = halted(ctx, cfg.URL)
		return c
	}
	n.Error = err.Error()
	if cfg.Has(ChainNode) || cfg.Has(Validator) {
		if port, ok := localPort(cfg.URL); ok {
			f.ports(Port{Number: port, What: "of RPC (--rpc-port)"}, Port{Number: 30333, What: "of peers (--port)"}, Port{Number: 30334, What: "of peers over WebSocket (--ws-port)"},
				Port{Number: 9615, What: "of metrics (--prometheus-port)"})
		}
	}
	return nil
}

// ask fills in what the node says.
func (n *NodeFacts) ask(ctx context.Context, c *client.Client) error {
	n.Chain, n.Format = c.Chain(), c.Format()
	var health struct {
		Peers           int  `json:"peers"`
		IsSyncing       bool `json:"isSyncing"`
		ShouldHavePeers bool `json:"shouldHavePeers"`
	}
	var sync struct {
		Highest uint32 `json:"highestBlock"`
	}
	var roles []string
	var kind json.RawMessage
	for _, q := range []struct {
		method string
		out    any
	}{{"system_health", &health}, {"system_chainType", &kind}, {"system_version", &n.Version}, {"system_nodeRoles", &roles}, {"system_syncState", &sync}} {
		if err := c.RPC().Call(ctx, q.method, nil, q.out); err != nil {
			return fmt.Errorf("%s: %w", q.method, err)
		}
	}
	if err := json.Unmarshal(kind, &n.Kind); err != nil {
		n.Kind = string(kind) // {"Custom": …}
	}
	n.Peers, n.Syncing, n.WantsPeers, n.Target = health.Peers, health.IsSyncing, health.ShouldHavePeers, sync.Highest
	n.Authority = slices.Contains(roles, "Authority")
	best, err := c.BestHash(ctx)
	if err != nil {
		return err
	}
	final, err := c.FinalizedHash(ctx)
	if err != nil {
		return err
	}
	for _, b := range []struct {
		at   types.Hash
		into *uint32
	}{{best, &n.Best}, {final, &n.Final}} {
		h, err := c.Header(ctx, b.at)
		if err != nil {
			return err
		}
		*b.into = uint32(h.Number)
	}
	if ms, ok := number(c.Query(ctx, best, "Timestamp", "Now")); ok && ms > 0 {
		n.BestTime = time.UnixMilli(int64(min(ms, 1<<62)))
	}
	if ms, ok := number(c.Constant("Babe", "ExpectedBlockTime")); ok {
		n.Slot = time.Duration(min(ms, 1<<32)) * time.Millisecond
	}
	return nil
}

// number is a value that was read, if it is a number; chains without it have none.
func number(v metadata.Value, err error) (uint64, bool) {
	if err != nil {
		return 0, false
	}
	b, ok := metadata.BigInt(v)
	if !ok || !b.IsUint64() {
		return 0, false
	}
	return b.Uint64(), true
}

// halted is why a node has stopped importing; nodes of others do not tell.
func halted(ctx context.Context, url string) string {
	var answer struct {
		Error string `json:"error"`
	}
	for ws, web := range map[string]string{"ws://": "http://", "wss://": "https://"} {
		if rest, ok := strings.CutPrefix(url, ws); ok {
			url = web + rest
			break
		}
	}
	if get(ctx, strings.TrimSuffix(url, "/")+"/health", &answer) == nil {
		return answer.Error
	}
	return ""
}

// get reads JSON, of good answers and of those that say what is wrong.
func get(ctx context.Context, url string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return last(err) // the address is told anyhow
	}
	defer a.Body.Close()
	b, err := io.ReadAll(io.LimitReader(a.Body, maxAnswer))
	if err != nil {
		return err
	}
	if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusServiceUnavailable {
		return fmt.Errorf("it answers %s: is it another program?", a.Status)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return errors.New("its answer is no JSON: is it another program?")
	}
	return nil
}

// localPort is the port of an address on this machine.
func localPort(url string) (uint16, bool) {
	_, rest, _ := strings.Cut(url, "://")
	host, port, err := net.SplitHostPort(strings.TrimRight(rest, "/"))
	if err != nil || host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return 0, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return uint16(n), err == nil && n > 0
}

// ports tries whether ports can be had.
func (f *Facts) ports(all ...Port) {
	for _, p := range all {
		if slices.ContainsFunc(f.Ports, func(q Port) bool { return q.Number == p.Number }) {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(p.Number))))
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			p.Error = last(err).Error()
		}
		f.Ports = append(f.Ports, p)
	}
}

// last is the innermost error: the reason without the way to it.
func last(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}

// lookStorage asks the storage node on this machine, and returns its account.
func (f *Facts) lookStorage(ctx context.Context, cfg *Config, account string) string {
	s := &StorageFacts{URL: cfg.API}
	f.Storage = s
	var health struct {
		Error string `json:"error"`
	}
	var load struct {
		Account string `json:"account"`
		Filler  struct {
			Target   uint64 `json:"targetBytes"`
			Complete uint64 `json:"completeBytes"`
			Proven   uint64 `json:"provenBytes"`
		} `json:"filler"`
		Free  uint64 `json:"freeBytes"`
		Chain struct {
			Best uint32 `json:"best"`
		} `json:"chain"`
	}
	var disks []struct {
		Dir   string `json:"dir"`
		Free  uint64 `json:"freeBytes"`
		Error string `json:"error"`
	}
	for path, out := range map[string]any{"/health": &health, "/workload": &load, "/disks": &disks} {
		if err := get(ctx, cfg.API+path, out); err != nil {
			s.Error = fmt.Sprintf("%s: %v", cfg.API, err)
		}
	}
	if s.Error != "" {
		if port, ok := localPort(cfg.API); ok {
			f.ports(Port{Number: port, What: "of the storage node's interface (--api-port)"}, Port{Number: 9616, What: "of metrics (--prometheus-port)"},
				Port{Number: 8080, What: "of its HTTP gateway (--gateway-port)"}, Port{Number: 4001, What: "of IPFS (--swarm-addr)"})
		}
		return account
	}
	s.Trouble, s.Target, s.Complete, s.Proven, s.Free, s.Best = health.Error, load.Filler.Target, load.Filler.Complete, load.Filler.Proven, load.Free, load.Chain.Best
	_, here := localPort(cfg.API)
	for _, d := range disks {
		one := Folder{Path: d.Dir, Disk: true, Free: d.Free}
		if here { // no other machine says where to write on this one
			one = folder(d.Dir, true, cfg.Reserve)
		}
		one.Failed = d.Error
		f.Folders = append(f.Folders, one)
	}
	return load.Account
}

// lookGateway asks the gateway.
func (f *Facts) lookGateway(ctx context.Context, cfg *Config) {
	g := &GatewayFacts{URL: cfg.Gateway}
	f.Gateway = g
	var health struct {
		Error, Chain, Finalized string
		Peers                   int
	}
	err := get(ctx, cfg.Gateway+"/health", &health)
	switch {
	case err != nil:
		g.Error = fmt.Sprintf("%s: %v", cfg.Gateway, err)
		if port, ok := localPort(cfg.Gateway); ok {
			f.ports(Port{Number: port, What: "of the gateway (--http-port)"}, Port{Number: 9617, What: "of metrics (--prometheus-port)"}, Port{Number: 4001, What: "of IPFS (--swarm-addr)"})
		}
	case health.Error != "":
		g.Error = fmt.Sprintf("%s: %s", cfg.Gateway, health.Error)
	case health.Chain == "":
		g.Error = fmt.Sprintf("%s is no gateway of this kind: is it another program?", cfg.Gateway)
	}
	g.Chain, g.Finalized, g.Peers = health.Chain, health.Finalized, health.Peers
}

// folder finds out whether a directory can be written to, by doing so.
func folder(dir string, sealed bool, reserve uint64) Folder {
	d := Folder{Path: dir, Disk: sealed, Reserve: reserve}
	_, avail, err := disk.Space(dir)
	if err == nil {
		d.Free, err = avail, try(dir)
	}
	if err != nil {
		d.Error = last(err).Error()
	}
	return d
}

// try writes a small file, has it reach the disk, and removes it.
func try(dir string) error {
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
}

// secretNames are the files below a base path that hold keys, of all nodes.
var secretNames = []string{"*.key", "enclave.state", "chains/*/*.key", "chains/*/keystore/*"}

// secrets finds the files with keys.
func secrets(dir string) (all []Secret) {
	for _, pattern := range secretNames {
		names, _ := fs.Glob(os.DirFS(dir), pattern) // the patterns are good
		for _, name := range names {
			if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
				all = append(all, Secret{filepath.Join(dir, name), info.Mode()})
			}
		}
	}
	return all
}
