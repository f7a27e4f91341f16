// Package p2p connects a node to others over libp2p: it dials, listens, keeps
// the set of peers, and carries bytes. What the bytes mean is the business of
// packages protocol and network.
//
//	host, err := p2p.Open(p2p.Config{
//		Key: key, Genesis: genesis, Agent: "crust/1.0.0 (alice)",
//		Listen:    []string{"/ip4/0.0.0.0/tcp/30333", "/ip4/0.0.0.0/tcp/30334/ws"},
//		Bootnodes: spec.BootNodes,
//		Notifications: []p2p.Notification{
//			{Name: "block-announces/1", Handshake: status},
//			{Name: "transactions/1", Handshake: role, Lossy: true},
//			{Name: "grandpa/1", Handshake: role},
//		},
//		Requests: []p2p.RequestProtocol{{Name: "sync/2", Serve: blocks}},
//	})
//	group.Go("p2p", func(ctx context.Context) error { return host.Run(ctx, handler) })
//	host.Notify(peer, 0, announce)
//	answer, err := host.Request(ctx, peer, 0, request)
//
// # Peers
//
// The transport is TCP, plain or under WebSocket, with Noise and yamux, and keys
// are ed25519. A connection alone is not a peer. Each side opens a substream of
// the first notification protocol, the gate, and sends its handshake; a peer
// exists for the handler from when both were accepted until one of them ends.
// Its other notification substreams are tied to that. Only the side that opened
// a substream sends on it, so every protocol has one for each direction.
//
// A session is the goroutine of one peer: it alone calls the handler for that
// peer, so that Opened, Notified and Closed come in order and one at a time. A
// handler that takes long slows that peer down, and no other.
//
// # Limits
//
// Whatever a peer can make the node keep is bounded by [Limits]. Messages to a
// peer wait in a queue of its own; one that does not take them in time is
// dropped. What it sends is read one message at a time, when the handler has
// returned from the one before. Requests are answered within budgets of count and
// bytes. A peer that breaks a rule is reported like one that the layers above
// report: below a threshold it is dropped and refused for a while.
//
// # What it does not do
//
// It does not verify or interpret messages, except for the first byte of the
// gate's handshake, the role: light clients have slots of their own. There is no
// relaying, hole punching, port mapping or multicast.
//
// Rules: facts substrate-compat §9 and §11; Polkadot specification "Networking";
// libp2p specification for connections, identify, ping and Kademlia.
package p2p
