// Package importer turns files, directories and CAR archives into graphs of blocks,
// the same graphs that kubo makes of them.
//
//	into, err := db.Import(ctx)
//	defer into.Close(ctx)
//	i := importer.New(into, importer.Kubo, importer.Limits{Bytes: quota})
//	_, err = i.File(ctx, "site/index.html", body)
//	_, err = i.File(ctx, "site/img/logo.png", body)
//	entries, err := i.Finish(ctx, false) // the last one is site
//	size, err := into.Finish(ctx, entries[len(entries)-1].CID, quota)
//
// A CID is a function of the content and of a [Profile]: the version, the form of
// leaves, the length of chunks, how many links a node has and when a directory is
// sharded. [Kubo] is what `ipfs add` does if nobody tells it otherwise, [UnixFS2025]
// the profile of IPIP-499 that other implementations agree on.
//
// Names come from strangers: [File] takes relative paths without "..", and there are
// limits on bytes, entries, names and depth. A CAR may contain anything: each of its
// blocks is checked against its CID, and what no root reaches is forgotten.
//
// What it does not do: it keeps neither modes nor times nor symbolic links, and it
// reads no file system; see command crust for that.
//
// Specifications: UnixFS 1, IPIP-499, CAR 1 and 2 (ipld.io/specs/transport/car).
package importer
