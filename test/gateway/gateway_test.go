package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/crustgo/crust/client"
	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/dsm/w3auth"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/test/program"
	"github.com/crustgo/crust/test/testnet"
)

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

// world is a chain, and a gateway that may be killed and started again.
type world struct {
	t       *testing.T
	node    string // its RPC
	base    string // the gateway's base path
	token   string
	http    string // the gateway's address
	gateway *exec.Cmd
	ended   chan struct{}
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("runs processes")
	}
	n, err := testnet.New(testnet.Config{Program: program.Path(), Dir: t.TempDir(), Validators: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(func() {
		cancel()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, base: filepath.Join(t.TempDir(), "gateway"), node: n.Nodes[0].URL("ws")}
	pair, err := crypto.ParseURI("//Bob", crypto.Sr25519)
	if err != nil {
		t.Fatal(err)
	}
	if w.token, err = w3auth.Token(pair, "gw.test", uint64(time.Now().Unix())+3600); err != nil {
		t.Fatal(err)
	}
	w.open()
	return w
}

// start runs a program until the test ends; line is called with what it logs.
func (w *world) start(cmd *exec.Cmd, line func(string)) (ended chan struct{}) {
	w.t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	var last []string
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			if line != nil {
				line(lines.Text())
			}
			last = append(last[max(0, len(last)-30):], lines.Text())
		}
		_ = cmd.Wait()
	}()
	w.t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Signal(os.Interrupt) // if it is still there
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = cmd.Process.Kill()
			<-ended
			w.t.Error("the program did not stop")
		}
		if w.t.Failed() {
			w.t.Logf("%s:\n%s", cmd.Args[1], strings.Join(last, "\n"))
		}
	})
	return ended
}

// open starts the gateway.
func (w *world) open() {
	w.t.Helper()
	w.gateway = exec.Command(program.Path(), "gateway", "--node-url", w.node, "--suri", "//Alice", "--base-path", w.base, "--host", "gw.test",
		"--http", "127.0.0.1:0", "--swarm-addr", "/ip4/127.0.0.1/tcp/0", "--prometheus-port", "0", "--stop-with-stdin")
	address := make(chan string, 1)
	pattern := regexp.MustCompile(`gateway.* http=([0-9.:]+)`)
	w.ended = w.start(w.gateway, func(line string) {
		if m := pattern.FindStringSubmatch(line); m != nil {
			address <- m[1]
		}
	})
	select {
	case a := <-address:
		w.http = "http://" + a
	case <-w.ended:
		w.t.Fatal("the gateway ended")
	case <-time.After(2 * time.Minute):
		w.t.Fatal("the gateway does not start")
	}
}

// kill ends the gateway as a power failure would, but for what the disk has not got.
func (w *world) kill() {
	w.t.Helper()
	if err := w.gateway.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	<-w.ended
}

func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	for range 1800 {
		if ok() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.t.Fatalf("waited in vain until %s", what)
}

// ask sends a request of the user's and reads the answer.
func (w *world) ask(method, path, kind string, body io.Reader, want int) []byte {
	w.t.Helper()
	r, err := http.NewRequest(method, w.http+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != want {
		w.t.Fatalf("%s %s: %d, want %d: %.300s %v", method, path, resp.StatusCode, want, b, err)
	}
	return b
}

func (w *world) upload(name string, content []byte) (root string) {
	w.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	f, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = f.Write(content)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	_ = form.Close()
	var line struct{ Hash string }
	if err := json.Unmarshal(w.ask("POST", "/api/v0/add", form.FormDataContentType(), &b, 200), &line); err != nil {
		w.t.Fatal(err)
	}
	return line.Hash
}

// pinStatus is what the test reads of a pin.
type pinStatus struct {
	RequestID, Status string
	Delegates         []string
	Info              map[string]string
}

func (w *world) pin(root string) (p pinStatus) {
	w.t.Helper()
	if err := json.Unmarshal(w.ask("POST", "/psa/pins", "application/json", strings.NewReader(`{"cid":"`+root+`"}`), 202), &p); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) awaitOrder(id string) (p pinStatus) {
	w.t.Helper()
	w.await("pin "+id+" is ordered", func() bool {
		if err := json.Unmarshal(w.ask("GET", "/psa/pins/"+id, "", nil, 200), &p); err != nil {
			w.t.Fatal(err)
		}
		return p.Info["stage"] == "Ordered"
	})
	return p
}

func TestGateway(t *testing.T) {
	w := newWorld(t)
	content := make([]byte, 3_000_000)
	for i := range content {
		content[i] = byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*7
	}
	first := w.upload("first.bin", content)
	a := w.pin(first)
	if p := w.awaitOrder(a.RequestID); p.Status != "pinning" {
		t.Errorf("ordered it is %+v", p)
	}
	// A second one, and the power fails right after the answer.
	second := w.upload("second.bin", content[1:])
	b := w.pin(second)
	w.kill()
	w.open()
	w.ask("GET", "/psa/pins/"+a.RequestID, "", nil, 200)
	p := w.awaitOrder(b.RequestID)
	var list struct{ Count int }
	if err := json.Unmarshal(w.ask("GET", "/psa/pins?status=queued,pinning,pinned,failed", "", nil, 200), &list); err != nil || list.Count != 2 {
		t.Errorf("%d pins, %v", list.Count, err)
	}
	for root, want := range map[string][]byte{first: content, second: content[1:]} {
		if got := w.ask("GET", "/ipfs/"+root, "", nil, 200); sha256.Sum256(got) != sha256.Sum256(want) {
			t.Errorf("%s comes back as %d bytes", root, len(got))
		}
	}
	w.checkChain(first, second)
	w.fetch(second, p.Delegates, uint64(len(content)-1))
}

// checkChain asks the chain itself: both files are ordered, and each was paid once.
func (w *world) checkChain(roots ...string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	c, err := client.Dial(ctx, w.node, client.Config{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	for _, root := range roots {
		v, err := c.Call(ctx, client.Best, "MarketApi", "order", metadata.Bytes(root))
		if payers, _ := metadata.Get(v, "payers"); err != nil || payers != uint64(1) {
			w.t.Errorf("the order of %s is %v, %v", root, v, err)
		}
	}
	alice, err := crypto.ParseURI("//Alice", crypto.Sr25519)
	if err != nil {
		w.t.Fatal(err)
	}
	if n, err := c.Nonce(ctx, alice.Account()); err != nil || n != uint32(len(roots)) {
		w.t.Errorf("the payer sent %d transactions for %d files, %v", n, len(roots), err)
	}
}

// TestPinned takes a file from a user to a storage node that proves it, and gets it back
// from there: the whole network on this machine.
func TestPinned(t *testing.T) {
	if testing.Short() {
		t.Skip("runs processes")
	}
	base := t.TempDir()
	w := &world{t: t, base: base}
	port := program.Ports(t, 3)
	w.start(exec.Command(program.Path(), "devnet", "--validators", "1", "--storage", "1", "--gateways", "1", "--srd", "16MiB",
		"--base-path", base, "--base-port", fmt.Sprint(port)), nil)
	w.await("the network is ready", func() bool {
		_, err := os.Stat(filepath.Join(base, "devnet.json"))
		return err == nil
	})
	var network struct {
		Gateways []struct{ HTTP, Token string }
	}
	b, err := os.ReadFile(filepath.Join(base, "devnet.json"))
	if err == nil {
		err = json.Unmarshal(b, &network)
	}
	if err != nil || len(network.Gateways) != 1 {
		t.Fatalf("%v: %s", err, b)
	}
	w.http, w.token = network.Gateways[0].HTTP, network.Gateways[0].Token
	content := bytes.Repeat([]byte("a file that a storage node proves\n"), 30_000)
	root := w.upload("file", content)
	p := w.pin(root)
	var seen []string
	w.await("the file is pinned", func() bool {
		if err := json.Unmarshal(w.ask("GET", "/psa/pins/"+p.RequestID, "", nil, 200), &p); err != nil {
			t.Fatal(err)
		}
		if len(seen) == 0 || seen[len(seen)-1] != p.Status {
			seen = append(seen, p.Status)
		}
		return p.Status == "pinned"
	})
	if p.Info["live_replicas"] != "1" || p.Info["pinned_until"] == "" || len(seen) < 2 {
		t.Errorf("pinned it is %+v after %v", p, seen)
	}
	var routing struct {
		Providers []struct {
			ID    string
			Addrs []string
		}
	}
	if err := json.Unmarshal(w.ask("GET", "/routing/v1/providers/"+root, "", nil, 200), &routing); err != nil || len(routing.Providers) != 2 {
		t.Fatalf("providers %+v, %v", routing, err)
	}
	storage := routing.Providers[1]
	w.fetch(root, []string{storage.Addrs[0] + "/p2p/" + storage.ID}, uint64(len(content)))
}

// fetch gets a file as a storage node does: by Bitswap, from one of those who have it.
func (w *world) fetch(root string, delegates []string, atLeast uint64) {
	w.t.Helper()
	db, err := vault.Open(w.t.TempDir())
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	e, err := engine.Open(engine.Config{Key: [32]byte{1}, Store: db})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	origins, err := engine.Origins(delegates)
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := dag.Parse(root)
	if err != nil {
		w.t.Fatal(err)
	}
	size, err := e.Fetch(w.t.Context(), engine.Job{Root: key, Limit: 4 << 20, Into: db, Origins: origins})
	if err != nil || size < atLeast {
		w.t.Errorf("fetched %d bytes, %v", size, err)
	}
}
