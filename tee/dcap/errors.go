package dcap

import "fmt"

// Check is one check of evidence or collateral, and the error of its failing:
// errors.Is(err, ErrRevoked). The numbers grow in the order in which Verify makes
// the checks, so whatever is wrong with evidence, the first failure is reported.
type Check uint8

// The checks, in order. The comment before each group is its number in
// facts/tee.md §1.4.
const (
	_ Check = iota

	// 1: form of the quote.

	ErrLength        // longer than MaxQuote, cut short, or bytes behind the end
	ErrVersion       // not a version, kind, key type and vendor that this package verifies
	ErrCertification // not a chain of three certificates, in PEM without a byte to spare
	ErrCertificate   // a certificate that is not of the profile

	// 2: the chain of the processor's certificate.

	ErrIssuer        // a certificate does not belong to the next one, or that is no authority
	ErrValidity      // before or after a certificate's time
	ErrRoot          // the chain ends in a root that is not trusted
	ErrCertSignature // a certificate's signature is wrong

	// 3: revocation.

	ErrCRL          // no revocation list, or one that is not of the profile
	ErrCRLSignature // the list's signature is wrong
	ErrCRLStale     // before or after the list's time
	ErrRevoked      // the processor's certificate or its authority is revoked

	// 4: who signs collateral.

	ErrSigner        // not the certificate of a signer of collateral under the same root
	ErrSignerRevoked // that certificate is revoked

	// 5: collateral.

	ErrCollateralSignature // TCB info or QE identity is not what the signer signed
	ErrCollateral          // there is none, it is not of the profile, or of another kind or version
	ErrCollateralStale     // before or after its time
	ErrEvaluation          // its evaluation number is lower than the policy wants

	// 6: the quoting enclave's report.

	ErrQESignature // not signed by the processor's key
	ErrQEBinding   // does not name the key that signed the quote

	// 7: the quoting enclave.

	ErrQEIdentity // not the vendor's quoting enclave
	ErrQELevel    // an outdated version of it

	// 8: the quote.

	ErrQuoteSignature // not signed by the quoting enclave's key

	// 9: the platform.

	ErrPlatform  // collateral of another family of processors
	ErrTCBLevel  // below every level that the vendor lists
	ErrModule    // a TDX module that the vendor does not list
	ErrTCBStatus // the level's status is not one that the policy accepts

	// 10: the enclave.

	ErrDebug   // its memory can be read by a debugger
	ErrEnclave // not initialised, or with a privilege that a worker must not have

	checks
)

// texts are the checks as operators read them.
var texts = [checks]string{
	ErrLength: "the quote has a wrong length", ErrVersion: "the quote is of an unknown version or kind",
	ErrCertification: "the quote has no plain chain of three certificates", ErrCertificate: "certificate outside the profile",
	ErrIssuer: "certificate chain is not in order", ErrValidity: "certificate is not valid at this time", ErrRoot: "the root certificate is not trusted",
	ErrCertSignature: "certificate signature is wrong",
	ErrCRL:           "revocation list missing or outside the profile", ErrCRLSignature: "revocation list signature is wrong",
	ErrCRLStale: "revocation list is not valid at this time", ErrRevoked: "certificate is revoked",
	ErrSigner: "not a signer of collateral", ErrSignerRevoked: "the signer of collateral is revoked",
	ErrCollateralSignature: "collateral signature is wrong", ErrCollateral: "collateral missing or outside the profile",
	ErrCollateralStale: "collateral is not valid at this time", ErrEvaluation: "collateral of an evaluation that is too old",
	ErrQESignature: "quoting enclave report signature is wrong", ErrQEBinding: "quoting enclave report names another key",
	ErrQEIdentity: "not the vendor's quoting enclave", ErrQELevel: "quoting enclave is out of date",
	ErrQuoteSignature: "quote signature is wrong",
	ErrPlatform:       "collateral is of another platform", ErrTCBLevel: "platform is below every known TCB level",
	ErrModule: "TDX module is unknown", ErrTCBStatus: "platform TCB status is not accepted",
	ErrDebug: "enclave can be debugged", ErrEnclave: "enclave attributes are not acceptable",
}

// stages are the first checks of each number of facts/tee.md §1.4.
var stages = []Check{ErrLength, ErrIssuer, ErrCRL, ErrSigner, ErrCollateralSignature, ErrQESignature, ErrQEIdentity, ErrQuoteSignature, ErrPlatform, ErrDebug}

// Checks lists all checks in order.
func Checks() []Check {
	var out []Check
	for c := ErrLength; c < checks; c++ {
		out = append(out, c)
	}
	return out
}

// Stage is the number of the check's group in facts/tee.md §1.4, from 1 to 10.
func (c Check) Stage() int {
	n := 0
	for n < len(stages) && c >= stages[n] {
		n++
	}
	return n
}

// Error is the check as operators read it.
func (c Check) Error() string {
	if c == 0 || c >= checks {
		return "unknown check"
	}
	return texts[c]
}

// because adds what was seen.
func (c Check) because(format string, args ...any) error {
	return fmt.Errorf("%w: %s", c, fmt.Sprintf(format, args...))
}
