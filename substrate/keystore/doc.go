// Package keystore holds the session keys of a validator: the keys that a running
// node signs blocks, votes and announcements with.
//
// A key belongs to a [KeyType], which fixes what it is for and its scheme. A
// store is in memory or in a directory of Substrate's layout, so that keys move
// between the two implementations by copying files: the name is the hexadecimal
// key type followed by the public key, the content a JSON string with the
// secret, which is a URI ("//Alice", a phrase) or a 0x seed.
//
//	keys, err := keystore.Open(filepath.Join(base, "keystore"))
//	public, err := keys.Generate() // author_rotateKeys
//	for _, key := range keys.Public(keystore.BABE) {
//		pair, _ := keys.Pair(keystore.BABE, key)
//		claim(pair.(crypto.Sr25519Pair))
//	}
//
// Files are written whole or not at all, with mode 0600, and one that others may
// read, or whose secret does not belong to its name, is refused when the store is
// opened. Files that are added to the directory later are seen by the next Open.
//
// The package does not encrypt (protect the disk instead), does not keep account
// keys, and never puts a secret into an error.
package keystore
