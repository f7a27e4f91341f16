package routing

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/crustgo/crust/mpow/dag"
)

// Delegates are servers that are asked who has a file, by the delegated routing HTTP API
// (specs.ipfs.tech/routing/http-routing-v1): of gateways, of kubo, or of those who index
// the IPFS network.
type Delegates struct {
	servers []string // up to /providers/
	client  http.Client
	log     *slog.Logger
}

// What a server may cost.
const (
	maxDelegates    = 8
	delegateTimeout = 10 * time.Second
	maxAnswer       = 1 << 20 // bytes
	maxAddrs        = 16      // of a peer that are looked at
)

const (
	routingPath   = "/routing/v1"
	providersPath = "/providers"
)

// Bitswap is its name in that API.
const Bitswap = "transport-bitswap"

// NewDelegates are those at the given URLs, with or without the API's path; nil for none.
func NewDelegates(urls []string, log *slog.Logger) (*Delegates, error) {
	if len(urls) == 0 {
		return nil, nil
	}
	if len(urls) > maxDelegates {
		return nil, fmt.Errorf("%d servers of delegated routing; at most %d", len(urls), maxDelegates)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := &Delegates{client: http.Client{Timeout: delegateTimeout}, log: log}
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("%q is no URL of a server, such as https://delegated.example.com", text)
		}
		base := strings.TrimSuffix(strings.TrimRight(u.String(), "/"), providersPath)
		d.servers = append(d.servers, strings.TrimSuffix(base, routingPath)+routingPath+providersPath+"/")
	}
	return d, nil
}

// Find asks all servers at the same time for nodes that have a file and speak Bitswap, until
// so many are found, all have answered or ctx ends.
func (d *Delegates) Find(ctx context.Context, root dag.CID, most int) iter.Seq[peer.AddrInfo] {
	return func(yield func(peer.AddrInfo) bool) {
		ctx, cancel := context.WithCancel(ctx)
		answers := make(chan []peer.AddrInfo, len(d.servers))
		var asking sync.WaitGroup
		defer asking.Wait()
		defer cancel()
		for _, server := range d.servers {
			asking.Go(func() {
				found, err := d.ask(ctx, server, root)
				if err != nil && ctx.Err() == nil {
					d.log.Warn("a server of delegated routing does not say who has a file", "server", server, "error", err)
				}
				answers <- found
			})
		}
		var known []peer.ID
		for range d.servers {
			for _, p := range <-answers {
				if slices.Contains(known, p.ID) {
					continue
				}
				if known = append(known, p.ID); !yield(p) || len(known) == most {
					return
				}
			}
		}
	}
}

// ask asks one server.
func (d *Delegates) ask(ctx context.Context, server string, root dag.CID) ([]peer.AddrInfo, error) {
	c, err := cid.Cast(root.Bytes())
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server+c.String()+"?filter-protocols=unknown,"+Bitswap, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	answer, err := d.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound: // of servers before the specification said an empty list
		return nil, nil
	default:
		return nil, fmt.Errorf("it answers %s", answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, fmt.Errorf("its answer is longer than %d bytes", maxAnswer)
	}
	return decodeProviders(body)
}

// decodeProviders reads an answer. Records of other schemas, without an address, or of
// peers that do not speak Bitswap are passed over, as the specification asks.
func decodeProviders(body []byte) (found []peer.AddrInfo, err error) {
	var answer struct {
		Providers []struct {
			Schema, ID       string
			Addrs, Protocols []string
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("its answer: %w", err)
	}
	for _, p := range answer.Providers {
		id, err := peer.Decode(p.ID)
		if err != nil || p.Schema != "peer" && p.Schema != "bitswap" || len(p.Protocols) > 0 && !slices.Contains(p.Protocols, Bitswap) {
			continue
		}
		info := peer.AddrInfo{ID: id}
		for _, text := range p.Addrs[:min(len(p.Addrs), maxAddrs)] {
			a, err := ma.NewMultiaddr(text)
			if err != nil {
				continue
			}
			if a, of := peer.SplitAddr(a); a != nil && (of == "" || of == id) {
				info.Addrs = append(info.Addrs, a)
			}
		}
		if len(info.Addrs) > 0 {
			found = append(found, info)
		}
	}
	return found, nil
}
