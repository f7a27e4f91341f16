// Package dcap verifies the attestation of Intel SGX and TDX: a quote, against
// revocation lists and collateral of the same vendor, down to a root key that is
// trusted. It is what lets a chain check for itself that a worker's code really
// runs inside an enclave.
//
//	report, err := dcap.Verify(quote, source, &dcap.Policy{Trust: dcap.Trust{Roots: roots, Now: now}, Accept: dcap.StatusesOf(dcap.UpToDate)})
//	report.Code        // what ran
//	report.ReportData  // what it said: the caller compares
//
// Verify makes the checks of facts/tee.md §1.4 in their order; each is a [Check],
// and the first that fails is the error. A [Source] supplies collateral that was
// verified before: [OpenCRL], [OpenTCBInfo] and [OpenQEIdentity] verify once and
// return values that can be stored. A [Bundle] verifies when it is asked, for those
// who have nothing stored. Certificates of authorities that were verified before
// are not verified again where [Trust] knows them; then three signatures are left.
//
// The same bytes give the same answer on every machine, at any time, with any Go
// release: there is no clock, no package of the standard library that reads
// certificates, and none that reads JSON. The readers of DER, PEM and JSON here
// know the vendor's fixed profile and refuse everything else: one encoding for each
// value, every length checked, no recursion but in a bounded one, memory bounded by
// the input. What is signed and means nothing here is skipped: names of components,
// advisories, further extensions that are not critical.
//
// Two things may look like an identity and are none: the hash of a quote, and a
// signature; ECDSA has two valid signatures for each. The identity of a platform is
// [tee.Report].PlatformID.
//
// Not here: quotes of other versions, certification data other than a chain of
// certificates, fetching anything, and the decision which code is allowed.
package dcap
