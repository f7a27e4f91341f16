package devnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/client/staking"
	"github.com/crustgo/crust/dsm/w3auth"
	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/node/ipfs"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/ss58"
	"github.com/crustgo/crust/substrate/types"
)

// What the owner of a storage node's group locks, in CRU: behind the rewards of the
// files that it holds, and for free reports of files.
const (
	collateral  = 20_000
	reportFunds = 3_000
)

// planStorage says how storage nodes and gateways are started. Storage node i is in a
// group of validator i's stash.
func (c *Config) planStorage(f *File, network *runtime.Network) error {
	for i := range c.Storage {
		uri := fmt.Sprintf("//Storage//%d", i+1)
		network.Endowed = append(network.Endowed, uri)
		account, err := AccountOf(uri)
		if err != nil {
			return err
		}
		owner, err := AccountOf("//" + network.Validators[i] + "//stash")
		if err != nil {
			return err
		}
		name, port := fmt.Sprintf("storage-%d", i+1), c.port(c.Validators+i)
		dir := filepath.Join(c.BasePath, name)
		s := Storage{
			Process: c.process(name, port, "storage", "--chain", f.ChainSpec, "--node-url", f.Validators[i].RPC, "--base-path", dir, "--name", name, "--suri", uri,
				"--owner", ss58.Encode(ss58.CrustPrefix, owner), "--srd", c.SRD, "--swarm-addr", fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port+4),
				"--gateway-port", fmt.Sprint(port+5), "--api-port", fmt.Sprint(port+6)),
			Account: account, Owner: owner, Gateway: url(port + 5), API: url(port + 6),
		}
		if s.Swarm, err = swarm(dir, port); err != nil {
			return err
		}
		// They are the directory of the local network, which begins at the first.
		s.Command = append(s.Command, "--dht", ipfs.DirectoryServer)
		if i > 0 {
			s.Command = append(s.Command, "--dht-peer", f.Storage[0].Swarm[0])
		}
		f.Storage = append(f.Storage, s)
	}
	for i := range c.Gateways {
		name, port := fmt.Sprintf("gateway-%d", i+1), c.port(c.Validators+c.Storage+i)
		g := Gateway{
			Process: c.process(name, port, "gateway", "--node-url", f.Validators[i%c.Validators].RPC, "--base-path", filepath.Join(c.BasePath, name), "--suri", "//Gateway",
				"--swarm-addr", fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port+4), "--http-port", fmt.Sprint(port+5)),
			HTTP: url(port + 5), PSA: url(port+5) + "/psa",
		}
		if c.Storage > 0 {
			g.Command = append(g.Command, "--dht", ipfs.DirectoryClient, "--dht-peer", f.Storage[0].Swarm[0])
		}
		user, err := crypto.ParseURI("//User", crypto.Sr25519)
		if err != nil {
			return err
		}
		if g.Token, err = w3auth.Token(user, "", 0); err != nil {
			return err
		}
		if g.Swarm, err = swarm(filepath.Join(c.BasePath, name), port); err != nil {
			return err
		}
		f.Gateways = append(f.Gateways, g)
	}
	if c.Gateways > 0 {
		network.Endowed = append(network.Endowed, "//Gateway")
	}
	return nil
}

// swarm is where a process serves IPFS, with the peer id that it will have.
func swarm(dir string, port int) ([]string, error) {
	id, err := node.PeerID(filepath.Join(dir, ipfs.KeyFile))
	if err != nil {
		return nil, err
	}
	return []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", port+4, id)}, nil
}

func url(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }

// port is the first port of process i of the network.
func (c *Config) port(i int) int { return int(c.BasePort) + portsPerNode*i }

// AccountOf is the account of a secret URI.
func AccountOf(uri string) (types.AccountID, error) {
	pair, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		return types.AccountID{}, err
	}
	return pair.Account(), nil
}

// startStorage makes the groups of the storage nodes, starts them and waits until all answer.
func (r *runner) startStorage(ctx context.Context) error {
	c, err := client.Dial(ctx, r.file.Validators[0].RPC, client.Config{})
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range r.file.Storage {
		s := &r.file.Storage[i]
		if err := r.openGroup(ctx, c, i); err != nil {
			return fmt.Errorf("the group of %s: %w", s.Name, err)
		}
		if err := r.start(&s.Process); err != nil {
			return err
		}
	}
	for i := range r.file.Storage {
		s := &r.file.Storage[i]
		if err := r.await(ctx, &s.Process, "registration", func(ctx context.Context) (bool, error) { return registered(ctx, s.API+"/health") }); err != nil {
			return err
		}
	}
	return nil
}

// openGroup makes a validator's stash the owner of a group that storage node i may
// join, with funds, all in one transaction; unless an earlier run did.
func (r *runner) openGroup(ctx context.Context, c *client.Client, i int) error {
	s := &r.file.Storage[i]
	stash := runtime.Devnet(r.Validators).Validators[i]
	owner, err := crypto.ParseURI("//"+stash+"//stash", crypto.Sr25519)
	if err != nil {
		return err
	}
	if _, ok, err := c.QueryRaw(ctx, client.Best, "Swork", "Groups", s.Owner); err != nil || ok {
		return err
	}
	fund := func(kind string, cru int) metadata.Value {
		return staking.Call("Benefits.add_benefit_funds", metadata.Record{{Name: "value", Value: fmt.Sprintf("%dCRU", cru)}, {Name: "funds_type", Value: metadata.Variant{Name: kind, Bare: true}}})
	}
	xt, err := c.Sign(ctx, staking.Batch("batch_all", metadata.List{
		metadata.Variant{Name: "Swork.create_group", Bare: true},
		staking.Call("Swork.add_member_into_allowlist", metadata.Record{{Name: "target", Value: s.Account}}),
		fund("MARKET", collateral), fund("SWORK", reportFunds),
	}), owner, client.SignOptions{})
	if err != nil {
		return err
	}
	done, err := c.SubmitAndWait(ctx, xt, client.InBlock, nil)
	if err == nil && done.Err != nil {
		err = done.Err
	}
	return err
}

// startGateways starts the gateways and waits until all answer.
func (r *runner) startGateways(ctx context.Context) error {
	for i := range r.file.Gateways {
		g := &r.file.Gateways[i]
		if err := r.start(&g.Process); err != nil {
			return err
		}
		if err := r.await(ctx, &g.Process, "answer", func(ctx context.Context) (bool, error) { return answers(ctx, g.HTTP+"/health") }); err != nil {
			return err
		}
	}
	return nil
}

// registered reports whether a storage node says that the chain knows its enclave.
func registered(ctx context.Context, url string) (ok bool, err error) {
	var health struct{ Registered bool }
	_, err = ask(ctx, url, &health)
	return health.Registered, err
}

// answers reports whether a server says that it is well.
func answers(ctx context.Context, url string) (bool, error) { return ask(ctx, url, nil) }

// ask reads what a server answers, and reports whether it was well.
func ask(ctx context.Context, url string, into any) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, err
	}
	if into != nil {
		err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(into)
	}
	return resp.StatusCode == http.StatusOK, errors.Join(err, resp.Body.Close())
}
