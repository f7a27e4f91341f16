// Package w3auth verifies the tokens with which users show a gateway who they
// are: a signature of their own address, in an HTTP Authorization header.
//
//	credentials = chain "-" address ":" signature
//	header      = ("Basic " | "Bearer ") base64(credentials)
//
// That is how wallets and published scripts have always made it, and such a token
// is good for ever and everywhere: every gateway that has seen it can use it. So
// there is a second form, which names the one gateway that may accept it and the
// second after which nobody does; the whole text before the colon's chain prefix is
// what is signed:
//
//	credentials = chain "-" address "@" host "@" unix-time ":" signature
//
// Chains are "sub" (also substrate, crust, cru; the default when there is no
// prefix): an SS58 address of any network, signed with sr25519, ed25519 or ecdsa,
// plainly or wrapped in <Bytes> as browser extensions do; and "eth" (also
// ethereum, polygon, pol): a hexadecimal address, signed as a personal message.
//
//	user, err := w3auth.Verify(header, w3auth.Policy{Host: "gw.example.com", Now: now})
//	token, err := w3auth.Token(pair, "gw.example.com", now+30*86400)
//
// A [User] is the account, not the spelling: addresses of one key on two networks
// are one user. What it does not do: remember tokens, or take them back; a token
// that leaked ends with its time, and a permanent one never.
package w3auth
