package doctor

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	if d := folder(dir, true, 7); d.Error != "" || d.Free == 0 || d.Reserve != 7 || !d.Disk {
		t.Errorf("%+v", d)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left behind", left)
	}
	if d := folder(filepath.Join(dir, "away"), true, 0); d.Error != "no such file or directory" {
		t.Errorf("%+v", d)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if d := folder(file, false, 0); d.Error == "" {
		t.Errorf("a file is taken for a folder: %+v", d)
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"node.key": 0o644, "enclave.state": 0o600, "chains/dev/keystore/6261": 0o600, "chains/dev/db/1.sst": 0o644, "notes": 0o644} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), mode); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, s := range secrets(dir) {
		name, _ := filepath.Rel(dir, s.Path)
		got = append(got, fmt.Sprintf("%s %o", name, s.Mode.Perm()))
	}
	slices.Sort(got)
	if text := strings.Join(got, ", "); text != "chains/dev/keystore/6261 600, enclave.state 600, node.key 644" {
		t.Error(text)
	}
}

// TestNothingRuns looks where nothing answers, or something else does.
func TestNothingRuns(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	taken := l.Addr().(*net.TCPAddr)
	f := &Facts{}
	f.ports(Port{Number: uint16(taken.Port), What: "x"}, Port{Number: uint16(taken.Port), What: "the same"})
	if len(f.Ports) != 1 || f.Ports[0].Error != "address already in use" {
		t.Errorf("%+v", f.Ports)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	defer other.Close()
	defer page.Close()
	l.Close() // after they have got ports of their own
	f = Look(t.Context(), Config{Roles: []Role{StorageNode, Gateway}, URL: "ws://" + taken.String(), API: other.URL, Gateway: page.URL})
	if want := "ws://" + taken.String() + ": connection refused"; f.Node.Error != want {
		t.Errorf("%q, want %q", f.Node.Error, want)
	}
	if want := other.URL + ": it answers 404 Not Found: is it another program?"; f.Storage.Error != want {
		t.Errorf("%q, want %q", f.Storage.Error, want)
	}
	if want := page.URL + ": its answer is no JSON: is it another program?"; f.Gateway.Error != want {
		t.Errorf("%q, want %q", f.Gateway.Error, want)
	}
	if f.Worker != nil || f.Validator != nil || f.Accounts != nil {
		t.Error("the chain was read without a node")
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{"/ip4/1.2.3.4/tcp/5/p2p/x": "1.2.3.4:5", "/ip6/::1/tcp/5/ws/p2p/x": "[::1]:5", "/dns/a.example/tcp/443/tls/ws/p2p/x": "a.example:443", "/ip4/1.2.3.4/udp/5/quic-v1/p2p/x": "", "": ""} {
		if got, _ := tcp(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for url, want := range map[string]uint16{"ws://127.0.0.1:9944": 9944, "http://localhost:80/": 80, "ws://[::1]:7": 7, "wss://rpc.example.com:443": 0, "ws://127.0.0.1": 0, "ws://127.0.0.1:0": 0} {
		if got, _ := localPort(url); got != want {
			t.Errorf("%s: %d, want %d", url, got, want)
		}
	}
}

// TestStorageAnswers reads what a storage node answers, and does not write where another
// machine says.
func TestStorageAnswers(t *testing.T) {
	dir := t.TempDir()
	answers := map[string]string{
		"/health":   `{"registered":true,"error":"no fee"}`,
		"/workload": `{"account":"0x01","filler":{"targetBytes":30,"completeBytes":20,"provenBytes":10},"freeBytes":7,"chain":{"best":5}}`,
		"/disks":    fmt.Sprintf(`[{"dir":%q,"freeBytes":9,"error":"input/output error"}]`, dir),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, answers[r.URL.Path]) }))
	defer server.Close()
	f := &Facts{}
	if account := f.lookStorage(t.Context(), &Config{API: server.URL, Reserve: 3}, "flag"); account != "0x01" {
		t.Errorf("account %q", account)
	}
	if want := (StorageFacts{URL: server.URL, Trouble: "no fee", Target: 30, Complete: 20, Proven: 10, Free: 7, Best: 5}); *f.Storage != want {
		t.Errorf("%+v, want %+v", *f.Storage, want)
	}
	if d := f.Folders[0]; d.Path != dir || !d.Disk || d.Failed != "input/output error" || d.Reserve != 3 || d.Free == 9 || d.Error != "" {
		t.Errorf("%+v", d)
	}
	// The same, as if it came from elsewhere.
	f = &Facts{}
	f.lookStorage(t.Context(), &Config{API: strings.Replace(server.URL, "127.0.0.1", "0.0.0.0", 1), Reserve: 3}, "")
	if len(f.Folders) != 1 || f.Folders[0].Free != 9 || f.Folders[0].Reserve != 0 {
		t.Errorf("%+v, %+v", f.Folders, f.Storage)
	}
}
