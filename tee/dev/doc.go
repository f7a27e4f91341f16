// Package dev is attestation for networks without the hardware: an enclave in
// software, and the authority that its evidence leads to.
//
// Everything has the genuine format, to the byte: certificates, revocation lists,
// collateral, and quotes of SGX in version 3 and of TDX in version 4. They pass the
// verifier that genuine ones pass, package tee/dcap, on a network whose genesis
// trusts the authority's root; everywhere else they fail, at the root. That genesis
// is the only switch there is.
//
//	ca := dev.NewCA(seed)
//	enclave := dev.NewEnclave(dev.Config{CA: ca, Version: 1, Secret: secret, Random: rand.Reader})
//	ev, err := enclave.Quote(data)
//	report, err := dcap.Verify(ev.Raw, ca.Collateral(tee.SGX).Source(&trust), policy)
//
// An authority is a seed of 32 bytes. [DevelopmentSeed] is that of the networks dev
// and local, derived from the development phrase as Alice's key is, and as public; a
// network of its own draws a seed of its own, and nobody commits it. From one seed
// come the same certificates and the same signatures everywhere, so processes that
// are started by hand agree on a genesis. Lists and collateral are valid until the
// end of 2049: a development network needs nobody who renews them.
//
// A [Specimen] is evidence of which every part can be changed before it is signed:
// what tests of verifiers forge with. None of this protects anything: whoever has
// the seed is any platform running any code.
package dev
