// Package metadata reads the self-description of a Substrate runtime (formats
// V14 and V15) and uses it to turn values into SCALE bytes and back without
// knowing any Go type of that runtime.
//
//	m, err := metadata.Parse(blob, metadata.Format{Prefix: 66, Symbol: "CRU", Decimals: 12})
//	call, err := m.ParseCall("balances", "transferKeepAlive", []string{"//Bob", "1.5CRU"})
//	item, err := m.Storage("System", "Account")
//	key, err := item.Key("//Bob")
//	value, err := m.Decode(item.Value, bytes)
//	free, _ := metadata.Get(value, "data", "free")
//
// Names of pallets, calls, items and fields match whatever their style: case,
// underscores and hyphens do not matter. A name that does not exist is an error
// that says which ones come close.
//
// # Values
//
// [Metadata.Decode] returns a tree of a few Go types, listed at [Value]. As JSON:
// structs are objects, tuples and vectors are arrays, bytes are "0x…", accounts
// are SS58 addresses of the chain's prefix, integers of up to 64 bits are
// numbers, wider ones are decimal strings, None is null, a variant without
// fields is its name and any other is {"Name": fields}. Calls and events of the
// runtime are {"Pallet.name": {fields}}. [Metadata.Encode] takes all of that
// back, so what was printed can be sent, and also what people write: amounts
// with the chain's unit, percentages for parts of one, key URIs such as //Alice
// for accounts, plain text or @file for bytes, and encoded calls in hexadecimal.
//
// Metadata and values come from strangers: every length is checked against the
// bytes that are there, nesting and the number of values are bounded, and all
// failures are errors.
//
// What it does not do: it does not speak to a node (package client does), and it
// does not read formats before V14.
package metadata
