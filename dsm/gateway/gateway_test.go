package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gocid "github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"

	"github.com/crustgo/crust/dsm/importer"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// site is what the tests serve: a directory with a long file, a page and an archive
// of equal blocks.
type site struct {
	url     string
	db      *vault.DB
	entries map[string]importer.Entry
	long    []byte
}

func newSite(t *testing.T, change func(*Config)) site {
	t.Helper()
	db, err := vault.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	into, err := db.Import(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := site{db: db, entries: map[string]importer.Entry{}, long: make([]byte, 900_000)}
	for i := range s.long {
		s.long[i] = byte(i>>8) + 31*byte(i>>16)
	}
	i := importer.New(into, importer.Kubo, importer.Limits{Bytes: 1 << 30})
	for path, content := range map[string][]byte{
		"long.bin": s.long, "twice.bin": append(bytes.Repeat([]byte{7}, 256<<10), bytes.Repeat([]byte{7}, 256<<10)...),
		"hello.txt": []byte("hello\n"), "web/index.html": []byte("<h1>home</h1>"), "web/a ü.txt": []byte("ü"), "sub/x": []byte("x")} {
		if _, err := i.File(t.Context(), path, bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := i.Finish(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		s.entries[e.Path] = e
	}
	if _, err := into.Finish(t.Context(), s.entries[""].CID, 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := into.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Store: db, Deserialized: true}
	if change != nil {
		change(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() { server.Close(); _ = db.Close() })
	s.url = server.URL
	return s
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request; headers are pairs of a name and a value.
func (s site) ask(t *testing.T, method, path string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for h := range slices.Chunk(headers, 2) {
		r.Header.Set(h[0], h[1])
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, body}
}

func (s site) path(name string) string { return "/ipfs/" + s.entries[name].Text }

// want compares an answer's status and headers: a value that begins with ~ must be
// contained, and one that is - must not be there.
func (a answer) want(t *testing.T, status int, headers ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d: %.200s", a.status, status, a.body)
	}
	for h := range slices.Chunk(headers, 2) {
		got := strings.Join(a.header.Values(h[0]), ", ")
		part, contains := strings.CutPrefix(h[1], "~")
		if contains && !strings.Contains(got, part) || !contains && h[1] != "-" && got != h[1] || h[1] == "-" && got != "" {
			t.Errorf("header %s is %q, want %q", h[0], got, h[1])
		}
	}
}

const (
	acceptRaw = "application/vnd.ipld.raw"
	acceptCAR = "application/vnd.ipld.car"
	immutable = "public, max-age=29030400, immutable"
)

func TestTrustlessBlocks(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Deserialized = false })
	root := s.path("")
	block, err := s.db.Get(t.Context(), s.entries[""].CID)
	if err != nil {
		t.Fatal(err)
	}
	for _, request := range [][]string{{root, "Accept", acceptRaw}, {root + "?format=raw"}, {root + "?format=raw", "Accept", "text/html"}} {
		a := s.ask(t, "GET", request[0], request[1:]...)
		a.want(t, 200, "Content-Type", acceptRaw, "Cache-Control", immutable, "X-Content-Type-Options", "nosniff",
			"Content-Disposition", "~attachment", "Etag", `"`+s.entries[""].Text+`.raw"`, "X-Ipfs-Path", root, "X-Ipfs-Roots", s.entries[""].Text,
			"Access-Control-Allow-Origin", "*")
		if !bytes.Equal(a.body, block) {
			t.Errorf("%v: %d bytes, want the root block", request, len(a.body))
		}
	}
	head := s.ask(t, "HEAD", root, "Accept", acceptRaw)
	head.want(t, 200, "Content-Type", acceptRaw, "Etag", `"`+s.entries[""].Text+`.raw"`)
	for _, etag := range []string{`"` + s.entries[""].Text + `.raw"`, `W/"` + s.entries[""].Text + `.raw"`, "*"} {
		s.ask(t, "GET", root, "Accept", acceptRaw, "If-None-Match", etag).want(t, 304)
	}
	// Everything that a client could not verify is refused.
	s.ask(t, "GET", root).want(t, 406)
	s.ask(t, "GET", s.path("hello.txt")).want(t, 406)
	s.ask(t, "GET", root+"?format=tar").want(t, 406)
	s.ask(t, "GET", root+"/hello.txt", "Accept", acceptRaw).want(t, 406)
	s.ask(t, "GET", "/ipfs/"+absent.String(), "Accept", acceptRaw).want(t, 404)
	s.ask(t, "GET", "/ipfs/nocid", "Accept", acceptRaw).want(t, 400)
	s.ask(t, "POST", root, "Accept", acceptRaw).want(t, 405, "Allow", "GET, HEAD, OPTIONS")
	s.ask(t, "OPTIONS", root).want(t, 200, "Access-Control-Allow-Methods", "~GET")
	s.ask(t, "GET", "/ipfs/bafkqaaa?format=raw").want(t, 200)
	s.ask(t, "HEAD", "/ipfs/bafkqaaa", "Accept", acceptRaw).want(t, 200)
	s.ask(t, "GET", root, "Accept", acceptRaw, "Cache-Control", "only-if-cached").want(t, 200)
	s.ask(t, "GET", "/ipfs/"+absent.String(), "Accept", acceptRaw, "Cache-Control", "only-if-cached").want(t, 412)
	s.ask(t, "HEAD", "/ipfs/"+absent.String(), "Accept", acceptRaw, "Cache-Control", "only-if-cached").want(t, 412)
	s.ask(t, "GET", "/ipns/example.com", "Accept", acceptRaw).want(t, 501)
	// Both versions of a CID are the same block.
	v1 := gocid.NewCidV1(gocid.DagProtobuf, mustCid(t, s.entries[""].Text).Hash())
	if a := s.ask(t, "GET", "/ipfs/"+v1.String()+"?format=raw"); !bytes.Equal(a.body, block) {
		t.Error("version 1 gives another block")
	}
}

var absent = gocid.NewCidV1(gocid.Raw, []byte("\x12\x20abcdefghijklmnopqrstuvwxyz012345"))

func mustCid(t *testing.T, text string) gocid.Cid {
	t.Helper()
	c, err := gocid.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// archive reads a CAR: its roots and the CIDs of its blocks, each of which it checks.
func archive(t *testing.T, a answer) (roots, blocks []string) {
	t.Helper()
	r, err := car.NewBlockReader(bytes.NewReader(a.body))
	if err != nil {
		t.Fatalf("%v: %.200s", err, a.body)
	}
	if r.Version != 1 {
		t.Errorf("CAR version %d", r.Version)
	}
	for _, c := range r.Roots {
		roots = append(roots, c.String())
	}
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return roots, blocks
		}
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, b.Cid().String())
	}
}

// leaves are the blocks of a file of one level, root first.
func (s site) leaves(t *testing.T, name string) []string {
	t.Helper()
	data, err := s.db.Get(t.Context(), s.entries[name].CID)
	if err != nil {
		t.Fatal(err)
	}
	links, err := dag.Links(dag.DagPB, data)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{s.entries[name].Text}
	for _, l := range links {
		c, err := gocid.Cast(l.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, gocid.NewCidV0(c.Hash()).String())
	}
	return out
}

func TestTrustlessCAR(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Deserialized = false })
	root, long, twice := s.path(""), s.leaves(t, "long.bin"), s.leaves(t, "twice.bin")
	top := s.entries[""].Text
	cases := []struct {
		path string
		want []string // blocks in order
		form string
	}{
		{root + "/long.bin?format=car&dag-scope=block", []string{top, long[0]}, "order=dfs; dups=n"},
		{root + "/long.bin?format=car&dag-scope=entity", append([]string{top}, long...), "order=dfs; dups=n"},
		{root + "/long.bin?format=car", append([]string{top}, long...), "order=dfs; dups=n"},
		{root + "?format=car&dag-scope=entity", []string{top}, "order=dfs; dups=n"},
		{root + "?format=car&dag-scope=block", []string{top}, "order=dfs; dups=n"},
		{root + "/twice.bin?format=car", []string{top, twice[0], twice[1]}, "order=dfs; dups=n"},
		{root + "/twice.bin?format=car&car-dups=y&car-order=dfs", []string{top, twice[0], twice[1], twice[1]}, "order=dfs; dups=y"},
		{s.path("long.bin") + "?format=car&dag-scope=entity&entity-bytes=0:0", []string{long[0], long[1]}, "order=dfs; dups=n"},
		{s.path("long.bin") + "?format=car&dag-scope=entity&entity-bytes=262144:*", append([]string{long[0]}, long[2:]...), "order=dfs; dups=n"},
		{s.path("long.bin") + "?format=car&dag-scope=entity&entity-bytes=-1:*", []string{long[0], long[4-0]}, "order=dfs; dups=n"},
		{s.path("long.bin") + "?format=car&dag-scope=entity&entity-bytes=262144:262145", []string{long[0], long[2]}, "order=dfs; dups=n"},
	}
	for _, c := range cases {
		t.Run(c.path, func(t *testing.T) {
			a := s.ask(t, "GET", c.path)
			a.want(t, 200, "Content-Type", "application/vnd.ipld.car; version=1; "+c.form, "Cache-Control", immutable, "X-Content-Type-Options", "nosniff",
				"Content-Disposition", "~attachment", "Etag", "~\"")
			roots, blocks := archive(t, a)
			if diff := cmp.Diff(c.want, blocks); diff != "" || len(roots) != 1 {
				t.Errorf("roots %v; %s", roots, diff)
			}
			s.ask(t, "HEAD", c.path).want(t, 200, "Content-Type", "~application/vnd.ipld.car")
			s.ask(t, "GET", c.path, "If-None-Match", a.header.Get("Etag")).want(t, 304)
		})
	}
	whole := s.ask(t, "GET", root, "Accept", acceptCAR+"; version=1; order=dfs; dups=n")
	if _, blocks := archive(t, whole); len(blocks) < 14 || blocks[0] != top {
		t.Errorf("the whole graph has %d blocks", len(blocks))
	}
	// That a path leads nowhere is proven by the blocks that would lead there.
	if _, blocks := archive(t, s.ask(t, "GET", root+"/nothing?format=car")); !slices.Equal(blocks, []string{top}) {
		t.Errorf("the proof of absence is %v", blocks)
	}
	for path, status := range map[string]int{
		root + "?format=car&dag-scope=some": 400, root + "?format=car&entity-bytes=x": 400, root + "?format=car&entity-bytes=5:1": 400,
		root + "?format=car&car-version=2": 400, root + "?format=car&car-order=bfs": 400, root + "?format=car&car-dups=maybe": 400,
		"/ipfs/" + absent.String() + "?format=car": 404,
	} {
		if a := s.ask(t, "GET", path); a.status != status {
			t.Errorf("%s: status %d, want %d: %.100s", path, a.status, status, a.body)
		}
	}
}

func TestPathGateway(t *testing.T) {
	s := newSite(t, nil)
	root := s.path("")
	a := s.ask(t, "GET", root+"/hello.txt")
	a.want(t, 200, "Content-Type", "text/plain; charset=utf-8", "Cache-Control", immutable, "Etag", `"`+s.entries["hello.txt"].Text+`"`,
		"X-Ipfs-Path", root+"/hello.txt", "X-Ipfs-Roots", s.entries[""].Text+","+s.entries["hello.txt"].Text, "Content-Length", "6", "Accept-Ranges", "bytes")
	if string(a.body) != "hello\n" {
		t.Errorf("body %q", a.body)
	}
	s.ask(t, "GET", root+"/hello.txt", "If-None-Match", a.header.Get("Etag")).want(t, 304)
	s.ask(t, "GET", root+"/hello.txt", "If-None-Match", `"other"`).want(t, 200)
	s.ask(t, "HEAD", root+"/hello.txt").want(t, 200, "Content-Length", "6")
	s.ask(t, "GET", root+"/hello.txt?filename=other.md&download=true").want(t, 200, "Content-Disposition", `~attachment; filename="other.md"`)
	s.ask(t, "GET", root+"/nothing").want(t, 404)
	s.ask(t, "GET", "/ipfs/"+absent.String()).want(t, 404)
	s.ask(t, "GET", "/ipfs/nocid").want(t, 400)
	s.ask(t, "PUT", root+"/hello.txt").want(t, 405, "Allow", "GET, HEAD, OPTIONS")

	long := root + "/long.bin"
	for _, c := range []struct {
		ranges   string
		from, to int
	}{{"bytes=0-9", 0, 10}, {"bytes=262140-262150", 262140, 262151}, {"bytes=899990-", 899990, 900000}, {"bytes=-5", 899995, 900000}, {"bytes=5-5,9-9", 5, 6}} {
		a := s.ask(t, "GET", long, "Range", c.ranges)
		a.want(t, 206, "Content-Range", "~bytes ")
		if !bytes.Equal(a.body, s.long[c.from:c.to]) {
			t.Errorf("%s: %d bytes", c.ranges, len(a.body))
		}
	}
	s.ask(t, "GET", long, "Range", "bytes=900000-").want(t, 416)
	if a := s.ask(t, "GET", long); !bytes.Equal(a.body, s.long) {
		t.Errorf("the long file has %d bytes", len(a.body))
	}

	s.ask(t, "GET", root+"/web").want(t, 301, "Location", root+"/web/")
	a = s.ask(t, "GET", root+"/web/")
	a.want(t, 200, "Content-Type", "text/html", "Cache-Control", immutable, "Etag", `"`+s.entries["web"].Text+`"`)
	if string(a.body) != "<h1>home</h1>" {
		t.Errorf("the page is %q", a.body)
	}
	if a := s.ask(t, "GET", root+"/web/a%20%C3%BC.txt"); string(a.body) != "ü" {
		t.Errorf("a name with a space and ü: %d %q", a.status, a.body)
	}
	a = s.ask(t, "GET", root+"/sub/")
	a.want(t, 200, "Content-Type", "~text/html", "Etag", "~DirIndex-", "Cache-Control", "~max-age")
	if !bytes.Contains(a.body, []byte(`href="/ipfs/`)) || bytes.Contains(a.body, []byte("immutable")) {
		t.Errorf("the listing is %.300s", a.body)
	}
	s.ask(t, "GET", root+"/sub/", "If-None-Match", a.header.Get("Etag")).want(t, 304)
	// What is verifiable is there too.
	s.ask(t, "GET", root+"/hello.txt", "Accept", acceptRaw).want(t, 200, "Content-Type", acceptRaw)
	if _, blocks := archive(t, s.ask(t, "GET", root+"/sub/x?format=car")); len(blocks) != 3 {
		t.Errorf("%d blocks", len(blocks))
	}
}

// A block of a graph is gone: a client must see that the answer is not whole.
func TestMissingBlock(t *testing.T) {
	s := newSite(t, nil)
	gone := s.leaves(t, "long.bin")[3]
	h, err := New(Config{Store: without{s.db, gone}, Deserialized: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	// The status of a CAR is sent before the walk; its end is made unreadable then.
	resp, err := http.Get(server.URL + s.path("long.bin") + "?format=car")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if r, err := car.NewBlockReader(bytes.NewReader(body)); err == nil {
		for err == nil {
			_, err = r.Next()
		}
		if errors.Is(err, io.EOF) {
			t.Error("the archive looks whole")
		}
	}
	if resp, err = http.Get(server.URL + s.path("long.bin")); err != nil {
		t.Fatal(err)
	}
	body, err = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err == nil && resp.StatusCode == 200 {
		t.Errorf("%d bytes and no error", len(body))
	}
}

type without struct {
	vault.Reader
	gone string
}

func (w without) Get(ctx context.Context, c dag.CID) ([]byte, error) {
	x, err := gocid.Cast(c.Bytes())
	if err == nil && gocid.NewCidV0(x.Hash()).String() == w.gone {
		return nil, vault.ErrNotFound
	}
	return w.Reader.Get(ctx, c)
}

func TestRouting(t *testing.T) {
	providers := []Provider{
		{"12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN", []string{"/ip4/203.0.113.1/tcp/4001", "/ip4/203.0.113.1/udp/4001/quic-v1"}, []string{"transport-bitswap"}},
		{"12D3KooWGxP1yRrtBDFYZ2uzxEhAxew8C2zUcLhdBGYZp93fJ7Tm", []string{"/dns4/s.example/tcp/443/tls/http"}, []string{"transport-ipfs-gateway-http"}},
		{"12D3KooWMo5gRbZQ4vRn2bkAA8T5BG1XXwF2pTsedRDBCuBhJQN2", nil, nil},
	}
	known := "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
	s := newSite(t, func(c *Config) {
		c.Replicas = func(_ context.Context, root dag.CID) ([]Provider, error) {
			switch root.String() {
			case known:
				return providers, nil
			case "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH":
				return nil, errors.New("the node does not answer")
			}
			return nil, nil
		}
	})
	list := func(a answer) (ids string) {
		var doc struct {
			Providers []struct {
				Schema, ID string
				Addrs      []string
			}
		}
		if err := json.Unmarshal(a.body, &doc); err != nil || doc.Providers == nil {
			t.Errorf("%v: %s", err, a.body)
		}
		for _, p := range doc.Providers {
			ids += p.ID[len(p.ID)-1:] + strings.Repeat("+", len(p.Addrs))
			if p.Schema != "peer" {
				t.Errorf("schema %q", p.Schema)
			}
		}
		return ids
	}
	path := "/routing/v1/providers/" + known
	for query, want := range map[string]string{
		"": "N++m+2", "?filter-protocols=transport-bitswap": "N++", "?filter-protocols=unknown,transport-ipfs-gateway-http": "m+2",
		"?filter-addrs=quic-v1": "N+", "?filter-addrs=!quic-v1": "N+m+", "?filter-addrs=unknown,http": "m+2", "?filter-addrs=webrtc": "",
	} {
		a := s.ask(t, "GET", path+query)
		a.want(t, 200, "Content-Type", "application/json", "Vary", "~Accept", "Cache-Control", "~max-age=", "Access-Control-Allow-Origin", "*")
		if got := list(a); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	lines := s.ask(t, "GET", path, "Accept", "application/x-ndjson")
	lines.want(t, 200, "Content-Type", "application/x-ndjson")
	if n := bytes.Count(lines.body, []byte("\n")); n != 3 {
		t.Errorf("%d lines", n)
	}
	none := s.ask(t, "GET", "/routing/v1/providers/"+absent.String())
	none.want(t, 200, "Cache-Control", "~max-age=15")
	if list(none) != "" {
		t.Errorf("got %s", none.body)
	}
	s.ask(t, "GET", "/routing/v1/providers/nocid").want(t, 400)
	s.ask(t, "GET", "/routing/v1/providers/QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH").want(t, 502)
}

func TestTooManyRequests(t *testing.T) {
	hold := make(chan struct{})
	started := make(chan struct{}, 1)
	s := newSite(t, nil)
	h, err := New(Config{Store: blocking{s.db, hold, started}, Requests: 1})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	first := make(chan int, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err := http.Get(server.URL + s.path("") + "?format=raw")
		if err == nil {
			_ = resp.Body.Close()
			first <- resp.StatusCode
		}
	}()
	<-started
	resp, err := http.Get(server.URL + s.path("") + "?format=raw")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	close(hold)
	<-done
	if code := <-first; resp.StatusCode != 429 || code != 200 {
		t.Errorf("the second got %d, the first %d", resp.StatusCode, code)
	}
}

type blocking struct {
	vault.Reader
	hold, started chan struct{}
}

func (b blocking) Get(ctx context.Context, c dag.CID) ([]byte, error) {
	select {
	case b.started <- struct{}{}:
	default:
	}
	<-b.hold
	return b.Reader.Get(ctx, c)
}
