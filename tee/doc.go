// Package tee says what a trusted execution environment is to the rest of the
// tree: something that runs known code, proves that it does, and has keys that
// nobody outside has.
//
// An [Enclave] is where the trusted core of a storage worker runs. It makes
// [Evidence], a signed statement of the hardware over the code that runs in it
// and over 64 bytes that the code chose. A [Verifier] judges evidence and returns
// the [Report] in it; the chain is one, and so is an enclave that is about to
// trust another.
//
//	ev, err := enclave.Quote(data)
//	report, err := verifier.Verify(ev)  // report.Code ran, and chose report.ReportData
//
// Evidence is no proof of freshness: what makes it fresh, a recent block hash, is
// among the 64 bytes, and whoever verifies compares it. Nor does an enclave have a
// clock or a counter: the chain is both (facts/tee.md §0.6).
//
// Package tee/dcap verifies the kinds there are, tee/dev is an enclave in
// software for development networks, and tee/teetest is what every kind and every
// enclave is held to. Whether a kind counts on a network is decided by the roots
// of trust in its genesis, never by code.
package tee
