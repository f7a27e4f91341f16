// Package sudo lets the holder of one key act as Root, for networks that have
// no other way to decide yet. The key can be a multisig; it can be handed over,
// and given up for good.
//
// A successful sudo call pays no fee. The outcome of the call inside is in the
// Sudid event: the outer call succeeds whatever becomes of the inner one.
// Rules: FRAME's pallet_sudo.
package sudo
