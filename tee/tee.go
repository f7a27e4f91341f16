package tee

// Kind is a kind of evidence. Kinds are wire values: append, never reorder.
type Kind uint8

// The kinds of evidence.
const (
	SGX Kind = iota // Intel SGX, quote version 3
	TDX             // Intel TDX, quote version 4
)

// Variants names the kinds for metadata.
func (Kind) Variants() []string { return []string{"Sgx", "Tdx"} }

// String is the kind's usual name.
func (k Kind) String() string {
	switch k {
	case SGX:
		return "SGX"
	case TDX:
		return "TDX"
	}
	return "unknown"
}

// Code is the measurement of a program: of SGX the MRENCLAVE, of TDX the SHA-256
// of MRTD and the four RTMRs.
type Code [32]byte

// Evidence is what an enclave proves itself with.
type Evidence struct {
	Kind Kind
	Raw  []byte // the quote, as the hardware's vendor defines it
}

// Report is what verified evidence says.
type Report struct {
	Kind       Kind
	Code       Code     // the program that ran
	PlatformID []byte   // names the processor, whoever owns it; from its certificate
	ReportData [64]byte // chosen by the program
}

// Verifier judges evidence.
type Verifier interface {
	// Verify returns what genuine evidence says; an error names the check that failed.
	Verify(ev Evidence) (*Report, error)
}

// Policy says who can derive a key again.
type Policy uint8

// The sealing policies.
const (
	SealThisCode    Policy = iota // the same code on the same platform
	SealThisProduct               // any version of the product, from the same signer, on the same platform
)

// Enclave is the side of a trusted execution environment that its program sees.
// Its methods may be called by several goroutines.
type Enclave interface {
	// Kind is the kind of its evidence.
	Kind() Kind
	// Code is the measurement of the running program.
	Code() Code
	// Quote makes evidence over data.
	Quote(data [64]byte) (Evidence, error)
	// DeriveKey returns the key of a label: always the same where the policy is
	// met, another one everywhere else. Hardware that cannot derive a secret key is
	// an error, never a key of zeros.
	DeriveKey(policy Policy, label string) ([32]byte, error)
	// Random fills b with random bytes that the host does not see. A host that
	// restarts the program makes it draw again.
	Random(b []byte) error
}
