package ipfs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/picker"
	"github.com/crustgo/crust/dsm/routing"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/worker"
	"github.com/crustgo/crust/mpow/worker/reporter"
	"github.com/crustgo/crust/node/storage"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/types"
)

// orders follows the market and has files fetched.
type orders struct {
	cfg    *Config
	log    *slog.Logger
	w      *worker.Worker
	n      *reporter.Node
	engine *engine.Engine

	sources routing.Sources

	// Of the loop's goroutine alone.
	picker  *picker.Machine
	picking picker.Config
	cursor  types.BlockNumber            // the last block whose events were read; 0 before the market was read
	seeds   map[uint32][]string          // files whose rank is known from a block on
	placed  map[string]types.BlockNumber // where a file was ordered last

	ended chan outcome // of fetches

	mu      sync.Mutex // guards running
	running map[string]context.CancelFunc
}

// outcome is what became of a fetch.
type outcome struct {
	file string
	err  error
}

// enough is more replicas than any node waits for.
const enough = 1 << 30

// maxGap is how many blocks of events are read one by one; after a longer absence the
// market is read as a whole, as is done when a node has dropped the state of old blocks.
const maxGap = 100

func newOrders(cfg *Config, w *worker.Worker, n *reporter.Node, e *engine.Engine) (*orders, error) {
	_, slot, err := n.Params()
	if err != nil {
		return nil, err
	}
	o := &orders{cfg: cfg, log: cfg.Log, w: w, n: n, engine: e, picking: cfg.pickerConfig(n, slot), seeds: map[uint32][]string{}, placed: map[string]types.BlockNumber{},
		ended: make(chan outcome), running: map[string]context.CancelFunc{}}
	return o, nil
}

// run follows final blocks until ctx ends. A connection that is lost is made again by
// whoever else uses it.
func (o *orders) run(ctx context.Context) error {
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	g.Go("follow", func(ctx context.Context) error {
		const pause = time.Second
		for ctx.Err() == nil {
			if err := o.follow(ctx, g); err != nil && ctx.Err() == nil {
				o.log.Warn("orders are not followed for a moment", "error", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
		return nil
	})
	return g.Wait()
}

// follow follows final blocks until the connection fails.
func (o *orders) follow(ctx context.Context, g *lifecycle.Group) error {
	c := o.n.Client()
	heads, err := c.SubscribeFinalizedHeads(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = heads.Close(context.WithoutCancel(ctx)) }() // the connection may be gone
	next := make(chan error, 1)
	var head *types.Header
	listen := func() {
		g.Go("heads", func(ctx context.Context) (_ error) {
			var err error
			head, err = heads.Next(ctx)
			next <- err
			return nil
		})
	}
	listen()
	var at types.Hash
	for {
		select {
		case <-ctx.Done():
			<-next
			return nil
		case e := <-o.ended:
			o.finish(e)
		case err := <-next:
			if err != nil {
				return err
			}
			at = head.Hash()
			if err := o.advance(ctx, c, at, head.Number); err != nil {
				return err
			}
			listen()
		}
		o.act(ctx, g)
	}
}

// advance reads what has become of orders up to a final block.
func (o *orders) advance(ctx context.Context, c *client.Client, at types.Hash, number types.BlockNumber) error {
	if o.cursor == 0 || number > o.cursor+maxGap {
		return o.readAll(ctx, c, at, number)
	}
	for o.cursor < number {
		next := o.cursor + 1
		h, err := c.BlockHash(ctx, next)
		if err != nil {
			return err
		}
		events, err := c.Events(ctx, h)
		if err != nil {
			return o.readAll(ctx, c, at, number)
		}
		files, placed, removed, recounted := touched(events)
		if recounted {
			if err := o.readGroups(ctx, c, at); err != nil {
				return err
			}
		}
		for _, file := range append(files, o.seeds[uint32(next)]...) {
			if placed[file] {
				o.placed[file] = next
			}
			if err := o.tell(ctx, c, at, number, file, removed[file]); err != nil {
				return err
			}
		}
		delete(o.seeds, uint32(next))
		o.cursor = next
	}
	return nil
}

// readAll reads the whole market: what was missed is in its state.
func (o *orders) readAll(ctx context.Context, c *client.Client, at types.Hash, number types.BlockNumber) error {
	if err := o.readGroups(ctx, c, at); err != nil {
		return err
	}
	known := map[string]bool{}
	for e, err := range c.QueryAll(ctx, at, "Market", "FilesV2") {
		if err != nil {
			return err
		}
		file, ok := e.Keys[0].(metadata.Bytes)
		if !ok {
			return fmt.Errorf("Market.FilesV2: a key of type %T", e.Keys[0])
		}
		known[string(file)] = true
	}
	for _, f := range o.w.Files() {
		if file := f.Root.String(); !known[file] && f.State != worker.Leaving {
			o.picker.Gone(file)
		}
	}
	for _, root := range o.w.Remnants() {
		if !known[root.String()] {
			o.forget(root)
		}
	}
	for file := range known {
		if err := o.tell(ctx, c, at, number, file, false); err != nil {
			return err
		}
	}
	o.cursor = number
	return nil
}

// readGroups reads who else is there. The picker begins anew if the member is in
// another group than before.
func (o *orders) readGroups(ctx context.Context, c *client.Client, at types.Hash) error {
	list, owner, err := groups(ctx, c, at, o.n.Account())
	if err != nil {
		return err
	}
	if o.picker == nil || owner != o.picking.Owner {
		o.picking.Owner = owner
		if o.picker == nil {
			o.picker = picker.New(o.picking)
		} else {
			o.picker.Move(owner)
		}
		for _, f := range o.w.Files() {
			if f.State != worker.Leaving {
				o.picker.Held(f.Root.String())
			}
		}
	}
	o.picker.Groups(list)
	return nil
}

// tell tells the picker how an order stands.
func (o *orders) tell(ctx context.Context, c *client.Client, at types.Hash, number types.BlockNumber, file string, removed bool) error {
	l, ok, err := order(ctx, c, at, file)
	switch {
	case err != nil:
		return err
	case !ok:
		delete(o.placed, file)
		o.picker.Gone(file)
		if root, err := dag.Parse(file); err == nil {
			o.forget(root)
		}
		return nil
	case l.ExpiredAt != 0 && l.ExpiredAt <= uint32(number):
		return nil // nobody is paid for it until it is renewed
	}
	for _, r := range l.Replicas {
		if r.A == o.picking.Owner { // one replica of a group counts; it is ours, or another member's
			l.ReportedReplicaCount = enough
		}
	}
	if l.Seed == (types.Hash{}) {
		due := max(l.SeedAt, uint32(number)+1)
		o.seeds[due] = append(o.seeds[due], file)
	}
	from := l.PlacedAt
	if removed {
		from = uint32(number)
		if o.picker.Holds(file) && !o.holds(file) {
			o.picker.Lost(file)
		}
	}
	o.picker.Order(picker.Order{CID: file, Seed: l.Seed, Size: l.FileSize, Replicas: l.ReportedReplicaCount, Block: from})
	return nil
}

// holds reports whether the worker has a file, and means to keep it.
func (o *orders) holds(file string) bool {
	for _, f := range o.w.Files() {
		if f.State != worker.Leaving && f.Root.String() == file {
			return true
		}
	}
	return false
}

// act does what the picker says.
func (o *orders) act(ctx context.Context, g *lifecycle.Group) {
	if o.picker == nil {
		return
	}
	for _, a := range o.picker.Next(uint32(o.cursor), o.room()) {
		root, err := dag.Parse(a.CID)
		if err != nil {
			o.log.Error("an order whose CID cannot be read", "cid", a.CID, "error", err)
			continue
		}
		switch a.Kind {
		case picker.Fetch:
			o.fetch(ctx, g, a, root)
		case picker.Cancel:
			o.mu.Lock()
			if cancel := o.running[a.CID]; cancel != nil {
				cancel()
			}
			o.mu.Unlock()
		case picker.Delete:
			o.log.Info("a file is let go: its order is gone", "cid", a.CID)
			if err := o.w.Delete(ctx, root); err != nil && !errors.Is(err, worker.ErrNotFound) {
				o.log.Error("a file cannot be deleted", "cid", a.CID, "error", err)
			}
		}
	}
}

// room is how many bytes of files there is room for: what is free, and the fillers that
// would make way.
func (o *orders) room() uint64 {
	l := o.w.Workload()
	return l.Free + l.Filler
}

// fetch fetches a file in the background.
func (o *orders) fetch(ctx context.Context, g *lifecycle.Group, a picker.Action, root dag.CID) {
	ctx, cancel := context.WithCancel(ctx)
	o.mu.Lock()
	o.running[a.CID] = cancel
	o.mu.Unlock()
	placed := o.placed[a.CID]
	g.Go("fetch", func(outer context.Context) error {
		size, err := o.fetchFrom(ctx, a, root, placed)
		cancel()
		o.mu.Lock()
		delete(o.running, a.CID)
		o.mu.Unlock()
		if err == nil {
			o.log.Info("a file is sealed", "cid", a.CID, "size", size)
		}
		select {
		case o.ended <- outcome{a.CID, err}:
		case <-outer.Done():
		}
		return nil
	})
}

// fetchFrom finds out where a file may be, and fetches it.
func (o *orders) fetchFrom(ctx context.Context, a picker.Action, root dag.CID, placed types.BlockNumber) (uint64, error) {
	c := o.n.Client()
	if placed == 0 {
		l, ok, err := order(ctx, c, client.Best, a.CID)
		if err != nil || !ok {
			return 0, errors.Join(errors.New("the order is gone"), err)
		}
		placed = types.BlockNumber(l.PlacedAt)
	}
	note, err := memo(ctx, c, placed, a.CID)
	if err != nil {
		return 0, err
	}
	origins := engine.OriginsIn(note)
	others, err := Holders(ctx, c, a.CID)
	if err != nil {
		return 0, err
	}
	for _, p := range others {
		if list, err := engine.Origins(p.Texts()); err == nil && len(origins) < engine.MaxOrigins {
			origins = append(origins, list...)
		}
	}
	o.log.Info("a file is fetched", "cid", a.CID, "limit", a.Size, "sources", len(origins))
	return o.engine.Fetch(ctx, engine.Job{Root: root, Limit: a.Size, Into: storage.Vault{W: o.w}, Origins: origins,
		Find: o.sources.Finder(root, engine.MaxOrigins)})
}

// finish tells the picker what became of a fetch.
func (o *orders) finish(e outcome) {
	result := picker.Fetched
	switch {
	case e.err == nil || errors.Is(e.err, worker.ErrHeld):
	case errors.Is(e.err, engine.ErrTooLarge), errors.Is(e.err, engine.ErrUnsupported):
		result = picker.Never
		if root, err := dag.Parse(e.file); err == nil {
			o.forget(root)
		}
		o.log.Warn("a file cannot be stored", "cid", e.file, "error", e.err)
	default:
		result = picker.Later
		o.log.Warn("a file was not fetched; it may be tried again", "cid", e.file, "error", e.err)
	}
	o.picker.Ended(e.file, result, uint32(o.cursor))
}

// forget gives up what was sealed of a file that nobody will fetch again.
func (o *orders) forget(root dag.CID) {
	if err := o.w.Forget(root); err != nil {
		o.log.Error("what was sealed of a file cannot be given up", "cid", root.String(), "error", err)
	}
}
