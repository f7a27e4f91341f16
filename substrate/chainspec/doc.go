// Package chainspec reads and writes chain specifications: the JSON files that
// say which network a node belongs to and what state it began with.
//
// The format is Substrate's, restricted to what the light client smoldot accepts
// as well, so that one file serves nodes and light clients:
//
//	{"name": "Crust", "id": "crust", "chainType": "Live", "bootNodes": [],
//	 "genesis": {"raw": {"top": {"0x…": "0x…"}, "childrenDefault": {}}}}
//
// Before the state is built, genesis has our own form instead, the configuration
// of each pallet: {"runtime": {"Balances": {…}}}. [Spec.Raw] turns one into
// the other with a function of the runtime:
//
//	spec, err := chainspec.Parse(file)
//	raw, err := spec.Raw(rt.Genesis)
//	header, err := raw.GenesisHeader() // its hash is the chain's identity
//
// A wrong file is refused rather than guessed at: unknown keys, repeated keys
// (also repeated storage keys that differ in letter case only), malformed
// addresses and hexadecimals, child tries and code substitutes, which this
// chain does not have. Errors name the place and say what to do.
//
// [Spec.Encode] writes keys in a fixed order and state sorted by key, so equal
// specifications are equal files.
//
// The package does not know presets, pallets or the content of :code, and does
// not read files.
package chainspec
