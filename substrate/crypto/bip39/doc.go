// Package bip39 turns entropy into English words that people can write down, and
// back, and derives Substrate's mini secret from them.
//
// A phrase of 12, 15, 18, 21 or 24 words is 16 to 32 bytes of entropy followed by
// a checksum (the first bits of their SHA-256), cut into groups of eleven bits
// that number the words of BIP-39's list. Substrate does not follow BIP-39 from
// there: the seed is stretched from the entropy, not from the words, so spelling
// and spacing cannot matter and only the English list is supported.
//
//	phrase, err := bip39.Phrase(entropy)        // entropy comes from the caller
//	seed, err := bip39.MiniSecret(phrase, "")   // for sr25519, ed25519, ecdsa
//
// Errors never repeat words of a phrase: they end up in logs.
//
// What it does not do: other languages, Unicode normalisation of passwords
// (Substrate hashes their bytes), BIP-32 wallets.
package bip39
