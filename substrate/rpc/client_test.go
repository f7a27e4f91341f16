package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/crustgo/crust/substrate/babe"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/types"
)

// server is the whole interface on a real socket.
type server struct {
	*world
	addr string
	keys *fakeKeys
	net  *fakeNetwork
}

var spec = Spec{Name: "Test", Type: json.RawMessage(`"Development"`), Properties: json.RawMessage(`{"ss58Format":42}`), SS58Prefix: 42,
	JSON: func(asRaw bool) (json.RawMessage, error) {
		return json.RawMessage(fmt.Sprintf(`{"name":"Test","genesis":{"raw":%v}}`, asRaw)), nil
	}}

// serve starts a server for a world; unsafe methods are allowed.
func serve(t testing.TB, w *world, cfg Config) *server {
	t.Helper()
	s := &server{world: w, keys: &fakeKeys{}, net: &fakeNetwork{}}
	table, err := New(Deps{Chain: w.chain, Pool: PoolOf(w.pool), Spec: spec, Keys: s.keys, Network: s.net, Grandpa: fakeGrandpa{},
		Offchain: &fakeOffchain{m: map[string][]byte{}}, Name: "Test Node", Version: "1.2.3"}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listen(t, table, jsonrpc.Config{AllowUnsafe: true})
	return s
}

func listen(t testing.TB, table *jsonrpc.Table, cfg jsonrpc.Config) string {
	t.Helper()
	srv, err := jsonrpc.NewServer(cfg, table)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// reply is an answer.
type reply struct {
	Result json.RawMessage `json:"result"`
	Error  *jsonrpc.Error  `json:"error"`
}

// message is anything that the server sends.
type message struct {
	ID *int `json:"id"`
	reply
	Method string `json:"method"`
	Params struct {
		Subscription string          `json:"subscription"`
		Result       json.RawMessage `json:"result"`
		Error        *jsonrpc.Error  `json:"error"`
	} `json:"params"`
}

// client is one connection. It keeps all that arrives, in order.
type client struct {
	t    testing.TB
	conn *websocket.Conn

	mu    sync.Mutex
	grown chan struct{} // closed and replaced when something arrives
	log   []message
	ended bool
	id    int
}

func (s *server) dial(t testing.TB) *client {
	t.Helper()
	conn, _, err := websocket.Dial(context.Background(), "ws://"+s.addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(-1)
	c := &client{t: t, conn: conn, grown: make(chan struct{})}
	done := make(chan struct{})
	go func() { defer close(done); c.read() }()
	t.Cleanup(func() { _ = conn.CloseNow(); <-done })
	return c
}

func (c *client) read() {
	for {
		_, b, err := c.conn.Read(context.Background())
		var m message
		if err == nil {
			err = json.Unmarshal(b, &m)
		}
		c.mu.Lock()
		if err != nil {
			c.ended = true
		} else {
			c.log = append(c.log, m)
		}
		close(c.grown)
		c.grown = make(chan struct{})
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// wait waits for the nth message that matches, from position *from on.
func (c *client) wait(what string, from *int, match func(*message) bool) *message {
	c.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		c.mu.Lock()
		for *from < len(c.log) {
			m := &c.log[*from]
			*from++
			if match(m) {
				c.mu.Unlock()
				return m
			}
		}
		grown, ended := c.grown, c.ended
		c.mu.Unlock()
		if ended {
			c.t.Fatalf("%s: the connection has ended", what)
		}
		select {
		case <-grown:
		case <-deadline:
			c.t.Fatalf("%s did not arrive; there is %+v", what, c.log)
		}
	}
}

func (c *client) ask(method string, params ...any) reply {
	c.t.Helper()
	if params == nil {
		params = []any{}
	}
	c.mu.Lock()
	c.id++
	id, from := c.id, len(c.log)
	c.mu.Unlock()
	b, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.conn.Write(context.Background(), websocket.MessageText, b); err != nil {
		c.t.Fatal(err)
	}
	return c.wait("the answer to "+method, &from, func(m *message) bool { return m.ID != nil && *m.ID == id }).reply
}

// must is ask for something that has to succeed.
func (c *client) must(method string, params ...any) string {
	c.t.Helper()
	r := c.ask(method, params...)
	if r.Error != nil {
		c.t.Fatalf("%s%v: %v", method, params, r.Error)
	}
	return string(r.Result)
}

// refused is ask for something that has to fail with a code.
func (c *client) refused(code int, method string, params ...any) *jsonrpc.Error {
	c.t.Helper()
	r := c.ask(method, params...)
	if r.Error == nil || r.Error.Code != code {
		c.t.Fatalf("%s%v: got %s and %v, want error %d", method, params, r.Result, r.Error, code)
	}
	return r.Error
}

// stream is one subscription.
type stream struct {
	*client
	id   string
	from int
}

func (c *client) subscribe(method string, params ...any) *stream {
	c.t.Helper()
	s := &stream{client: c}
	if err := json.Unmarshal([]byte(c.must(method, params...)), &s.id); err != nil {
		c.t.Fatal(err)
	}
	return s
}

// next is the next notification.
func (s *stream) next() string {
	s.t.Helper()
	m := s.wait("a notification", &s.from, func(m *message) bool { return m.Params.Subscription == s.id })
	if m.Params.Error != nil {
		s.t.Fatal(m.Params.Error)
	}
	return string(m.Params.Result)
}

// want demands the next notification.
func (s *stream) want(text string) {
	s.t.Helper()
	if got := s.next(); got != text {
		s.t.Fatalf("got  %s\nwant %s", got, text)
	}
}

func (s *server) post(t testing.TB, body string) string {
	t.Helper()
	resp, err := http.Post("http://"+s.addr, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// quoted is a value as JSON.
func quoted(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// fakeKeys holds one key of each kind.
type fakeKeys struct{ inserted []string }

func (k *fakeKeys) Insert(kind KeyType, suri string, public []byte) error {
	if suri == "bad" {
		return errors.New("no such phrase")
	}
	k.inserted = append(k.inserted, fmt.Sprintf("%s %s %x", kind, suri, public))
	return nil
}
func (k *fakeKeys) Generate() ([]byte, error) { return []byte{1, 2, 3}, nil }
func (k *fakeKeys) Has(kind KeyType, public []byte) bool {
	return kind == KeyType{'b', 'a', 'b', 'e'} && len(public) == 32 && public[0] == 2 || kind == KeyType{'g', 'r', 'a', 'n'} && public[0] == 1
}
func (k *fakeKeys) Authoring() []babe.Key { return []babe.Key{author} }

type fakeNetwork struct{ reserved []string }

func (n *fakeNetwork) PeerID() string      { return "12D3KooW" }
func (n *fakeNetwork) Addresses() []string { return []string{"/ip4/127.0.0.1/tcp/1/p2p/12D3KooW"} }
func (n *fakeNetwork) PeerCount() int      { return 1 }
func (n *fakeNetwork) Peers() []Peer {
	return []Peer{{ID: "other", Roles: "FULL", BestHash: types.Hash{7}, BestNumber: 9}}
}
func (n *fakeNetwork) Wanted() bool               { return true }
func (n *fakeNetwork) Syncing() bool              { return true }
func (n *fakeNetwork) Highest() types.BlockNumber { return 9 }
func (n *fakeNetwork) AddReserved(a string) error {
	if a == "bad" {
		return errors.New("no multiaddress")
	}
	n.reserved = append(n.reserved, a)
	return nil
}
func (n *fakeNetwork) RemoveReserved(string) error { n.reserved = nil; return nil }
func (n *fakeNetwork) Reserved() []string          { return n.reserved }

type fakeGrandpa struct{}

func (fakeGrandpa) Rounds() (types.SetID, Round, []Round, bool) {
	return 3, Round{Number: 5, Total: 4, Threshold: 3, Prevotes: Votes{4, nil}, Precommits: Votes{2, []types.AccountID{{1}, {2}}}},
		[]Round{{Number: 4, Total: 4, Threshold: 3}}, true
}

type fakeOffchain struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (o *fakeOffchain) Get(key []byte) ([]byte, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	v, ok := o.m[string(key)]
	return v, ok, nil
}

func (o *fakeOffchain) Set(key, value []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.m[string(key)] = value
	return nil
}

// eventually waits for something that happens on another goroutine.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what + " did not come")
		}
	}
}
