package swork

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// EndpointTag begins what a peer's key signs.
const EndpointTag = "crust/mpow/endpoint/v1"

// SetEndpointArgs are the arguments of set_endpoint.
type SetEndpointArgs struct {
	Peer      []byte
	Addresses [][]byte
	Signature Signature
}

// EndpointMessage is what the key of a peer id signs: that it serves the files of
// an account.
func EndpointMessage(genesis types.Hash, account types.AccountID, addresses [][]byte) []byte {
	m := append(append([]byte(EndpointTag), genesis[:]...), account[:]...)
	m = scale.AppendCompact(m, uint64(len(addresses)))
	for _, a := range addresses {
		m = scale.AppendBytes(m, a)
	}
	return m
}

// setEndpoint publishes where the signer's worker can be reached; no addresses take
// that back. Clients that go there insist on the peer id, so an endpoint that names
// somebody else's machine sends them nothing but a failed handshake.
func (p *Pallet) setEndpoint(e *frame.Env, o frame.Origin, a SetEndpointArgs) error {
	who, err := o.Signed()
	if err != nil {
		return err
	}
	if !p.Records.Exists(e, who) {
		return p.Fail(ErrIdentityNotExist)
	}
	key, ok := peerKey(a.Peer)
	if !ok || len(a.Addresses) > maxAddresses {
		return p.Fail(ErrBadEndpoint)
	}
	size := 0
	for _, addr := range a.Addresses {
		public, ok := parseAddress(addr)
		if size += len(addr); !ok || size > maxAddressLen {
			return p.Fail(ErrBadEndpoint)
		}
		if p.PublicAddresses.Get() && !public {
			return p.Fail(ErrPrivateAddress)
		}
	}
	if !proof.Verify(key, EndpointMessage(p.genesis(e), who, a.Addresses), a.Signature) {
		return p.Fail(ErrBadEndpoint)
	}
	if len(a.Addresses) == 0 {
		p.Endpoints.Kill(e, who)
	} else {
		p.Endpoints.Put(e, who, Endpoint{a.Peer, a.Addresses})
	}
	p.Emit(e, EndpointSet{who})
	return nil
}

// peerPrefix begins the peer id of an ed25519 key: an identity multihash of a
// protobuf message of 36 bytes, with type 1 and 32 bytes of key.
var peerPrefix = []byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}

// peerKey is the key that a peer id names.
func peerKey(peer []byte) (key [32]byte, ok bool) {
	if len(peer) != len(peerPrefix)+32 || !bytes.HasPrefix(peer, peerPrefix) {
		return key, false
	}
	copy(key[:], peer[len(peerPrefix):])
	return key, true
}

// Protocols of multiaddresses.
const (
	protoIP4          = 4
	protoTCP          = 6
	protoIP6          = 41
	protoDNS          = 53
	protoDNS4         = 54
	protoDNS6         = 55
	protoUDP          = 273
	protoTLS          = 448
	protoQUIC         = 461
	protoWebTransport = 465
	protoWS           = 477
	protoWSS          = 478
)

// transports are the protocols that may follow a host, each with its port.
var transports = [][]uint64{
	{protoTCP}, {protoTCP, protoWS}, {protoTCP, protoWSS}, {protoTCP, protoTLS, protoWS}, {protoUDP, protoQUIC}, {protoUDP, protoQUIC, protoWebTransport},
}

// parseAddress reads a binary multiaddress: a host, a port and what is spoken there.
// It reports whether the host is one that everybody can reach.
func parseAddress(b []byte) (public, ok bool) {
	host, b, ok := number(b)
	if !ok {
		return false, false
	}
	switch host {
	case protoIP4, protoIP6:
		n := 4
		if host == protoIP6 {
			n = 16
		}
		if len(b) < n {
			return false, false
		}
		public, b = publicIP(b[:n]), b[n:]
	case protoDNS, protoDNS4, protoDNS6:
		n, rest, ok := number(b)
		if !ok || n > uint64(len(rest)) || !domain(rest[:n]) {
			return false, false
		}
		public, b = publicName(string(rest[:n])), rest[n:]
	default:
		return false, false
	}
	var spoken []uint64
	for len(b) > 0 && len(spoken) < 4 {
		var proto uint64
		if proto, b, ok = number(b); !ok {
			return false, false
		}
		if proto == protoTCP || proto == protoUDP {
			if len(b) < 2 || b[0]|b[1] == 0 {
				return false, false
			}
			b = b[2:]
		}
		spoken = append(spoken, proto)
	}
	if len(b) > 0 {
		return false, false
	}
	for _, t := range transports {
		if slices.Equal(t, spoken) {
			return public, true
		}
	}
	return false, false
}

// number reads a minimal varint.
func number(b []byte) (n uint64, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || size > 1 && b[size-1] == 0 {
		return 0, nil, false
	}
	return n, b[size:], true
}

// domain reports whether b is a name of labels of letters, digits and hyphens.
func domain(b []byte) bool {
	if len(b) == 0 || len(b) > 253 {
		return false
	}
	for _, label := range strings.Split(string(b), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
				return false
			}
		}
	}
	return true
}

// specialNames are domains that mean nothing, or something else, elsewhere.
var specialNames = []string{"local", "localhost", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa", "test", "invalid", "example", "onion", "alt"}

// publicName reports whether a name may be one of the public DNS: what it leads to
// only a resolver knows.
func publicName(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if last == name || last[0] >= '0' && last[0] <= '9' {
		return false
	}
	for _, s := range specialNames {
		if strings.HasSuffix("."+name, "."+s) {
			return false
		}
	}
	return true
}

// block is a range of addresses by its first bits.
type block struct {
	addr []byte
	bits int
}

// The blocks that are not for everybody, by IANA's registries of special addresses.
var (
	special4 = []block{
		{[]byte{0}, 8}, {[]byte{10}, 8}, {[]byte{100, 64}, 10}, {[]byte{127}, 8}, {[]byte{169, 254}, 16}, {[]byte{172, 16}, 12}, {[]byte{192, 0, 0}, 24},
		{[]byte{192, 0, 2}, 24}, {[]byte{192, 88, 99}, 24}, {[]byte{192, 168}, 16}, {[]byte{198, 18}, 15}, {[]byte{198, 51, 100}, 24}, {[]byte{203, 0, 113}, 24}, {[]byte{224}, 3},
	}
	global6  = block{[]byte{0x20}, 3}
	special6 = []block{
		{[]byte{0x20, 0x01, 0x00}, 23}, {[]byte{0x20, 0x01, 0x0d, 0xb8}, 32}, {[]byte{0x20, 0x02}, 16}, {[]byte{0x3f, 0xff, 0x00}, 20},
	}
)

// has reports whether an address begins with the block's bits.
func (b *block) has(addr []byte) bool {
	for i := range b.bits {
		mask := byte(0x80) >> (i % 8)
		if (b.addr[i/8]^addr[i/8])&mask != 0 {
			return false
		}
	}
	return true
}

// publicIP reports whether everybody can reach an address.
func publicIP(addr []byte) bool {
	blocks := special4
	if len(addr) == 16 {
		if blocks = special6; !global6.has(addr) {
			return false
		}
	}
	for i := range blocks {
		if blocks[i].has(addr) {
			return false
		}
	}
	return true
}
