// Package authoritydiscovery keeps the keys with which validators sign where
// they can be reached, so that others of the network find them by key.
//
// Keys are those of the current session, NextKeys those of the next, whose
// validators should be found before they are needed.
//
// Rules: FRAME's pallet_authority_discovery. Addresses are not on the chain;
// nodes publish them elsewhere.
package authoritydiscovery
