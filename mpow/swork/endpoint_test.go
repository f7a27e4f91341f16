package swork_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/crustgo/crust/mpow/swork"
	"github.com/crustgo/crust/substrate/crypto/ed25519"
	"github.com/crustgo/crust/substrate/frame"
)

var peer = ed25519.FromSeed([32]byte{1, 2, 3})

func peerID(p *ed25519.KeyPair) []byte {
	k := p.Public()
	return append([]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}, k[:]...)
}

// address puts a multiaddress together: numbers are protocols, strings are data.
func address(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = binary.AppendUvarint(b, uint64(p))
		case string:
			b = append(b, p...)
		}
	}
	return b
}

func dns(proto int, name string) []byte { return address(proto, len(name), name) }

var (
	port    = "\x10\xe1"
	public4 = address(4, "\x08\x08\x08\x08", 6, port)
)

func (m *worker) endpoint(addresses ...[]byte) *swork.SetEndpointArgs {
	a := &swork.SetEndpointArgs{Peer: peerID(peer), Addresses: addresses}
	a.Signature = peer.Sign(swork.EndpointMessage(hashOf(0), m.account, addresses))
	return a
}

func (m *worker) setEndpoint(e *frame.Env, addresses ...[]byte) error {
	return m.call(e, "set_endpoint", m.endpoint(addresses...))
}

func TestEndpoint(t *testing.T) {
	w := newWorld(t)
	m := w.register(acc(1))
	w.do(func(e *frame.Env) error { return m.setEndpoint(e, public4) })
	got, ok := w.p.Endpoints.Lookup(w.Env(), acc(1))
	if !ok || !bytes.Equal(got.Peer, peerID(peer)) || len(got.Addresses) != 1 || !bytes.Equal(got.Addresses[0], public4) {
		t.Fatalf("%+v", got)
	}
	v6 := func(prefix string) []byte {
		return address(41, prefix+strings.Repeat("\x01", 16-len(prefix)), 6, port)
	}
	e := w.Runtime.Begin(w.State, w.Header())
	for name, tc := range map[string]struct {
		a    []byte
		want error
	}{
		"quic":               {address(4, "\x08\x08\x08\x08", 273, port, 461), nil},
		"webtransport":       {address(4, "\x08\x08\x08\x08", 273, port, 461, 465), nil},
		"websocket by name":  {append(dns(54, "node.crust.network"), address(6, port, 478)...), nil},
		"tls and websocket":  {append(dns(53, "a-1.example2.org"), address(6, port, 448, 477)...), nil},
		"global v6":          {v6("\x2a\x02"), nil},
		"loopback":           {address(4, "\x7f\x00\x00\x01", 6, port), swork.ErrPrivateAddress},
		"private":            {address(4, "\xc0\xa8\x00\x01", 6, port), swork.ErrPrivateAddress},
		"private 172.31":     {address(4, "\xac\x1f\x00\x01", 6, port), swork.ErrPrivateAddress},
		"public 172.32":      {address(4, "\xac\x20\x00\x01", 6, port), nil},
		"carrier":            {address(4, "\x64\x7f\x00\x01", 6, port), swork.ErrPrivateAddress},
		"metadata service":   {address(4, "\xa9\xfe\xa9\xfe", 6, port), swork.ErrPrivateAddress},
		"multicast":          {address(4, "\xe0\x00\x00\x01", 6, port), swork.ErrPrivateAddress},
		"broadcast":          {address(4, "\xff\xff\xff\xff", 6, port), swork.ErrPrivateAddress},
		"unspecified":        {address(4, "\x00\x00\x00\x00", 6, port), swork.ErrPrivateAddress},
		"v6 loopback":        {v6(strings.Repeat("\x00", 15)), swork.ErrPrivateAddress},
		"v6 local":           {v6("\xfd\x00"), swork.ErrPrivateAddress},
		"v6 link":            {v6("\xfe\x80"), swork.ErrPrivateAddress},
		"v6 mapped":          {v6("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff"), swork.ErrPrivateAddress},
		"v6 documentation":   {v6("\x20\x01\x0d\xb8"), swork.ErrPrivateAddress},
		"v6 to v4":           {v6("\x20\x02"), swork.ErrPrivateAddress},
		"localhost":          {append(dns(53, "localhost"), address(6, port)...), swork.ErrPrivateAddress},
		"a name of the lan":  {append(dns(53, "nas.home.arpa"), address(6, port)...), swork.ErrPrivateAddress},
		"a number as a name": {append(dns(53, "127.0.0.1"), address(6, port)...), swork.ErrPrivateAddress},
		"a name in capitals": {append(dns(53, "A.org"), address(6, port)...), swork.ErrBadEndpoint},
		"a name with a path": {append(dns(53, "a.org/x"), address(6, port)...), swork.ErrBadEndpoint},
		"an empty name":      {append(dns(53, ""), address(6, port)...), swork.ErrBadEndpoint},
		"no port":            {address(4, "\x08\x08\x08\x08"), swork.ErrBadEndpoint},
		"port 0":             {address(4, "\x08\x08\x08\x08", 6, "\x00\x00"), swork.ErrBadEndpoint},
		"half a port":        {address(4, "\x08\x08\x08\x08", 6, "\x01"), swork.ErrBadEndpoint},
		"a relay":            {address(4, "\x08\x08\x08\x08", 6, port, 290), swork.ErrBadEndpoint},
		"a unix socket":      {address(400, 1, "/"), swork.ErrBadEndpoint},
		"half an address":    {address(4, "\x08\x08"), swork.ErrBadEndpoint},
		"a long varint":      {address("\x84\x00", "\x08\x08\x08\x08", 6, port), swork.ErrBadEndpoint},
		"nothing":            {nil, swork.ErrBadEndpoint},
	} {
		if err := m.setEndpoint(e, tc.a); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	long := append(dns(53, strings.Repeat("a.", 120)+"org"), address(6, port)...)
	for name, tc := range map[string]struct {
		a    *swork.SetEndpointArgs
		want error
	}{
		"five":            {m.endpoint(public4, public4, public4, public4, public4), swork.ErrBadEndpoint},
		"four":            {m.endpoint(public4, public4, public4, public4), nil},
		"one that fits":   {m.endpoint(long), nil},
		"too many bytes":  {m.endpoint(long, public4), swork.ErrBadEndpoint},
		"another's key":   {&swork.SetEndpointArgs{Peer: peerID(m.pair), Addresses: [][]byte{public4}, Signature: m.endpoint(public4).Signature}, swork.ErrBadEndpoint},
		"another account": {(&worker{account: acc(2)}).endpoint(public4), swork.ErrBadEndpoint},
		"other addresses": {&swork.SetEndpointArgs{Peer: peerID(peer), Signature: m.endpoint(public4).Signature}, swork.ErrBadEndpoint},
		"another kind":    {&swork.SetEndpointArgs{Peer: append([]byte{0x12, 0x20}, make([]byte, 32)...)}, swork.ErrBadEndpoint},
	} {
		if err := m.call(e, "set_endpoint", tc.a); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	if err := w.Call(e, frame.Signed(acc(9)), "Swork", "set_endpoint", m.endpoint(public4)); !errors.Is(err, swork.ErrIdentityNotExist) {
		t.Errorf("without a worker: %v", err)
	}
	w.do(func(e *frame.Env) error { return m.setEndpoint(e) })
	if w.p.Endpoints.Exists(w.Env(), acc(1)) {
		t.Error("no addresses leave an endpoint")
	}
	// A development chain takes private addresses, and is as strict about the form.
	dev := newWorld(t, func(p *swork.Pallet) { p.PublicAddresses = frame.ConstOf(false) })
	d := dev.register(acc(1))
	dev.do(func(e *frame.Env) error { return d.setEndpoint(e, address(4, "\x7f\x00\x00\x01", 6, port)) })
}

func FuzzAddress(f *testing.F) {
	f.Add(public4)
	f.Add(append(dns(54, "node.crust.network"), address(6, port, 478)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		public, ok := swork.ParseAddress(b)
		if public && !ok {
			t.Error("an address that is none is public")
		}
		if ok && len(b) > 300 {
			t.Errorf("%d bytes", len(b))
		}
	})
}
