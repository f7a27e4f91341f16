package testnet

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/crustgo/crust/client/jsonrpc"
	"github.com/crustgo/crust/substrate/types"
)

// pollPause is the time between two questions to a node.
const pollPause = 100 * time.Millisecond

// State is what a node said last.
type State struct {
	Running     bool // and has answered since it started
	Best, Final types.BlockNumber
	FinalHash   types.Hash
	Peers       int
}

// watch asks all nodes all the time.
type watch struct {
	nodes []*Node
	stop  context.CancelFunc
	tasks sync.WaitGroup

	mu     sync.Mutex // guards what follows
	states []State
	final  map[types.BlockNumber]types.Hash // as any node said
	by     map[types.BlockNumber]string     // who said it first
	err    error                            // the first rule that was broken
}

func newWatch(nodes []*Node) *watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watch{nodes: nodes, stop: cancel, states: make([]State, len(nodes)), final: map[types.BlockNumber]types.Hash{}, by: map[types.BlockNumber]string{}}
	for i := range nodes {
		w.tasks.Go(func() { w.follow(ctx, i) })
	}
	return w
}

func (w *watch) close() {
	w.stop()
	w.tasks.Wait()
}

// follow asks one node until ctx ends.
func (w *watch) follow(ctx context.Context, i int) {
	var url string
	var client *jsonrpc.Client
	var next types.BlockNumber = 1 // height whose hash is not known yet
	for ctx.Err() == nil {
		now := w.nodes[i].URL("http")
		if now != url && client != nil {
			client.Close()
			client = nil
		}
		if url = now; client == nil && url != "" {
			client, _ = jsonrpc.Dial(ctx, url, jsonrpc.Config{})
		}
		s := State{}
		if client != nil {
			var err error
			if s, err = ask(ctx, client); err == nil {
				next, err = w.compare(ctx, i, client, next, s.Final)
			}
			s.Running = err == nil
		}
		w.mu.Lock()
		switch old := w.states[i]; {
		case !s.Running:
			w.states[i].Running = false
		case s.Final < old.Final:
			w.fail(fmt.Errorf("%s: finality went from %d back to %d", w.nodes[i].Name, old.Final, s.Final))
		default:
			w.states[i] = s
		}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(pollPause):
		}
	}
	if client != nil {
		client.Close()
	}
}

// fail notes the first rule that was broken; mu is held.
func (w *watch) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// number is a block's number in JSON.
type number types.BlockNumber

// UnmarshalJSON reads "0x1f".
func (n *number) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseUint(strings.Trim(string(b), `"`), 0, 32)
	*n = number(v)
	return err
}

// ask asks a node where it is.
func ask(ctx context.Context, c *jsonrpc.Client) (s State, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var best, final struct{ Number number }
	var health struct{ Peers int }
	if err = c.Call(ctx, "chain_getFinalizedHead", nil, &s.FinalHash); err == nil {
		err = errors.Join(
			c.Call(ctx, "chain_getHeader", []any{s.FinalHash}, &final),
			c.Call(ctx, "chain_getHeader", nil, &best),
			c.Call(ctx, "system_health", nil, &health))
	}
	s.Best, s.Final, s.Peers = types.BlockNumber(best.Number), types.BlockNumber(final.Number), health.Peers
	return s, err
}

// compare compares the final blocks from a height on with what others said, and
// returns the height that comes next.
func (w *watch) compare(ctx context.Context, i int, c *jsonrpc.Client, from, to types.BlockNumber) (types.BlockNumber, error) {
	for ; from <= to; from++ {
		var h types.Hash
		if err := c.Call(ctx, "chain_getBlockHash", []any{from}, &h); err != nil {
			return from, err
		}
		w.mu.Lock()
		name := w.nodes[i].Name
		if other, ok := w.final[from]; !ok {
			w.final[from], w.by[from] = h, name
		} else if other != h {
			w.fail(fmt.Errorf("block %d is final as %v for %s and as %v for %s", from, other, w.by[from], h, name))
		}
		w.mu.Unlock()
	}
	return from, nil
}

// States is what every node said last.
func (n *Net) States() []State {
	n.watch.mu.Lock()
	defer n.watch.mu.Unlock()
	return append([]State(nil), n.watch.states...)
}

// broken reports a rule that was broken, or a node that ended by itself.
func (n *Net) broken() error {
	n.watch.mu.Lock()
	err := n.watch.err
	n.watch.mu.Unlock()
	for _, node := range n.Nodes {
		err = errors.Join(err, node.surprise())
	}
	return err
}

// Await waits until ok accepts what the nodes said last. It gives up when ctx
// ends, a rule is broken or a node ends by itself, and shows all nodes.
func (n *Net) Await(ctx context.Context, what string, ok func([]State) bool) error {
	for {
		if err := n.broken(); err != nil {
			return fmt.Errorf("waiting for %s: %w\n%s", what, err, n.show())
		}
		if ok(n.States()) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no %s: %w\n%s", what, context.Cause(ctx), n.show())
		case <-time.After(pollPause):
		}
	}
}

// show tells where all nodes are, with the ends of their logs.
func (n *Net) show() string {
	var b strings.Builder
	for i, s := range n.States() {
		fmt.Fprintf(&b, "%s: %+v\n", n.Nodes[i].Name, s)
	}
	for _, node := range n.Nodes {
		fmt.Fprintf(&b, "--- %s (peer %s)\n%s", node.Name, node.ID, node.Tail())
	}
	return b.String()
}

// Check compares all final blocks of all running nodes once more, from the first one.
func (n *Net) Check(ctx context.Context) error {
	for i, node := range n.Nodes {
		url := node.URL("http")
		if url == "" {
			continue
		}
		c, err := jsonrpc.Dial(ctx, url, jsonrpc.Config{})
		if err != nil {
			return err
		}
		s, err := ask(ctx, c)
		if err == nil {
			_, err = n.watch.compare(ctx, i, c, 1, s.Final)
		}
		c.Close()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", node.Name, err, node.Tail())
		}
	}
	if err := n.broken(); err != nil {
		return fmt.Errorf("%w\n%s", err, n.show())
	}
	return nil
}
