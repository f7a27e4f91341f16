package ipfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/crustgo/crust/client"
	clientmarket "github.com/crustgo/crust/client/market"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/market"
	"github.com/crustgo/crust/dsm/picker"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/mpow/worker/reporter"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/types"
)

// listing is an order as the chain has it.
type listing struct {
	market.FileInfo
	market.Order
}

// order reads an order at a block; false if there is none.
func order(ctx context.Context, c *client.Client, at types.Hash, file string) (l listing, ok bool, err error) {
	if l.FileInfo, ok, err = client.QueryAs[market.FileInfo](ctx, c, at, "Market", "FilesV2", metadata.Bytes(file)); err != nil || !ok {
		return l, false, err
	}
	l.Order, _, err = client.QueryAs[market.Order](ctx, c, at, "Market", "Orders", metadata.Bytes(file))
	return l, true, err
}

// Holders are the endpoints of the nodes that hold a file now, as far as they have told the
// chain. The file is named by its canonical CID.
func Holders(ctx context.Context, c *client.Client, file string) (list []engine.Endpoint, err error) {
	s, err := clientmarket.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	replicas, err := s.Replicas(ctx, file)
	for _, r := range replicas {
		if r.Endpoint != nil {
			list = append(list, EndpointOf(r.Endpoint))
		}
	}
	return list, err
}

// EndpointOf is an endpoint that the chain publishes, as the engine has it.
func EndpointOf(published *clientmarket.Endpoint) engine.Endpoint {
	p := engine.Endpoint{Peer: published.Peer}
	for _, a := range published.Addresses {
		p.Addresses = append(p.Addresses, a)
	}
	return p
}

// groups are the groups of the network with what they counted at the latest recount, and
// whose group the member is in; itself if it is in none.
func groups(ctx context.Context, c *client.Client, at types.Hash, member types.AccountID) (list []picker.Group, owner types.AccountID, err error) {
	owner = member
	for e, err := range c.QueryAll(ctx, at, "Swork", "Groups") {
		if err != nil {
			return nil, owner, err
		}
		g := picker.Group{}
		if len(e.Keys) != 1 || metadata.Unmarshal(e.Keys[0], &g.Owner) != nil {
			return nil, owner, errors.New("Swork.Groups: a key that is no account")
		}
		var members []types.AccountID
		if v, ok := metadata.Get(e.Value, "members"); !ok || metadata.Unmarshal(v, &members) != nil {
			return nil, owner, errors.New("Swork.Groups: no members")
		}
		for _, m := range members {
			g.Members = append(g.Members, picker.Member{Account: m, Weight: 1}) // the chain counts groups, not members
			if m == member {
				owner = g.Owner
			}
		}
		count, _, err := client.QueryAs[swork.Count](ctx, c, at, "Swork", "Counts", g.Owner)
		if err != nil {
			return nil, owner, err
		}
		g.Weight = max(count.Last.Free.Lo, count.Next.Free.Lo)
		list = append(list, g)
	}
	return list, owner, nil
}

// touched are the files that the events of a block say something of; placed has those
// that were ordered in it, removed those that have lost a replica.
func touched(events []metadata.Event) (files []string, placed, removed map[string]bool, recounted bool) {
	placed, removed = map[string]bool{}, map[string]bool{}
	for i := range events {
		e := &events[i]
		if e.Is("Swork", "RecountPublished") || e.Is("Swork", "JoinGroupSuccess") || e.Is("Swork", "QuitGroupSuccess") || e.Is("Swork", "KickOutSuccess") {
			recounted = true
		}
		if e.Pallet != "Market" {
			continue
		}
		v, ok := e.Member("cid")
		if !ok {
			continue
		}
		b, ok := v.(metadata.Bytes)
		if !ok {
			continue
		}
		file := string(b)
		files = append(files, file)
		placed[file] = placed[file] || e.Name == "FileSuccess"
		removed[file] = removed[file] || e.Name == "ReplicaRemoved"
	}
	return files, placed, removed, recounted
}

// memo is what the orders of a file in a block say of where it is.
func memo(ctx context.Context, c *client.Client, number types.BlockNumber, file string) (string, error) {
	at, err := c.BlockHash(ctx, number)
	if err != nil {
		return "", err
	}
	b, err := c.Block(ctx, at)
	if err != nil {
		return "", err
	}
	rt, err := c.RuntimeAt(ctx, at)
	if err != nil {
		return "", err
	}
	var found string
	for _, xt := range b.Body {
		call, err := rt.CallOf(xt)
		if err != nil {
			continue // not of this runtime's making
		}
		memoIn(call, file, 8, &found)
	}
	return found, nil
}

// memoIn looks for orders of a file in a call and in the calls that it has as arguments.
func memoIn(v metadata.Value, file string, depth int, found *string) {
	if depth == 0 {
		return
	}
	switch v := v.(type) {
	case metadata.Variant:
		if v.Name == "Market.place_storage_order" {
			text, _ := metadata.Get(v.Value, "cid")
			note, _ := metadata.Get(v.Value, "memo")
			named, ok := text.(metadata.Bytes)
			c, err := dag.Parse(string(named))
			if b, isBytes := note.(metadata.Bytes); ok && isBytes && err == nil && c.String() == file {
				*found += " " + string(b)
			}
			return
		}
		memoIn(v.Value, file, depth-1, found)
	case metadata.List:
		for _, x := range v {
			memoIn(x, file, depth-1, found)
		}
	case metadata.Record:
		for _, x := range v {
			memoIn(x.Value, file, depth-1, found)
		}
	}
}

// publish has the chain tell where the node is, once its worker is registered, and
// looks from time to time whether it still does.
func publish(ctx context.Context, n *reporter.Node, seed [32]byte, p engine.Endpoint, log *slog.Logger) error {
	const soon, later = 2 * time.Second, 5 * time.Minute
	for wait := soon; ; {
		done, err := published(ctx, n, seed, p)
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warn("the chain does not tell where this node serves files; other nodes find it only by an order that names it", "error", err)
			wait = later
		case done:
			wait = later
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// published reports whether the chain has the endpoint, and tells it if not.
func published(ctx context.Context, n *reporter.Node, seed [32]byte, p engine.Endpoint) (bool, error) {
	c, account := n.Client(), n.Account()
	has, ok, err := client.QueryAs[swork.Endpoint](ctx, c, client.Best, "Swork", "Endpoints", account)
	if err != nil {
		return false, err
	}
	if ok && bytes.Equal(has.Peer, p.Peer) && equal(has.Addresses, p.Addresses) {
		return true, nil
	}
	if _, ok, err := c.QueryRaw(ctx, client.Best, "Swork", "Records", account); err != nil || !ok {
		return false, err // it has to be registered first
	}
	if len(p.Addresses) == 0 {
		return false, errors.New("it listens nowhere that the chain could tell; see --swarm-addr")
	}
	addresses := metadata.List{}
	for _, a := range p.Addresses {
		addresses = append(addresses, metadata.Bytes(a))
	}
	signature := ed25519.FromSeed(seed).Sign(swork.EndpointMessage(c.Genesis(), account, p.Addresses))
	call, err := c.Metadata().EncodeCall("Swork", "set_endpoint", metadata.Record{
		{Name: "peer", Value: metadata.Bytes(p.Peer)}, {Name: "addresses", Value: addresses}, {Name: "signature", Value: metadata.Bytes(signature[:])}})
	if err != nil {
		return false, err
	}
	if err := n.Signed(ctx, call); err != nil {
		return false, fmt.Errorf("set_endpoint: %w", err)
	}
	return true, nil
}

func equal(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}
