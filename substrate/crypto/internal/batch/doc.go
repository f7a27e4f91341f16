// Package batch is what the batch verifiers of sr25519 and ed25519 have in
// common: how to split work, how to draw coefficients, and how to find the
// invalid signatures of a batch that failed. It knows nothing of curves.
//
// A verifier feeds every signature into the hash of [NewDigest], takes its
// coefficients from [Coefficients], and tells [Search] how its equation is
// checked over a range:
//
//	valid := batch.Search{Holds: b.holds, Valid: b.valid, Covered: b.covered}.Each(n, true)
//
// [First] splits any number of signatures into batches for several goroutines.
//
// What it does not do: start goroutines (its caller passes a [Par]), or decide
// whether a signature is valid.
package batch
