// Package ss58 writes accounts as the addresses people read, and reads them back.
//
// An address is the base58 text of: the network prefix (one byte below 64, else
// two), the 32 bytes of the account, and the first two bytes of
// blake2b-512("SS58PRE" ++ prefix ++ account). The prefix says which network the
// address is meant for; the same account has another text on every network.
// Crust's prefix is [CrustPrefix], so its addresses start with "cT".
//
//	text := ss58.Encode(ss58.CrustPrefix, account)
//	account, prefix, err := ss58.Decode(text)
//
// [DecodeFor] also insists on one prefix. The two-byte checksum finds typing
// errors; it is no protection against a forger, who can compute it.
//
// What it does not do: addresses that hold an account index (1 to 8 bytes), and
// the registry that maps prefixes to network names.
package ss58
