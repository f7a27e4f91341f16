// Package endpoint makes libp2p hosts of exactly the parts that they are given.
//
// libp2p's own constructor offers every transport that there is, and so brings all of
// them into a program: WebRTC, WebTransport, relays and a framework that ties them
// together, some megabytes of which nothing is used here. A host needs a key, a limit
// on resources, security, a muxer and transports; here they are put together by plain
// calls, in the order in which they depend on each other:
//
//	h, err := endpoint.New(endpoint.Config{
//		Key: key, Resources: resources, Connections: conns, Gater: gater, Muxer: yamux.DefaultTransport,
//		Security:   []endpoint.Security{endpoint.Noise},
//		Transports: []endpoint.Transport{endpoint.TCP},
//	})
//
// The host identifies itself, answers pings and learns its own addresses from what
// others observe. It listens on nothing until its network is told to, and asks nobody
// whether it can be reached.
package endpoint
