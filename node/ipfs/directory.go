package ipfs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/routing"
	"github.com/crustgo/crust/mpow/dag"
)

// What part a node takes in the directory of the IPFS network.
const (
	DirectoryOff    = "off"
	DirectoryClient = "client"
	DirectoryServer = "server"
	DirectoryAuto   = "auto"
)

// parts are what a directory knows them as.
var parts = map[string]routing.Part{DirectoryClient: routing.Client, DirectoryServer: routing.Server, DirectoryAuto: routing.Auto}

// Directory says how a node takes part in the directory of the IPFS network: of the public
// one, or of that of the local network.
type Directory struct {
	Mode  string   // one of the above; "" is off
	Peers []string // multiaddresses of nodes to begin with
	Local bool
	// Delegates are URLs of servers that are asked, too, who has a file, whatever the part.
	Delegates []string
}

// Check says whether it can be read.
func (c *Directory) Check() error {
	if c.Mode != "" && c.Mode != DirectoryOff && !c.on() {
		return fmt.Errorf("--dht is %q; it is off, client, server or auto", c.Mode)
	}
	if _, err := engine.Origins(c.Peers); err != nil {
		return fmt.Errorf("--dht-peer: %w", err)
	}
	if len(c.Peers) > 0 && !c.on() {
		return errors.New("--dht-peer without --dht client, server or auto")
	}
	if _, err := routing.NewDelegates(c.Delegates, nil); err != nil {
		return fmt.Errorf("--router: %w", err)
	}
	return nil
}

func (c *Directory) on() bool {
	_, on := parts[c.Mode]
	return on
}

// Open is where files are looked for: the servers, and the directory.
func (c *Directory) Open(e *engine.Engine, basePath string, registry prometheus.Registerer, log *slog.Logger) (s routing.Sources, err error) {
	if s.Delegates, err = routing.NewDelegates(c.Delegates, log); err == nil {
		s.Directory, err = c.join(e, basePath, registry, log)
	}
	return s, err
}

// join joins the directory by an engine, and remembers in a base path what is announced. It
// is nil if the node takes no part, or cannot: what is remembered is worth no node that does
// not start, so it is begun anew, and gone without if that is of no use.
func (c *Directory) join(e *engine.Engine, basePath string, registry prometheus.Registerer, log *slog.Logger) (*routing.Directory, error) {
	if !c.on() {
		return nil, c.Check()
	}
	peers, err := engine.Origins(c.Peers)
	if err != nil {
		return nil, err
	}
	cfg := routing.Config{Host: e.Host(), Peers: peers, Local: c.Local, Part: parts[c.Mode], Dir: filepath.Join(basePath, "dht"), Log: log}
	d, err := routing.Open(cfg)
	if err != nil {
		log.Warn("what was announced in the directory of the IPFS network is forgotten", "error", err)
		if err = os.RemoveAll(cfg.Dir); err == nil {
			d, err = routing.Open(cfg)
		}
	}
	if err != nil {
		log.Error("this node takes no part in the directory of the IPFS network", "error", err)
		return nil, nil
	}
	if registry == nil {
		return d, nil
	}
	for _, f := range d.Figures() {
		err = errors.Join(err, registry.Register(f))
	}
	if err != nil {
		err = errors.Join(err, d.Close())
	}
	return d, err
}

// announceEvery is how often is looked at what a node has.
const announceEvery = 5 * time.Second

// Announce says in a directory which files a node has, until ctx ends. What cannot be
// listed at one look is left as it was.
func Announce(ctx context.Context, d *routing.Directory, files func(context.Context) ([]dag.CID, error), log *slog.Logger) error {
	look := time.NewTicker(announceEvery)
	defer look.Stop()
	for {
		roots, err := files(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			log.Warn("which files this node has is not known for a moment, and not announced", "error", err)
		default:
			d.Announce(roots)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
}
