// Package system keeps a runtime's books: accounts with their nonces and
// reference counts, the block number, recent block hashes, events, and what the
// block has used. It also holds the signed extensions that every chain needs.
//
// An account exists as long as something provides for it. Providers keep an
// account alive (a balance above the existential deposit is one); consumers
// forbid that the last provider leaves (a lock is one); sufficients keep an
// account alive without a balance. When nothing provides any more, the account
// and its nonce are removed.
//
// Rules: FRAME's frame_system, in its form with AccountInfo of four counters.
// System cannot set :code. The node's runtime is native; :code holds a view
// that light clients query, and it changes only with the runtime's version.
package system
