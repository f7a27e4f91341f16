package gateway

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/exchange/offline"
	boxo "github.com/ipfs/boxo/gateway"
	gocid "github.com/ipfs/go-cid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// Config says what a gateway serves.
type Config struct {
	Store vault.Reader
	// Deserialized turns on files, directories and websites.
	Deserialized bool
	// Requests bounds how many are served at once (default 1024); more get 429.
	Requests int
	// Stall is how long a client may take nothing (default 30 seconds), Longest how
	// long one request may take (default an hour).
	Stall, Longest time.Duration
	// Replicas answers /routing/v1/providers; nil turns it off.
	Replicas Replicas
	// Up bounds what is sent; share it with the engine on the same line.
	Up *engine.Limit
	// Metrics counts blocks; Registry takes the figures of requests. Nil counts nowhere.
	Metrics  *engine.Metrics
	Registry prometheus.Registerer
}

// Replicas says who has a file. The error is told to clients.
type Replicas func(ctx context.Context, root dag.CID) ([]Provider, error)

// Provider is a node that has a file.
type Provider struct {
	ID        string   // peer id
	Addrs     []string // multiaddresses, without /p2p/
	Protocols []string // such as transport-bitswap, transport-ipfs-gateway-http
}

// New returns the handler of a gateway.
func New(cfg Config) (http.Handler, error) {
	if cfg.Store == nil {
		return nil, errors.New("gateway: no store to serve from")
	}
	if cfg.Requests == 0 {
		cfg.Requests = 1024
	}
	if cfg.Stall == 0 {
		cfg.Stall = boxo.DefaultRetrievalTimeout
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	blocks := engine.Blockstore(reader{cfg.Store}, cfg.Up, cfg.Metrics)
	all, err := boxo.NewBlocksBackend(blockservice.New(blocks, offline.Exchange(blocks)))
	if err != nil {
		return nil, err
	}
	files := boxo.NewHandler(boxo.Config{
		DeserializedResponses: cfg.Deserialized, NoDNSLink: true, RetrievalTimeout: cfg.Stall, MaxConcurrentRequests: cfg.Requests,
		MaxRequestDuration: cfg.Longest, MetricsRegistry: cfg.Registry,
	}, backend{all, blocks})
	mux := http.NewServeMux()
	mux.Handle("/ipfs/", present(cfg.Store, readAhead(cfg.Store, files)))
	mux.HandleFunc("/ipns/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this gateway resolves no names; ask for /ipfs/ and a CID", http.StatusNotImplemented)
	})
	if cfg.Replicas != nil {
		mux.Handle("GET /routing/v1/providers/{cid}", routing(cfg.Replicas))
	}
	return boxo.NewHeaders(nil).ApplyCors().Wrap(mux), nil
}

// present answers 404 where the root block is not there, also for a CAR, whose status
// would be sent before anybody looks.
func present(store vault.Reader, next http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		text, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/ipfs/"), "/")
		c, err := gocid.Decode(text)
		if err != nil || r.Method != http.MethodGet && r.Method != http.MethodHead || r.Header.Get("Cache-Control") == "only-if-cached" {
			next.ServeHTTP(w, r)
			return
		}
		has := false
		if key, err := dag.ParseCID(c.Bytes()); err == nil {
			if _, has = key.Inline(); !has {
				if has, err = store.Has(r.Context(), key); err != nil {
					http.Error(w, "the store cannot be read", http.StatusInternalServerError)
					return
				}
			}
		}
		if !has {
			http.Error(w, text+" is not here; ask for its providers at /routing/v1/providers/"+text, http.StatusNotFound)
			return
		}
		next.ServeHTTP(w, r)
	}
}
