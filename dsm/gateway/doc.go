// Package gateway serves what a vault has over HTTP, as the gateway specifications of
// IPFS say.
//
//	h, err := gateway.New(gateway.Config{Store: v, Deserialized: true, Replicas: replicas})
//	http.Serve(listener, h)
//
//	GET /ipfs/{cid}[/path]                blocks and CARs, which a client can verify
//	GET /ipfs/{cid}/path                  files, ranges, directories, if Deserialized
//	GET /routing/v1/providers/{cid}       who else has it, from the chain's replicas
//
// The default is trustless: a storage node answers with blocks and archives only,
// so that nobody who serves bytes can change them and none of its own origin's
// pages are written by strangers. With Deserialized it serves files and websites too.
//
// Nothing is fetched: a block that the vault does not have is not found, so that
// nobody can use a gateway as a proxy. Names (/ipns/) would need a resolver, and are
// answered with 501.
//
// The work is boxo's; what is here are the settings, the routes and the bounds.
//
// Specifications: specs.ipfs.tech/http-gateways (trustless, path), specs.ipfs.tech
// /routing/http-routing-v1 with IPIP-484.
package gateway
