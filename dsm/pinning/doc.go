// Package pinning is the gateway's service for users without a node: they upload
// files and pin CIDs, and the gateway gets the content, orders its storage on chain
// from its own account, and says truthfully how far each order is.
//
//	s, err := pinning.Open(pinning.Config{Dir: dir, Vault: db, Fetch: engine.Fetch, Chain: chain, …})
//	group.Go("pinning", s.Run)
//	mux.Handle("/psa/", http.StripPrefix("/psa", s.Pins()))
//	mux.Handle("/api/v0/", s.Uploads())
//
// # What a pin goes through
//
//	queued    the request is stored; content and order are still missing
//	pinning   the content is fetched, or the order is on chain and replicas are awaited
//	pinned    a replica is proven live; info says until when it is paid
//	failed    it will not be: info says why. Pinning the CID again tries again
//
// One file record for each CID carries that, however many pins and uploads of however
// many users refer to it; what nobody refers to is forgotten and no longer renewed, and
// its order cancelled when the chain allows it: no node has reported the file, and a day has passed. An
// upload counts as a reference for a day, so that there is time to pin it. Each user
// has a quota over the files that it refers to, and the payer a limit for each day.
//
// # Crashes
//
// All of it lies in a database whose every answer to a user was synced before. A
// transaction is written down before it is sent, and sent again after a crash: its
// nonce lets the chain take it once only, so that nothing is paid twice. Before a
// new one is signed, the order must be missing in a finalised state that the old
// one cannot reach any more.
//
// # The API
//
// /pins is the IPFS Pinning Service API 1.0.0. Without a status filter it lists what
// is pinned, and when there is any other filter, pins of every status: that is what
// both the specification's text and its compliance suite ask for. Uploads are the two
// calls of kubo's RPC that clients use, add and dag/import. Users show themselves by
// W3Auth (package w3auth), and see nothing of each other.
package pinning
