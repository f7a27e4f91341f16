// Package disk keeps the sealed units of a storage worker in files, on any number
// of directories that are, as a rule, one physical disk each.
//
// A unit is one file: its leaves, and behind them the rows of its Merkle tree, from
// which the path of a leaf is picked without hashing (docs/protocol/mpow.md §3). It
// is written once, from front to back, and is never changed again:
//
//	d, err := disk.Open(disk.Config{Dir: "/mnt/a", Limit: 4 << 40}, worker)
//	w, err := d.Create(number, leaves)        // space is set aside
//	err = w.Append(emitted.Offset, emitted.Bytes, emitted.Hashes)
//	err = w.Close()                           // rows written, all of it on the platter
//	buf := disk.Leaves(1)
//	err = d.ReadLeaf(number, 7, buf)
//
// Units are written, and leaves that a slot asks for are read, past the system's cache where the
// file system can do that (docs/adr/0026): both are used once. Records of files are read
// through it.
//
// Which files mean something is not known here: package index says so, in a write
// that comes after Close. Whatever has no line there is what a crash left, and
// Sweep removes it.
//
// Each directory has a manifest with an id of its own and the worker that it belongs to, so
// that a disk that was not mounted, or that is another worker's, is told from an
// empty one. A lock keeps two workers from sharing it.
//
// Errors are *Error: what was done where, of which kind (ErrFull, ErrReadOnly,
// ErrVanished, ErrRead), and what the operator can do. A disk that refused a write
// takes no new units until it is asked again with Recheck; reading goes on.
package disk
