package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/mpow/worker/reporter"
	"github.com/crustgo/crust/node/httpd"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/types"
)

// Config is what a storage node is made of.
type Config struct {
	NodeURL  string          // RPC of a chain node
	BasePath string          // where the index, the enclave's state and, unless told otherwise, sealed data lie
	Pair     crypto.Pair     // key of the member's account
	Disks    []disk.Config   // none: one in the base path
	Filler   uint64          // bytes of free space to prove
	Replace  bool            // whether to take the place of another worker of the account
	Name     string          // what the node calls itself
	Owner    types.AccountID // of the group to join; zero for none
	// Enclave is the command that runs the enclave, to which the paths of its socket and
	// its state are added.
	Enclave        []string
	APIPort        uint16 // 0 picks a free one
	PrometheusPort uint16
	Log            *slog.Logger
	// Engine, if not nil, runs beside the node: what fetches files for the worker to seal,
	// and serves them.
	Engine func(ctx context.Context, w *worker.Worker, n *reporter.Node, figures prometheus.Registerer) error
}

// startTimeout is how long an enclave may take to listen.
const startTimeout = 30 * time.Second

// collectAt has the collector run when half as much as is in use was allocated, not as much: most
// of it is blocks, which cost it little, and they would be half of the node's memory.
const collectAt = 50

// restartPause is how long the node waits before it starts an enclave again.
const restartPause = 5 * time.Second

// Run runs a storage node until ctx ends. An enclave that ends, or does not answer, is
// killed and started again from its state, and with it all that talks to it.
func Run(ctx context.Context, cfg Config) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	n, err := reporter.Dial(ctx, cfg.NodeURL, cfg.Pair)
	if err != nil {
		return fmt.Errorf("%w; is a node running there? Start one with `crust node --dev`, or name another with --node-url", err)
	}
	defer n.Close()
	params, reportSlot, err := n.Params()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.BasePath, 0o700); err != nil {
		return err
	}
	wc := worker.Config{Dir: cfg.BasePath, UnitLeaves: params.UnitLeaves, Disks: cfg.Disks, Filler: cfg.Filler, Log: cfg.Log}
	rc := reporter.Config{Params: params, ReportSlot: reportSlot, Replace: cfg.Replace, Owner: cfg.Owner, Log: cfg.Log}
	for {
		err := runOnce(ctx, &cfg, n, wc, rc)
		if ctx.Err() != nil || !errors.Is(err, worker.ErrEnclave) {
			return err
		}
		cfg.Log.Error("the enclave ended, or did not answer and was killed: it is started again from its state", "in", restartPause, "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(restartPause):
		}
	}
}

// runOnce runs an enclave and what talks to it until one of them ends.
func runOnce(ctx context.Context, cfg *Config, n *reporter.Node, wc worker.Config, rc reporter.Config) error {
	// The enclave outlives all that talks to it.
	outer := lifecycle.NewGroup(context.WithoutCancel(ctx), lifecycle.DefaultGrace)
	e, err := startEnclave(outer, cfg)
	if err != nil {
		outer.Stop()
		_ = outer.Wait() // says no more than err, and one that does not start is not started again
		return err
	}
	wc.Socket, wc.State = e.socket, e.state
	err = e.killIfGone(func(ctx context.Context) error { return runWith(ctx, cfg, n, e, wc, rc) })(ctx)
	outer.Stop()
	return errors.Join(err, outer.Wait())
}

// runWith runs what talks to the enclave.
func runWith(ctx context.Context, cfg *Config, n *reporter.Node, e *child, wc worker.Config, rc reporter.Config) error {
	if len(wc.Disks) == 0 {
		wc.Disks = []disk.Config{{Dir: filepath.Join(cfg.BasePath, "sealed")}}
	}
	w, err := worker.Open(ctx, wc)
	if err != nil {
		return err
	}
	id := w.Identity()
	if id.Genesis != n.Client().Genesis() {
		return errors.Join(fmt.Errorf("the enclave was born for the network with genesis 0x%x, the node is of %v: name that network's --chain, with a base path of its own", id.Genesis, n.Client().Genesis()), w.Close())
	}
	r := reporter.New(w, n, rc)
	p, err := listen(cfg)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	cfg.Log.Info("storage node", "name", cfg.Name, "worker", fmt.Sprintf("%x", id.Lineage), "filler", cfg.Filler, "api", p.api.Addr().String(), "metrics", fmt.Sprintf("http://%s/metrics", p.metrics.Addr()))
	figures, limits := newMetrics(w, r), httpd.Limits{Answer: answerTimeout}
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("enclave", func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-e.gone:
			return worker.ErrEnclave
		}
	})
	g.Go("worker", e.killIfGone(w.Run))
	g.Go("reports", e.killIfGone(r.Run))
	g.Go("interface", func(ctx context.Context) error { return httpd.Serve(ctx, p.api, newAPI(w, r), limits) })
	g.Go("metrics", func(ctx context.Context) error { return httpd.Serve(ctx, p.metrics, httpd.Metrics(figures), limits) })
	if cfg.Engine != nil {
		g.Go("engine", func(ctx context.Context) error { return cfg.Engine(ctx, w, n, figures) })
	}
	return errors.Join(g.Wait(), w.Close())
}

// child is the enclave's process.
type child struct {
	process       *os.Process
	socket, state string
	gone          chan struct{} // closed when it ended
}

// killIfGone is f, but kills the enclave when f sees that it does not answer: so all
// that waits for it ends at once.
func (e *child) killIfGone(f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := f(ctx)
		if errors.Is(err, worker.ErrEnclave) {
			_ = e.process.Kill() // it may have ended
		}
		return err
	}
}

// maxSocketPath is how long the path of a socket may be, on all systems.
const maxSocketPath = 100

// startEnclave starts the enclave and waits until it listens.
func startEnclave(g *lifecycle.Group, cfg *Config) (*child, error) {
	e := &child{socket: filepath.Join(cfg.BasePath, "enclave.sock"), state: filepath.Join(cfg.BasePath, "enclave.state"), gone: make(chan struct{})}
	if len(e.socket) > maxSocketPath {
		return nil, fmt.Errorf("the base path has %d letters: with more than %d no socket can be made in it", len(cfg.BasePath), maxSocketPath-len("/enclave.sock"))
	}
	cmd := exec.Command(cfg.Enclave[0], append(cfg.Enclave[1:], "--socket", e.socket, "--state", e.state)...)
	cmd.Stderr = os.Stderr
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the enclave: %w", err)
	}
	e.process = cmd.Process
	g.Go("enclave", func(ctx context.Context) error {
		defer close(e.gone)
		stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(os.Interrupt) }) // it may be gone already
		defer stop()
		err := cmd.Wait()
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("the enclave ended: %w", errors.Join(err, worker.ErrEnclave))
	})
	for deadline := time.Now().Add(startTimeout); ; {
		c, err := enclave.Dial(context.Background(), e.socket)
		if err == nil {
			return e, c.Close()
		}
		select {
		case <-e.gone:
			return nil, errors.New("the enclave did not start; its own words are above")
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the enclave does not listen on %s: %w", e.socket, err)
		}
	}
}
