package pinning

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/dsm/w3auth"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/crypto"
)

// gateway is a service with what it needs: a real vault, a chain in memory, and a
// clock that the test moves.
type gateway struct {
	t       *testing.T
	s       *Service
	db      *vault.DB
	market  *market
	server  *httptest.Server
	fetched func(engine.Job) (uint64, error)
	change  func(*Config)
	fs      vfs.FS
	stop    func()

	mu  sync.Mutex
	now time.Time
}

const host = "gw.test"

func newGateway(t *testing.T, change func(*Config)) *gateway {
	t.Helper()
	db, err := vault.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	g := &gateway{t: t, db: db, market: newMarket(), change: change, fs: vfs.NewCrashableMem(), now: time.Unix(19_675*86_400, 0)} // a day begins
	g.fetched = func(engine.Job) (uint64, error) { return 0, fmt.Errorf("fetch: %w", engine.ErrNoSource) }
	g.open()
	t.Cleanup(func() { g.stop() })
	return g
}

// open starts the service on the database's file system.
func (g *gateway) open() {
	g.t.Helper()
	cfg := Config{
		Dir: "pins", Vault: g.db, Chain: g.market, Delegates: func() []string { return []string{"/ip4/127.0.0.1/tcp/4001/p2p/" + peerID} },
		Fetch: func(_ context.Context, j engine.Job) (uint64, error) { return g.fetched(j) },
		Host:  host, Quota: 1 << 20, MaxPins: 50, Poll: time.Millisecond, PollLive: time.Millisecond, FileBlocks: lasts, Now: g.clock, fs: g.fs,
	}
	if g.change != nil {
		g.change(&cfg)
	}
	s, err := Open(cfg)
	if err != nil {
		g.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/psa/", http.StripPrefix("/psa", s.Pins()))
	mux.Handle("/api/v0/", s.Uploads())
	g.s, g.server = s, httptest.NewServer(mux)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	g.stop = sync.OnceFunc(func() {
		g.server.Close()
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			g.t.Error(err)
		}
		if err := s.Close(); err != nil {
			g.t.Error(err)
		}
	})
}

func (g *gateway) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

func (g *gateway) pass(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = g.now.Add(d)
}

const peerID = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"

func (g *gateway) token(uri string) string {
	g.t.Helper()
	pair, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		g.t.Fatal(err)
	}
	token, err := w3auth.Token(pair, host, uint64(g.clock().Unix())+1e8)
	if err != nil {
		g.t.Fatal(err)
	}
	return token
}

// do asks as a user and wants a status; the answer goes into out unless that is nil.
func (g *gateway) do(uri, method, path, body string, want int, out any) {
	g.t.Helper()
	g.doAs(g.token(uri), "application/json", method, path, strings.NewReader(body), want, out)
}

func (g *gateway) doAs(token, kind, method, path string, body io.Reader, want int, out any) {
	g.t.Helper()
	r, err := http.NewRequest(method, g.server.URL+path, body)
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != want {
		g.t.Fatalf("%s %s: status %d, want %d: %s %v", method, path, resp.StatusCode, want, b, err)
	}
	if want >= 400 {
		var f struct {
			Error struct{ Reason, Details string }
		}
		if err := json.Unmarshal(b, &f); err != nil || f.Error.Reason == "" {
			g.t.Errorf("%s %s: no failure: %s", method, path, b)
		}
	}
	if text, ok := out.(*string); ok {
		*text = string(b)
	} else if out != nil {
		if err := json.Unmarshal(b, out); err != nil {
			g.t.Fatalf("%v: %s", err, b)
		}
	}
}

// part is a file of an upload.
type part struct{ name, kind, content string }

func form(parts ...part) (kind string, body io.Reader) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		h := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="file"; filename="` + p.name + `"`}}
		if p.kind != "" {
			h.Set("Content-Type", p.kind)
		}
		f, err := w.CreatePart(h)
		if err == nil {
			_, err = io.WriteString(f, p.content)
		}
		if err != nil {
			panic(err)
		}
	}
	_ = w.Close()
	return w.FormDataContentType(), &b
}

// upload adds files and returns the CID of the last line.
func (g *gateway) upload(uri string, want int, query string, parts ...part) string {
	g.t.Helper()
	kind, body := form(parts...)
	var text string
	g.doAs(g.token(uri), kind, "POST", "/api/v0/add"+query, body, want, &text)
	if want != 200 {
		return text
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var l addLine
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &l); err != nil {
		g.t.Fatal(err)
	}
	return l.Hash
}

func (g *gateway) pin(uri, cid, more string) pinStatus {
	g.t.Helper()
	var p pinStatus
	g.do(uri, "POST", "/psa/pins", `{"cid":"`+cid+`"`+more+`}`, 202, &p)
	return p
}

// patience is when a test that waits for a condition gives up.
const patience = time.Minute

// await polls a pin until it is as wanted.
func (g *gateway) await(uri, id string, ok func(pinStatus) bool) pinStatus {
	g.t.Helper()
	var p pinStatus
	for end := time.Now().Add(patience); time.Now().Before(end); {
		g.do(uri, "GET", "/psa/pins/"+id, "", 200, &p)
		if ok(p) {
			return p
		}
		g.pass(time.Second)
		time.Sleep(time.Millisecond)
	}
	g.t.Fatalf("the pin stays %+v", p)
	return p
}

func is(s Status) func(pinStatus) bool { return func(p pinStatus) bool { return p.Status == s } }

// From an upload to a renewal, through every stage.
func TestLifeOfAPin(t *testing.T) {
	g := newGateway(t, nil)
	root := g.upload("//Bob", 200, "", part{"d%2Fa.txt", "", "hello"}, part{"d%2Fsub%2Fb.txt", "", "world"})
	p := g.pin("//Bob", root, `,"name":"dir","meta":{"app":"x"}`)
	if p.Status != Queued || len(p.Delegates) != 1 || p.Pin.CID != root || *p.Pin.Name != "dir" {
		t.Errorf("at first it is %+v", p)
	}
	p = g.await("//Bob", p.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
	if p.Status != Pinning {
		t.Errorf("ordered it is %+v", p)
	}
	g.market.set(func() {
		o := g.market.orders[root]
		o.Stage, o.Replicas, o.Expires = "Reported", 2, g.market.height+lasts
	})
	p = g.await("//Bob", p.RequestID, func(p pinStatus) bool { return p.Info["replicas"] == "2" })
	if p.Status != Pinning || !strings.Contains(p.Info["status_details"], "reported by 2 of 200") {
		t.Errorf("reported it is %+v", p)
	}
	g.market.set(func() { o := g.market.orders[root]; o.Stage, o.Live = "Live", 1 })
	p = g.await("//Bob", p.RequestID, is(Pinned))
	until, err := time.Parse(time.RFC3339, p.Info["pinned_until"])
	if left := until.Sub(g.clock()); err != nil || left < 5990*6*time.Second || left > 6000*6*time.Second {
		t.Errorf("pinned until %v, %v", until, err)
	}
	// A sixth of the time before the end it is renewed, and stays pinned.
	end := g.market.orders[root].Expires
	g.market.set(func() { g.market.height = end - lasts/6 })
	g.await("//Bob", p.RequestID, func(p pinStatus) bool { return p.Info["pinned_until_block"] != fmt.Sprint(end) })
	if g.market.signed != 2 {
		t.Errorf("%d orders", g.market.signed)
	}
	m := g.s.cfg.Metrics
	for name, c := range map[string]prometheus.Collector{"placed orders": m.Orders.WithLabelValues("placed"), "hundreds spent": m.Spent} {
		want := 2.0
		if c == m.Spent {
			want = 200
		}
		if got := testutil.ToFloat64(c); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	var list struct{ Count int }
	g.do("//Bob", "GET", "/psa/pins", "", 200, &list)
	if list.Count != 1 {
		t.Errorf("%d pinned", list.Count)
	}
	// Without pins, and when the upload is over, it is forgotten.
	g.do("//Bob", "DELETE", "/psa/pins/"+p.RequestID, "", 202, nil)
	g.do("//Bob", "GET", "/psa/pins/"+p.RequestID, "", 404, nil)
	g.pass(2 * uploadLife)
	key := dagOf(t, root)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := g.db.Graph(t.Context(), key); errors.Is(err, vault.ErrNotFound) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("the content stays")
}

// An order whose last pin is removed is cancelled as soon as the chain allows it, also after a
// restart; not if a storage node has reported the file, and not if it was pinned again.
func TestCancel(t *testing.T) {
	g := newGateway(t, nil)
	g.market.refund = RefundLater
	var roots []string
	for i, name := range []string{"unwanted", "reported", "pinned again"} {
		root := g.upload("//Bob", 200, "", part{name, "", name})
		p := g.pin("//Bob", root, "")
		g.await("//Bob", p.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
		g.do("//Bob", "DELETE", "/psa/pins/"+p.RequestID, "", 202, nil)
		if i == 1 {
			g.market.set(func() { g.market.orders[root].Replicas = 1 })
		}
		roots = append(roots, root)
	}
	until := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(patience); time.Now().Before(end); {
			if g.pass(2 * time.Minute); is() {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatalf("not %s", what)
	}
	unwanted := func() (n int) {
		if err := g.s.db.scan([]byte{kindUnwant}, false, func(_, _ []byte) (bool, error) { n++; return true, nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	g.pass(uploadLife)
	until("forgotten, and one of them never to be cancelled", func() bool {
		f, err := g.s.db.file(roots[2])
		return err == nil && f == nil && unwanted() == 2
	})
	g.upload("//Bob", 200, "", part{"pinned again", "", "pinned again"})
	g.pin("//Bob", roots[2], "")
	g.market.set(func() { g.market.refund = RefundNow })
	g.stop()
	g.open()
	until("cancelled", func() bool { return unwanted() == 0 })
	g.market.mu.Lock()
	defer g.market.mu.Unlock()
	for i, there := range []bool{false, true, true} {
		if got := g.market.orders[roots[i]] != nil; got != there {
			t.Errorf("order %d: %v", i, got)
		}
	}
	if n := testutil.ToFloat64(g.s.cfg.Metrics.Orders.WithLabelValues("cancelled")); n != 1 {
		t.Errorf("%v cancelled", n)
	}
}

func dagOf(t *testing.T, text string) dag.CID {
	t.Helper()
	c, err := dag.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What is uploaded and not pinned is not ordered.
func TestUploadAloneCostsNothing(t *testing.T) {
	g := newGateway(t, nil)
	root := g.upload("//Bob", 200, "", part{"a", "", "hello"})
	for range 50 {
		g.pass(time.Minute)
		time.Sleep(time.Millisecond)
	}
	if g.market.signed != 0 {
		t.Errorf("%d orders", g.market.signed)
	}
	p := g.pin("//Bob", root, "")
	g.await("//Bob", p.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
}

func TestFetchFromOrigins(t *testing.T) {
	g := newGateway(t, nil)
	root := dag.Sum(dag.Raw, []byte("elsewhere"))
	jobs := make(chan engine.Job, 1)
	g.fetched = func(j engine.Job) (uint64, error) {
		jobs <- j
		s, err := j.Into.Begin(t.Context(), j.Root, j.Limit)
		if err == nil {
			_, err = s.Put(t.Context(), []vault.Block{{CID: root, Data: []byte("elsewhere")}})
		}
		if err != nil {
			return 0, err
		}
		return s.Commit(t.Context())
	}
	g.market.set(func() { g.market.down = errors.New("connection refused") })
	p := g.pin("//Bob", textOf(root), `,"origins":["/ip4/203.0.113.1/tcp/4001/p2p/`+peerID+`"]`)
	// What is fetched and not ordered yet is not queued again.
	p = g.await("//Bob", p.RequestID, func(p pinStatus) bool { return strings.Contains(p.Info["status_details"], "does not answer") })
	if p.Status != Pinning {
		t.Errorf("fetched it is %+v", p)
	}
	g.market.set(func() { g.market.down = nil })
	p = g.await("//Bob", p.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
	if j := <-jobs; j.Root != root || j.Limit != 1<<20 || len(j.Origins) != 1 || j.Origins[0].ID.String() != peerID {
		t.Errorf("the job is %+v", j)
	}
	if p.Info["dag_size"] != "9" {
		t.Errorf("got %+v", p)
	}
}

func TestFailures(t *testing.T) {
	t.Run("no source", func(t *testing.T) {
		g := newGateway(t, nil)
		p := g.pin("//Bob", absent, "")
		p = g.await("//Bob", p.RequestID, is(Failed))
		if !strings.Contains(p.Info["status_details"], "no peer has the root block") {
			t.Errorf("got %+v", p)
		}
		// Pinning it again tries again.
		if p := g.pin("//Bob", absent, ""); p.Status != Queued {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("refused by the chain", func(t *testing.T) {
		g := newGateway(t, nil)
		g.market.refusal = errors.New("Market.PlaceOrderNotAvailable")
		p := g.pin("//Bob", g.upload("//Bob", 200, "", part{"a", "", "x"}), "")
		p = g.await("//Bob", p.RequestID, is(Failed))
		if !strings.Contains(p.Info["status_details"], "PlaceOrderNotAvailable") {
			t.Errorf("got %+v", p)
		}
	})
	t.Run("never taken", func(t *testing.T) {
		g := newGateway(t, func(c *Config) { c.PerDay = big.NewInt(150) })
		g.market.lost = true
		p := g.pin("//Bob", g.upload("//Bob", 200, "", part{"a", "", "x"}), "")
		p = g.await("//Bob", p.RequestID, func(p pinStatus) bool {
			g.market.set(func() { g.market.height += 5 })
			return p.Status == Failed
		})
		if !strings.Contains(p.Info["status_details"], "3 times") || g.market.signed != 3 {
			t.Errorf("after %d orders: %+v", g.market.signed, p)
		}
	})
	t.Run("nobody takes it", func(t *testing.T) {
		g := newGateway(t, nil)
		root := g.upload("//Bob", 200, "", part{"a", "", "x"})
		p := g.pin("//Bob", root, "")
		signed, ended := 0, 0 // orders: before p was asked for, and of which the end has come
		p = g.await("//Bob", p.RequestID, func(p pinStatus) bool {
			g.market.set(func() {
				// What p says may be old, but not older than the last order that was signed before it was asked for.
				if p.Info["stage"] == "Ordered" && signed > ended { // the order is final
					delete(g.market.orders, root) // it ends, as after a week
					ended = signed
				}
				signed = g.market.signed
			})
			return p.Status == Failed
		})
		if !strings.Contains(p.Info["status_details"], "no storage node took the file") || g.market.signed != 3 {
			t.Errorf("after %d orders: %+v", g.market.signed, p)
		}
	})
	t.Run("short of money", func(t *testing.T) {
		g := newGateway(t, nil)
		root := g.upload("//Bob", 200, "", part{"a", "", "x"})
		g.market.set(func() { g.market.free = 99 })
		g.do("//Bob", "POST", "/psa/pins", `{"cid":"`+root+`"}`, 409, nil)
		g.market.set(func() { g.market.free = 100 })
		p := g.pin("//Bob", root, "")
		g.await("//Bob", p.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
	})
	t.Run("the limit of the day", func(t *testing.T) {
		g := newGateway(t, func(c *Config) { c.PerDay = big.NewInt(250) })
		var ids []string
		for i := range 3 {
			p := g.pin("//Bob", g.upload("//Bob", 200, "", part{"a", "", fmt.Sprint(i)}), "")
			ids = append(ids, p.RequestID)
			if i < 2 {
				g.await("//Bob", p.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
			}
		}
		p := g.await("//Bob", ids[2], func(p pinStatus) bool { return strings.Contains(p.Info["status_details"], "may today") })
		if p.Status != Queued || g.market.signed != 2 {
			t.Errorf("after %d orders: %+v", g.market.signed, p)
		}
		g.pass(24 * time.Hour)
		g.await("//Bob", ids[2], func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
	})
	t.Run("the chain is away", func(t *testing.T) {
		g := newGateway(t, nil)
		root := g.upload("//Bob", 200, "", part{"a", "", "x"})
		g.market.set(func() { g.market.down = errors.New("connection refused") })
		p := g.pin("//Bob", root, "")
		g.await("//Bob", p.RequestID, func(p pinStatus) bool { return strings.Contains(p.Info["status_details"], "does not answer") })
		g.market.set(func() { g.market.down = nil })
		g.await("//Bob", p.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
	})
	t.Run("too large for the market", func(t *testing.T) {
		g := newGateway(t, func(c *Config) { c.Quota = 1 << 40 })
		g.fetched = func(engine.Job) (uint64, error) { return 1 << 31, nil }
		p := g.pin("//Bob", absent, "")
		g.await("//Bob", p.RequestID, is(Failed))
	})
}

// A crash between signing and sending, and one after: the order is paid once.
func TestCrashPaysOnce(t *testing.T) {
	for _, lost := range []bool{true, false} {
		g := newGateway(t, nil)
		g.market.set(func() { g.market.lost = lost })
		root := g.upload("//Bob", 200, "", part{"a", "", "x"})
		p := g.pin("//Bob", root, "")
		g.await("//Bob", p.RequestID, func(pinStatus) bool { g.market.mu.Lock(); defer g.market.mu.Unlock(); return g.market.sent > 0 })
		after := g.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
		g.stop()
		g.market.set(func() { g.market.lost = false })
		g.fs = after
		g.open()
		g.await("//Bob", p.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
		if paid := 1_000_000 - g.market.free; paid != 100 || g.market.signed != 1 {
			t.Errorf("lost %v: %d paid, %d signed", lost, paid, g.market.signed)
		}
		g.stop()
	}
}

// Every answer that was given is true after a crash, whatever the disk kept.
func TestCrashKeepsPins(t *testing.T) {
	g := newGateway(t, nil)
	for i := range 5 {
		p := g.pin("//Bob", g.upload("//Bob", 200, "", part{"a", "", fmt.Sprint(i)}), "")
		after := g.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
		g.stop()
		g.fs = after
		g.open()
		var list struct{ Count int }
		g.do("//Bob", "GET", "/psa/pins?status=queued,pinning,pinned,failed", "", 200, &list)
		g.do("//Bob", "GET", "/psa/pins/"+p.RequestID, "", 200, nil)
		if list.Count != i+1 {
			t.Errorf("%d pins after %d", list.Count, i+1)
		}
	}
}

// Pins that nobody has keep nobody from fetching.
func TestManyUnfindable(t *testing.T) {
	g := newGateway(t, func(c *Config) { c.Fetches = 1 })
	there := dag.Sum(dag.Raw, []byte("there"))
	hold := make(chan struct{})
	g.fetched = func(j engine.Job) (uint64, error) {
		if j.Root != there {
			<-hold
			return 0, engine.ErrNoSource
		}
		if err := j.Ready(t.Context()); err != nil {
			return 0, err
		}
		return 5, nil
	}
	for i := range 20 {
		g.pin("//Charlie", textOf(dag.Sum(dag.Raw, fmt.Append(nil, "nowhere", i))), "")
	}
	p := g.pin("//Bob", textOf(there), "")
	g.await("//Bob", p.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
	close(hold)
}

// Two users see nothing of each other's.
func TestUsersApart(t *testing.T) {
	g := newGateway(t, nil)
	root := g.upload("//Bob", 200, "", part{"a", "", "x"})
	p := g.pin("//Bob", root, "")
	for _, method := range []string{"GET", "DELETE"} {
		g.do("//Charlie", method, "/psa/pins/"+p.RequestID, "", 404, nil)
	}
	g.do("//Charlie", "POST", "/psa/pins/"+p.RequestID, `{"cid":"`+root+`"}`, 404, nil)
	var list struct{ Count int }
	g.do("//Charlie", "GET", "/psa/pins?status=queued,pinning,pinned,failed", "", 200, &list)
	if list.Count != 0 {
		t.Errorf("%d pins", list.Count)
	}
	other := g.pin("//Charlie", root, "")
	if other.RequestID == p.RequestID {
		t.Error("one id for two pins")
	}
	g.do("//Bob", "DELETE", "/psa/pins/"+p.RequestID, "", 202, nil)
	g.pass(2 * uploadLife)
	g.await("//Charlie", other.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
	if g.market.signed != 1 {
		t.Errorf("%d orders of one file", g.market.signed)
	}
}

func TestTokens(t *testing.T) {
	g := newGateway(t, func(c *Config) { c.OnlyExpiring = true })
	pair, err := crypto.ParseURI("//Bob", crypto.Sr25519)
	if err != nil {
		t.Fatal(err)
	}
	now := uint64(g.clock().Unix())
	expired, _ := w3auth.Token(pair, host, now-1)
	foreign, _ := w3auth.Token(pair, "other.example", now+1000)
	permanent, _ := w3auth.Token(pair, "", 0)
	good := g.token("//Bob")
	forged := []byte(good)
	forged[len(forged)-10] ^= 1
	for name, token := range map[string]string{"expired": expired, "for another gateway": foreign, "permanent": permanent, "forged": string(forged), "none": "", "noise": "xyz"} {
		t.Run(name, func(t *testing.T) {
			for _, request := range []string{"GET /psa/pins", "POST /psa/pins", "GET /psa/pins/x", "POST /api/v0/add", "POST /api/v0/dag/import", "GET /psa/other"} {
				method, path, _ := strings.Cut(request, " ")
				g.doAs(token, "application/json", method, path, strings.NewReader("{}"), 401, nil)
			}
		})
	}
	g.doAs(good, "application/json", "GET", "/psa/pins", nil, 200, nil)
	resp, err := http.DefaultClient.Do(must(http.NewRequest("OPTIONS", g.server.URL+"/psa/pins", nil)))
	if err != nil || resp.StatusCode != 204 || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("a preflight: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const absent = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"

func TestFilters(t *testing.T) {
	g := newGateway(t, nil)
	g.fetched = func(engine.Job) (uint64, error) { return 0, engine.ErrNoSource }
	var cids, stamps []string
	names := []string{"Alpha", "alpha", "Alphabet", "beta", "gamma"}
	for i, name := range names {
		c := textOf(dag.Sum(dag.Raw, fmt.Append(nil, i)))
		p := g.pin("//Bob", c, fmt.Sprintf(`,"name":%q,"meta":{"n":"%d","all":"y"}`, name, i))
		g.await("//Bob", p.RequestID, is(Failed))
		cids, stamps = append(cids, c), append(stamps, p.Created)
	}
	nameless := g.pin("//Bob", textOf(dag.Sum(dag.Raw, []byte("nameless"))), "")
	g.await("//Bob", nameless.RequestID, is(Failed))
	q := url.QueryEscape
	cases := []struct {
		query string
		count int
		want  []string
	}{
		{"", 0, nil}, // nothing is pinned
		{"status=failed", 6, []string{"", "gamma", "beta", "Alphabet", "alpha", "Alpha"}},
		{"status=queued,pinning,pinned", 0, nil},
		{"name=alpha", 1, []string{"alpha"}},
		{"name=alpha&match=exact", 1, []string{"alpha"}},
		{"name=alpha&match=iexact", 2, []string{"alpha", "Alpha"}},
		{"name=Alpha&match=partial", 2, []string{"Alphabet", "Alpha"}},
		{"name=alpha&match=ipartial", 3, []string{"Alphabet", "alpha", "Alpha"}},
		{"status=failed&limit=2", 6, []string{"", "gamma"}},
		{"status=failed&limit=2&before=" + q(stamps[4]), 4, []string{"beta", "Alphabet"}},
		{"status=failed&after=" + q(stamps[3]), 2, []string{"", "gamma"}},
		{"cid=" + cids[1] + "," + cids[3], 2, []string{"beta", "alpha"}},
		{"meta=" + q(`{"n":"2"}`), 1, []string{"Alphabet"}},
		{"meta=" + q(`{"n":"2","all":"y"}`), 1, []string{"Alphabet"}},
		{"meta=" + q(`{"n":"2","all":"n"}`), 0, nil},
		{"unknown=parameter&status=failed&limit=1", 6, []string{""}},
	}
	for _, c := range cases {
		var list struct {
			Count   int
			Results []pinStatus
		}
		g.do("//Bob", "GET", "/psa/pins?"+c.query, "", 200, &list)
		var got []string
		for _, p := range list.Results {
			name := ""
			if p.Pin.Name != nil {
				name = *p.Pin.Name
			}
			got = append(got, name)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || list.Count != c.count {
			t.Errorf("%s: count %d, want %d; %s", c.query, list.Count, c.count, diff)
		}
	}
	if !slices.IsSorted(stamps) || len(slices.Compact(slices.Clone(stamps))) != len(stamps) {
		t.Errorf("times of creation %v", stamps)
	}
	long := strings.Repeat("n", 256)
	for _, query := range []string{"limit=0", "limit=1001", "limit=x", "status=lost", "match=fuzzy", "before=yesterday", "after=1", "cid=nocid", "meta=x", "meta=[1]",
		"meta=" + q(`{"a":1}`), "name=" + long, "cid=" + strings.Repeat(cids[0]+",", 11)} {
		g.do("//Bob", "GET", "/psa/pins?"+query, "", 400, nil)
	}
}

func TestBadPins(t *testing.T) {
	g := newGateway(t, nil)
	many := strings.Repeat(`"/ip4/203.0.113.1/tcp/4001/p2p/`+peerID+`",`, 3)
	for _, body := range []string{"", "x", "[]", `{}`, `{"cid":""}`, `{"cid":"nocid"}`, `{"cid":5}`, `{"cid":"` + absent + `","name":"` + strings.Repeat("n", 256) + `"}`,
		`{"cid":"` + absent + `","origins":["/ip4/1.2.3.4/tcp/1"]}`, `{"cid":"` + absent + `","origins":["x"]}`, `{"cid":"` + absent + `","meta":{"a":1}}`,
		`{"cid":"` + absent + `","name":"` + strings.Repeat("n", maxBody) + `"}`} {
		g.do("//Bob", "POST", "/psa/pins", body, 400, nil)
	}
	if p := g.pin("//Bob", absent, `,"name":null,"origins":[`+strings.TrimSuffix(many, ",")+`]`); len(p.Pin.Origins) != 1 {
		t.Errorf("got %+v", p)
	}
	for _, method := range []string{"PUT", "PATCH", "DELETE"} {
		g.do("//Bob", method, "/psa/pins", "", 405, nil)
	}
	g.do("//Bob", "GET", "/psa/other", "", 404, nil)
	g.do("//Bob", "GET", "/psa/pins/"+strings.Repeat("0", 32), "", 404, nil)
}

func TestReplace(t *testing.T) {
	g := newGateway(t, nil)
	a, b := g.upload("//Bob", 200, "", part{"a", "", "a"}), g.upload("//Bob", 200, "", part{"b", "", "b"})
	p := g.pin("//Bob", a, `,"name":"one"`)
	var q pinStatus
	g.do("//Bob", "POST", "/psa/pins/"+p.RequestID, `{"cid":"`+b+`","name":"two"}`, 202, &q)
	if q.RequestID == p.RequestID || q.Pin.CID != b {
		t.Errorf("got %+v", q)
	}
	g.do("//Bob", "GET", "/psa/pins/"+p.RequestID, "", 404, nil)
	g.do("//Bob", "GET", "/psa/pins/"+q.RequestID, "", 200, nil)
	g.do("//Bob", "POST", "/psa/pins/"+p.RequestID, `{"cid":"`+b+`"}`, 404, nil)
	// By a pin of the same file, long after the upload: the user still has the file.
	g.pass(2 * uploadLife)
	g.await("//Bob", q.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
	var r pinStatus
	g.do("//Bob", "POST", "/psa/pins/"+q.RequestID, `{"cid":"`+b+`","name":"three"}`, 202, &r)
	g.await("//Bob", r.RequestID, func(p pinStatus) bool { return p.Info["stage"] == "Ordered" })
	g.s.mu.Lock()
	defer g.s.mu.Unlock()
	user := userOf(t, "//Bob")
	delete(g.s.used, user)
	if used, err := g.s.usage(user); err != nil || used == 0 {
		t.Errorf("%d bytes used, %v", used, err)
	}
}

func userOf(t *testing.T, uri string) w3auth.User {
	t.Helper()
	pair, err := crypto.ParseURI(uri, crypto.Sr25519)
	if err != nil {
		t.Fatal(err)
	}
	return w3auth.SubstrateUser(pair.Account())
}

// What no user refers to is gone after a start: here, a fetch that nobody noted.
func TestSweep(t *testing.T) {
	g := newGateway(t, nil)
	kept := g.upload("//Bob", 200, "", part{"a", "", "kept"})
	s, err := g.db.Begin(t.Context(), dag.Sum(dag.Raw, []byte("left")), 100)
	if err == nil {
		_, err = s.Put(t.Context(), []vault.Block{{CID: dag.Sum(dag.Raw, []byte("left")), Data: []byte("left")}})
	}
	if err == nil {
		_, err = s.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	g.stop()
	g.open()
	for c, want := range map[dag.CID]bool{dagOf(t, kept): true, dag.Sum(dag.Raw, []byte("left")): false} {
		if has, err := g.db.Has(t.Context(), c); err != nil || has != want {
			t.Errorf("%v: %v, %v; want %v", c, has, err, want)
		}
	}
}
