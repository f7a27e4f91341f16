package attest

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/tee/dcap"
)

// Errors: first one for each check of package dcap.
var (
	// ErrWrongLength says that a quote is too long, cut short, or followed by other bytes.
	ErrWrongLength = frame.NewError("WrongLength")
	// ErrUnknownVersion says that a quote is not SGX of version 3 or TDX of version 4.
	ErrUnknownVersion = frame.NewError("UnknownVersion")
	// ErrNoPlainChain says that a quote does not hold three certificates in plain PEM.
	ErrNoPlainChain = frame.NewError("NoPlainChain")
	// ErrBadCertificate says that a certificate is not of the vendor's profile.
	ErrBadCertificate = frame.NewError("BadCertificate")
	// ErrChainBroken says that a certificate was not issued by the next one.
	ErrChainBroken = frame.NewError("ChainBroken")
	// ErrCertificateTime says that a certificate is not valid at the time of this block.
	ErrCertificateTime = frame.NewError("CertificateTime")
	// ErrUntrustedRoot says that the chain ends in a root that this network does not trust.
	ErrUntrustedRoot = frame.NewError("UntrustedRoot")
	// ErrCertificateSignature says that a certificate's signature is wrong.
	ErrCertificateSignature = frame.NewError("CertificateSignature")
	// ErrNoList says that there is no revocation list of an authority, or that it is malformed.
	ErrNoList = frame.NewError("NoList")
	// ErrListSignature says that a revocation list's signature is wrong.
	ErrListSignature = frame.NewError("ListSignature")
	// ErrListTime says that a revocation list is too old: submit a newer one.
	ErrListTime = frame.NewError("ListTime")
	// ErrCertificateRevoked says that the platform's certificate, or its authority's, is revoked.
	ErrCertificateRevoked = frame.NewError("CertificateRevoked")
	// ErrBadSigner says that collateral was not signed by a signer of the vendor's.
	ErrBadSigner = frame.NewError("BadSigner")
	// ErrSignerRevoked says that the signer of collateral is revoked.
	ErrSignerRevoked = frame.NewError("SignerRevoked")
	// ErrCollateralSignature says that the signature of collateral is wrong.
	ErrCollateralSignature = frame.NewError("CollateralSignature")
	// ErrNoCollateral says that there is no collateral for the platform, or that it is malformed.
	ErrNoCollateral = frame.NewError("NoCollateral")
	// ErrCollateralTime says that collateral is too old: submit a newer one.
	ErrCollateralTime = frame.NewError("CollateralTime")
	// ErrOldEvaluation says that collateral is of an evaluation that is too old.
	ErrOldEvaluation = frame.NewError("OldEvaluation")
	// ErrQESignature says that the quoting enclave's report is not signed by the platform.
	ErrQESignature = frame.NewError("QESignature")
	// ErrQEBinding says that the quoting enclave's report names another key.
	ErrQEBinding = frame.NewError("QEBinding")
	// ErrQEIdentity says that the quoting enclave is not the vendor's.
	ErrQEIdentity = frame.NewError("QEIdentity")
	// ErrQELevel says that the quoting enclave is out of date: update the platform's software.
	ErrQELevel = frame.NewError("QELevel")
	// ErrQuoteSignature says that the quote's signature is wrong.
	ErrQuoteSignature = frame.NewError("QuoteSignature")
	// ErrOtherPlatform says that collateral is of another family of processors.
	ErrOtherPlatform = frame.NewError("OtherPlatform")
	// ErrBelowLevels says that the platform is older than everything the vendor lists: update it.
	ErrBelowLevels = frame.NewError("BelowLevels")
	// ErrUnknownModule says that the vendor does not list the platform's TDX module.
	ErrUnknownModule = frame.NewError("UnknownModule")
	// ErrStatusRefused says that the vendor's judgement of the platform is not accepted here: update it.
	ErrStatusRefused = frame.NewError("StatusRefused")
	// ErrDebuggable says that a debugger can read the enclave.
	ErrDebuggable = frame.NewError("Debuggable")
	// ErrBadAttributes says that the enclave was started in a way that is not accepted.
	ErrBadAttributes = frame.NewError("BadAttributes")

	// ErrNotNewer says that what is here is as new as what was submitted.
	ErrNotNewer = frame.NewError("NotNewer")
	// ErrTooEarly says that collateral is from the future, or of an evaluation that Root has not opened yet.
	ErrTooEarly = frame.NewError("TooEarly")
	// ErrUnknownKey says that no enclave with this key is here.
	ErrUnknownKey = frame.NewError("UnknownKey")
	// ErrKeyUsed says that the key is here, or was.
	ErrKeyUsed = frame.NewError("KeyUsed")
	// ErrTooManyKeys says that the platform has as many keys as it may have: retire one.
	ErrTooManyKeys = frame.NewError("TooManyKeys")
	// ErrPlatformBarred says that the platform may not have enclaves for some time.
	ErrPlatformBarred = frame.NewError("PlatformBarred")
	// ErrBadAnchor says that the anchor is not a recent block.
	ErrBadAnchor = frame.NewError("BadAnchor")
	// ErrOtherEnclave says that evidence is of another program or platform than the key's.
	ErrOtherEnclave = frame.NewError("OtherEnclave")
	// ErrKeySuspended says that the key was suspended for good: register a fresh one.
	ErrKeySuspended = frame.NewError("KeySuspended")
	// ErrBadPolicy says that a policy must refuse what is revoked and what is unknown.
	ErrBadPolicy = frame.NewError("BadPolicy")
)

// declared are the errors in wire order: append, never reorder.
var declared = []*frame.Error{
	ErrWrongLength, ErrUnknownVersion, ErrNoPlainChain, ErrBadCertificate, ErrChainBroken, ErrCertificateTime, ErrUntrustedRoot, ErrCertificateSignature,
	ErrNoList, ErrListSignature, ErrListTime, ErrCertificateRevoked, ErrBadSigner, ErrSignerRevoked, ErrCollateralSignature, ErrNoCollateral,
	ErrCollateralTime, ErrOldEvaluation, ErrQESignature, ErrQEBinding, ErrQEIdentity, ErrQELevel, ErrQuoteSignature, ErrOtherPlatform, ErrBelowLevels,
	ErrUnknownModule, ErrStatusRefused, ErrDebuggable, ErrBadAttributes,
	ErrNotNewer, ErrTooEarly, ErrUnknownKey, ErrKeyUsed, ErrTooManyKeys, ErrPlatformBarred, ErrBadAnchor, ErrOtherEnclave, ErrKeySuspended, ErrBadPolicy,
}

// refusals are the errors of the checks of package dcap.
var refusals = map[dcap.Check]*frame.Error{
	dcap.ErrLength: ErrWrongLength, dcap.ErrVersion: ErrUnknownVersion, dcap.ErrCertification: ErrNoPlainChain, dcap.ErrCertificate: ErrBadCertificate,
	dcap.ErrIssuer: ErrChainBroken, dcap.ErrValidity: ErrCertificateTime, dcap.ErrRoot: ErrUntrustedRoot, dcap.ErrCertSignature: ErrCertificateSignature,
	dcap.ErrCRL: ErrNoList, dcap.ErrCRLSignature: ErrListSignature, dcap.ErrCRLStale: ErrListTime, dcap.ErrRevoked: ErrCertificateRevoked,
	dcap.ErrSigner: ErrBadSigner, dcap.ErrSignerRevoked: ErrSignerRevoked, dcap.ErrCollateralSignature: ErrCollateralSignature,
	dcap.ErrCollateral: ErrNoCollateral, dcap.ErrCollateralStale: ErrCollateralTime, dcap.ErrEvaluation: ErrOldEvaluation,
	dcap.ErrQESignature: ErrQESignature, dcap.ErrQEBinding: ErrQEBinding, dcap.ErrQEIdentity: ErrQEIdentity, dcap.ErrQELevel: ErrQELevel,
	dcap.ErrQuoteSignature: ErrQuoteSignature, dcap.ErrPlatform: ErrOtherPlatform, dcap.ErrTCBLevel: ErrBelowLevels, dcap.ErrModule: ErrUnknownModule,
	dcap.ErrTCBStatus: ErrStatusRefused, dcap.ErrDebug: ErrDebuggable, dcap.ErrEnclave: ErrBadAttributes,
}

// refused puts the error of a check into wire form; its text stays for logs.
func (p *Pallet) refused(err error) error {
	var c dcap.Check
	if !errors.As(err, &c) || refusals[c] == nil {
		panic(fmt.Sprintf("attest: an error that is no check: %v", err)) // a mistake in package dcap
	}
	return fmt.Errorf("%w: %w", p.Fail(refusals[c]), err)
}
