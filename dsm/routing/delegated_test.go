package routing

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/crustgo/crust/mpow/dag"
)

// Peers of the tests.
const (
	someone = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
	another = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
)

func peerRecord(id, rest string) string { return fmt.Sprintf(`{"Schema":"peer","ID":%q%s}`, id, rest) }

const (
	address = `,"Addrs":["/ip4/192.0.2.1/tcp/4001"]`
	speaks  = `,"Protocols":["transport-bitswap","transport-ipfs-gateway-http"]`
)

// answering is a server with one answer, and the requests that it gets.
func answering(t *testing.T, status int, answer string) (url string, asked *[]string) {
	t.Helper()
	asked = new([]string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.String())
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func found(all iter.Seq[peer.AddrInfo]) (ids []string) {
	for p := range all {
		ids = append(ids, p.ID.String())
	}
	slices.Sort(ids)
	return ids
}

func delegates(t *testing.T, urls ...string) *Delegates {
	t.Helper()
	d, err := NewDelegates(urls, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDelegatesAnswer(t *testing.T) {
	long := strings.Repeat(" ", maxAnswer)
	many := make([]string, 0, 3*maxAddrs)
	for i := range cap(many) {
		many = append(many, fmt.Sprintf(`"/ip4/192.0.2.1/tcp/%d"`, 4001+i))
	}
	for name, c := range map[string]struct {
		status  int
		records string
		want    []string
	}{
		"a peer":                      {200, peerRecord(someone, address+speaks), []string{someone}},
		"an id as a CID":              {200, peerRecord(peer.ToCid(must(t, someone)).String(), address+speaks), []string{someone}},
		"a record of old":             {200, strings.Replace(peerRecord(someone, address), "peer", "bitswap", 1), []string{someone}},
		"its protocols are not known": {200, peerRecord(someone, address), []string{someone}},
		"twice":                       {200, peerRecord(someone, address) + "," + peerRecord(someone, address), []string{someone}},
		"two":                         {200, peerRecord(someone, address) + "," + peerRecord(another, address), []string{another, someone}},
		"another schema":              {200, strings.Replace(peerRecord(someone, address), "peer", "announcement", 1), nil},
		"no Bitswap":                  {200, peerRecord(someone, address+`,"Protocols":["transport-graphsync-filecoinv1"]`), nil},
		"no address":                  {200, peerRecord(someone, speaks), nil},
		"no such address":             {200, peerRecord(someone, `,"Addrs":["192.0.2.1:4001","/ip4/300.0.2.1/tcp/4001"]`), nil},
		"somebody else's address":     {200, peerRecord(someone, `,"Addrs":["/ip4/192.0.2.1/tcp/4001/p2p/`+another+`"]`), nil},
		"an address with its own id":  {200, peerRecord(someone, `,"Addrs":["/ip4/192.0.2.1/tcp/4001/p2p/`+someone+`"]`), []string{someone}},
		"no id":                       {200, peerRecord("", address), nil},
		"nobody":                      {200, "", nil},
		"not found":                   {404, peerRecord(someone, address), nil},
		"an error":                    {500, peerRecord(someone, address), nil},
		"too long":                    {200, long + peerRecord(someone, address), nil},
		"not JSON":                    {200, `"`, nil},
		"many addresses":              {200, peerRecord(someone, `,"Addrs":[`+strings.Join(many, ",")+"]"), []string{someone}},
	} {
		t.Run(name, func(t *testing.T) {
			url, asked := answering(t, c.status, `{"Providers":[`+c.records+`]}`)
			d := delegates(t, url)
			if got := found(d.Find(t.Context(), file(1), 10)); !slices.Equal(got, c.want) {
				t.Errorf("found %v, want %v", got, c.want)
			}
			for p := range d.Find(t.Context(), file(1), 10) {
				if len(p.Addrs) > maxAddrs {
					t.Errorf("%d addresses are looked at", len(p.Addrs))
				}
			}
			root, err := cid.Cast(file(1).Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if want := "/routing/v1/providers/" + root.String() + "?filter-protocols=unknown,transport-bitswap"; (*asked)[0] != want {
				t.Errorf("asked for %s, want %s", (*asked)[0], want)
			}
		})
	}
}

func must(t *testing.T, id string) peer.ID {
	t.Helper()
	p, err := peer.Decode(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// One who does not answer takes nothing from the others.
func TestManyDelegates(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	broken, _ := answering(t, 500, "")
	a, _ := answering(t, 200, `{"Providers":[`+peerRecord(someone, address)+`]}`)
	b, _ := answering(t, 200, `{"Providers":[`+peerRecord(someone, address)+","+peerRecord(another, address)+`]}`)
	ids := found(delegates(t, silent.URL, broken, a, b).Find(t.Context(), file(1), 2))
	if !slices.Equal(ids, []string{another, someone}) {
		t.Errorf("found %v", ids)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range delegates(t, silent.URL, a).Find(ctx, file(1), 10) {
		cancel() // while the other is silent
	}
}

func TestDelegateURLs(t *testing.T) {
	const want = "https://delegated.example.com/routing/v1/providers/"
	for _, url := range []string{"https://delegated.example.com", "https://delegated.example.com/", "https://delegated.example.com/routing/v1", "https://delegated.example.com/routing/v1/providers/"} {
		if d := delegates(t, url); d.servers[0] != want {
			t.Errorf("%s is taken for %s", url, d.servers[0])
		}
	}
	if d := delegates(t, "http://127.0.0.1:8080/at/a/path"); d.servers[0] != "http://127.0.0.1:8080/at/a/path/routing/v1/providers/" {
		t.Errorf("a path is taken for %s", d.servers[0])
	}
	for _, urls := range [][]string{{""}, {"delegated.example.com"}, {"ftp://example.com"}, {"https://"}, {"https://example.com?x=1"}, {"https://example.com#x"}, {"://"}, slices.Repeat([]string{"https://example.com"}, maxDelegates+1)} {
		if _, err := NewDelegates(urls, nil); err == nil {
			t.Errorf("%q are servers", urls)
		}
	}
	if d, err := NewDelegates(nil, nil); d != nil || err != nil {
		t.Errorf("none are %v, %v", d, err)
	}
}

// A search asks the servers, then the directory, and neither when who searches has enough.
func TestSources(t *testing.T) {
	if (Sources{}).Finder(file(1), 10) != nil {
		t.Error("there is a search, and nobody to ask")
	}
	servers := network(t, 2)
	has, wants := newHost(t), newHost(t)
	a, b := open(t, has, t.TempDir(), Client, servers[0]), open(t, wants, t.TempDir(), Client, servers[1])
	run(t, a)
	run(t, b)
	a.Announce([]dag.CID{file(1)})
	eventually(t, "finding", func() bool { return finds(t, b, file(1), has) })
	url, _ := answering(t, 200, `{"Providers":[`+peerRecord(someone, address)+`]}`)
	both := Sources{Delegates: delegates(t, url), Directory: b}
	var ids []string
	for p := range both.Finder(file(1), 10)(t.Context()) {
		ids = append(ids, p.ID.String())
	}
	if !slices.Equal(ids, []string{someone, has.ID().String()}) {
		t.Errorf("found %v", ids)
	}
	for p := range both.Finder(file(1), 10)(t.Context()) {
		if p.ID.String() != someone {
			t.Errorf("the directory is asked: %v", p)
		}
		break
	}
}

func FuzzProviders(f *testing.F) {
	f.Add([]byte(`{"Providers":[` + peerRecord(someone, address+speaks) + `]}`))
	f.Add([]byte(`{"Providers":[{"Schema":"peer","ID":"","Addrs":["/p2p-circuit","/p2p/x"]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		found, err := decodeProviders(body)
		if err != nil && found != nil {
			t.Error("providers beside an error")
		}
		for _, p := range found {
			if p.ID.Validate() != nil || len(p.Addrs) == 0 || len(p.Addrs) > maxAddrs {
				t.Errorf("%v", p)
			}
		}
	})
}
