package pinning

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/crustgo/crust/dsm/w3auth"
	"github.com/crustgo/crust/mpow/dag"
)

func TestQuota(t *testing.T) {
	g := newGateway(t, func(c *Config) { c.MaxPins = 3 })
	noise := func(seed byte) string {
		b := make([]byte, 600_000)
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
		return string(b)
	}
	large := noise(1)
	root := g.upload("//Bob", 200, "", part{"a", "", large})
	g.upload("//Bob", 413, "", part{"b", "", noise(2)})
	g.upload("//Charlie", 200, "", part{"b", "", noise(2)})
	for range 3 {
		g.pin("//Bob", root, "")
	}
	g.do("//Bob", "POST", "/psa/pins", `{"cid":"`+root+`"}`, 403, nil)
}

func TestUploads(t *testing.T) {
	g := newGateway(t, nil)
	if got := g.upload("//Bob", 200, "?cid-version=1", part{"h", "", "hello world"}); got != "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e" {
		t.Errorf("version 1 is %s", got)
	}
	if got := g.upload("//Bob", 200, "", part{"h", "", "hello world"}); got != "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD" {
		t.Errorf("version 0 is %s", got)
	}
	// As kubo's client sends a tree, and as a browser does.
	const moons = "QmbGoaQZm8kjYfCiN1aBsgwhqfUBGDYTrDb91Mz7Dvq81B"
	kubo := g.upload("//Bob", 200, "?progress=true", part{"moons", "application/x-directory", ""}, part{"moons%2Fjupiter", "application/x-directory", ""},
		part{"moons%2Fjupiter%2Feuropa.txt", "application/octet-stream", "Hello Europa!\n"}, part{"moons%2Fmercury.txt", "application/octet-stream", "hey you are no moon!\n"},
		part{"moons%2Fsaturn%2Ftitan.txt", "application/octet-stream", "Hello Titan!\n"})
	browser := g.upload("//Bob", 200, "", part{"moons/jupiter/europa.txt", "", "Hello Europa!\n"}, part{"moons/mercury.txt", "", "hey you are no moon!\n"}, part{"moons/saturn/titan.txt", "", "Hello Titan!\n"})
	if kubo != moons || browser != moons {
		t.Errorf("the tree is %s and %s", kubo, browser)
	}
	wrapped := g.upload("//Bob", 200, "?wrap-with-directory=true", part{"h", "", "hello world"})
	if has, err := g.db.Has(t.Context(), dagOf(t, wrapped)); err != nil || !has || wrapped == "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD" {
		t.Errorf("wrapped it is %s", wrapped)
	}
	for _, name := range []string{"..%2Fx", "a%2F..%2Fb", "%2Fetc%2Fpasswd", "a%00b", "..", "a//b", "../x"} {
		g.upload("//Bob", 400, "", part{name, "", "x"})
	}
	g.upload("//Bob", 400, "", part{"a", "", "x"}, part{"a", "", "y"})
	g.upload("//Bob", 400, "", part{"l", "application/symlink", "/etc/passwd"})
	g.upload("//Bob", 400, "")
	for _, query := range []string{"?chunker=size-1024", "?only-hash=true", "?hash=sha3-512", "?cid-version=2", "?trickle=true"} {
		g.upload("//Bob", 400, query, part{"a", "", "x"})
	}
	packed := must(http.NewRequest("POST", g.server.URL+"/api/v0/add", strings.NewReader("x")))
	packed.Header.Set("Authorization", "Bearer "+g.token("//Bob"))
	packed.Header.Set("Content-Encoding", "gzip")
	if resp, err := http.DefaultClient.Do(packed); err != nil || resp.StatusCode != 415 {
		t.Errorf("a packed body: %v, %v", resp, err)
	} else {
		_ = resp.Body.Close()
	}
	kind, body := form(part{"a", "", "hello"})
	whole := must(io.ReadAll(body))
	g.doAs(g.token("//Bob"), kind, "POST", "/api/v0/add", bytes.NewReader(whole[:len(whole)-70]), 400, nil)
	g.doAs(g.token("//Bob"), "text/plain", "POST", "/api/v0/add", strings.NewReader("x"), 400, nil)
	g.do("//Bob", "GET", "/api/v0/add", "", 405, nil)
	g.do("//Bob", "POST", "/api/v0/config/show", "", 404, nil)
}

func TestArchives(t *testing.T) {
	g := newGateway(t, nil)
	token := g.token("//Bob")
	good := carOf(t, "hello")
	var text string
	g.doAs(token, "application/vnd.ipld.car", "POST", "/api/v0/dag/import", bytes.NewReader(good), 200, &text)
	if !strings.Contains(text, textOf(dag.Sum(dag.Raw, []byte("hello")))) {
		t.Errorf("got %s", text)
	}
	kind, body := form(part{"x.car", "", string(good)})
	g.doAs(token, kind, "POST", "/api/v0/dag/import", body, 200, nil)
	forged := bytes.Replace(good, []byte("hello"), []byte("jello"), 1)
	for _, bad := range [][]byte{nil, []byte("no archive"), good[:len(good)-2], forged} {
		g.doAs(token, "application/vnd.ipld.car", "POST", "/api/v0/dag/import", bytes.NewReader(bad), 400, nil)
	}
	g.doAs(token, "application/vnd.ipld.car", "POST", "/api/v0/dag/import", bytes.NewReader(carOf(t, strings.Repeat("x", 1<<20+1))), 413, nil)
}

// A user cannot take all places for uploads.
func TestUploadsAtOnce(t *testing.T) {
	var n uploads
	for range maxOwn {
		if !n.begin("bob") {
			t.Fatal("refused")
		}
	}
	if n.begin("bob") || !n.begin("charlie") {
		t.Error("places are not shared out")
	}
	n.end("bob")
	if !n.begin("bob") {
		t.Error("a place that is free again is not given")
	}
	for i := range maxUploads {
		n.begin(w3auth.User(fmt.Sprint(i)))
	}
	if n.begin("dave") || n.all != maxUploads {
		t.Errorf("%d uploads at once", n.all)
	}
}
