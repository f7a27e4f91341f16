// Package batch is what the batch verifiers of sr25519 and ed25519 have in
// common: how to split work, how to draw coefficients, and how to find the
// invalid signatures of a batch that failed.
//
// An [Equation] is a batch of signatures of one scheme; of its [Curve] it knows no
// more than how to check a sum of points and a single signature. It feeds every
// signature into the hash of [NewDigest], takes its coefficients from
// [Coefficients], and lets [Search] find what does not hold.
//
// [First] splits any number of signatures into batches for several goroutines.
//
// What it does not do: start goroutines (its caller passes a [Par]), or decide
// whether a signature is valid.
package batch
