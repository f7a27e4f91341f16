package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/crustgo/crust/dsm/vault"
)

func TestEndpoint(t *testing.T) {
	store, err := vault.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	e, err := Open(Config{Key: [32]byte{1}, Listen: []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	p := e.Endpoint()
	if len(p.Peer) != 38 || len(p.Addresses) != 2 {
		t.Fatalf("%d bytes of peer id, %d addresses", len(p.Peer), len(p.Addresses))
	}
	other, err := Open(Config{Key: [32]byte{2}, Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for _, text := range p.Texts() {
		if err := other.Connect(context.Background(), text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	memo := "folder from " + strings.Join(p.Texts(), "\n") + " /ip4/1.2.3.4/tcp/1 /nonsense"
	if got := OriginsIn(memo); len(got) != 2 || got[0].ID != e.host.ID() {
		t.Errorf("origins of the memo: %v", got)
	}
	if bad := (Endpoint{Peer: []byte("x"), Addresses: p.Addresses}); bad.Texts() != nil {
		t.Errorf("no peer: %v", bad.Texts())
	}
	if bad := (Endpoint{Peer: p.Peer, Addresses: [][]byte{{255}, nil}}); len(bad.Texts()) != 0 {
		t.Errorf("no addresses: %v", bad.Texts())
	}
}
