// Package blockfile reads and writes files of blocks, with which a chain is
// carried from one node to another without a network.
//
//	w, err := blockfile.NewWriter(f, genesis)
//	err = w.Write(block, justification) // nil if there is none
//	err = w.Close()                     // the end mark; f stays open
//
//	r, err := blockfile.NewReader(f)
//	for rec, err := r.Next(); err != io.EOF; rec, err = r.Next() { … }
//
// # Format
//
// All integers are little-endian.
//
//	magic    8 bytes   "CRUSTBLK"
//	version  u32       1
//	genesis  32 bytes  hash of block 0 of the chain
//	records:
//	  length u32       of what follows, not 0
//	  block            SCALE: header, then the extrinsics
//	  proof            SCALE Option<Vec<u8>>: GRANDPA justification of the block
//	end:
//	  length u32       0
//	  count  u64       number of records
//
// Blocks follow each other by number. The file vouches for nothing: whoever
// imports it checks every block and every justification. The end mark only
// tells a whole file from one that was cut off; nothing may follow it.
//
// A reader takes no more memory than the file has bytes, nor more than
// [MaxRecordBytes] at a time.
package blockfile
