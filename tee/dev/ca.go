package dev

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"

	"github.com/crustgo/crust/substrate/crypto"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
)

// When everything that an authority signs is valid, in seconds since 1970.
const (
	ValidFrom  uint64 = 1577836800 // 2020-01-01T00:00:00Z
	ValidUntil uint64 = 2524607999 // 2049-12-31T23:59:59Z
)

// Evaluation is the evaluation number of development collateral.
const Evaluation = 1

// FMSPC is the family of development processors.
var FMSPC = dcap.FMSPC{0xDE, 0xF0, 0, 0, 0, 1}

// CA is the authority of a development network.
type CA struct {
	seed              [32]byte
	root, pck, signer *ecdsa.PrivateKey
}

// NewCA is the authority that a seed makes. The seed of a network must be drawn at
// random and kept out of every repository: whoever has it can prove anything there.
func NewCA(seed [32]byte) *CA {
	return &CA{seed, derive(seed[:], "root"), derive(seed[:], "pck-ca"), derive(seed[:], "signer")}
}

// DevelopmentSeed is the seed of the networks dev and local, which everybody knows.
func DevelopmentSeed() [32]byte {
	seed, _, err := crypto.URISeed("//Crust//DevelopmentCA", crypto.Ed25519)
	if err != nil {
		panic(err) // the URI is a constant
	}
	return seed
}

// ParseSeed reads a seed from the text of its file: 64 hexadecimal digits, with 0x
// before them or not, and perhaps a newline.
func ParseSeed(text string) (seed [32]byte, err error) {
	if len(text) > 0 && text[len(text)-1] == '\n' {
		text = text[:len(text)-1]
	}
	if len(text) > 2 && text[:2] == "0x" {
		text = text[2:]
	}
	if len(text) != 64 {
		return seed, fmt.Errorf("development CA: the seed has %d hexadecimal digits, not 64", len(text))
	}
	if _, err := hex.Decode(seed[:], []byte(text)); err != nil {
		return [32]byte{}, fmt.Errorf("development CA: %w", err)
	}
	return seed, nil
}

// Root is the key to trust in a genesis.
func (c *CA) Root() dcap.Key { return keyOf(c.root) }

// Collateral is the lists and collateral of the kind, for all its platforms.
func (c *CA) Collateral(kind tee.Kind) *dcap.Bundle { return c.Specimen(kind, [16]byte{}, 1).Bundle() }

// Authorities are the certificates that sign processors' certificates: the
// authority's, and the root.
func (c *CA) Authorities() [][]byte { return c.Specimen(tee.SGX, [16]byte{}, 1).Chain()[1:] }

// CodeOf is the measurement of a version of the development enclave: for SGX the
// SHA-256 of crust/dev-enclave/v<N>.
func CodeOf(kind tee.Kind, version uint32) tee.Code {
	if kind == tee.TDX {
		m := mrtd(version)
		return sha256.Sum256(append(m[:], make([]byte, 4*48)...))
	}
	return sha256.Sum256(fmt.Appendf(nil, "crust/dev-enclave/v%d", version))
}

// mrtd is the measurement of a development guest at its start; it extends no register.
func mrtd(version uint32) [48]byte {
	return sha512.Sum384(fmt.Appendf(nil, "crust/dev-enclave/v%d", version))
}

// Names of the authority's certificates.
const (
	nameRoot   = "Crust Development Root CA"
	namePCKCA  = "Crust Development PCK Platform CA"
	namePCK    = "Crust Development PCK Certificate"
	nameSigner = "Crust Development TCB Signing"
)

// serial is the number of a certificate: never zero, always positive.
func serial(of string) (s dcap.Serial) {
	h := sha256.Sum256([]byte(of))
	copy(s[:], h[:])
	s[0] = s[0]&0x7f | 1
	return s
}

// Specimen is sound evidence of a platform that runs a version of the development
// enclave, to be changed or used as it is.
func (c *CA) Specimen(kind tee.Kind, platform [16]byte, version uint32) *Specimen {
	cert := func(subject, issuer, id string) Certificate {
		return Certificate{Serial: serial(id), Issuer: issuer, Subject: subject, NotBefore: ValidFrom, NotAfter: ValidUntil, Usage: 0xc0}
	}
	authority := func(c Certificate, pathLen int) Certificate {
		c.CA, c.PathLen, c.Usage = true, pathLen, 0x06
		return c
	}
	always := dcap.Window{Issued: ValidFrom, Next: ValidUntil, Evaluation: Evaluation}
	qeSigner := sha256.Sum256([]byte("crust/dev-quoting-enclave-signer"))
	s := &Specimen{
		Kind:    kind,
		RootKey: c.root, CAKey: c.pck, SignerKey: c.signer,
		PCKKey: derive(c.seed[:], "pck/"+string(platform[:])), QEKey: derive(c.seed[:], "quoting-enclave/"+string(platform[:])),
		Root: authority(cert(nameRoot, nameRoot, "root"), 1), CA: authority(cert(namePCKCA, nameRoot, "pck-ca"), 0),
		PCK: cert(namePCK, namePCKCA, "pck/"+string(platform[:])), Signer: cert(nameSigner, nameRoot, "signer"),
		Processor: Processor{PPID: platform, FMSPC: FMSPC, SGX: [16]uint8{7, 9, 3, 3, 255, 255}, PCESVN: 13},
		RootList:  List{Issuer: nameRoot, Issued: ValidFrom, Next: ValidUntil}, PCKList: List{Issuer: namePCKCA, Issued: ValidFrom, Next: ValidUntil},
		Info: dcap.TCBInfo{Kind: kind, Window: always, FMSPC: FMSPC, Levels: []dcap.Level{
			{SGX: [16]uint8{7, 9, 3, 3, 255, 255}, PCESVN: 13, Status: dcap.UpToDate},
			{SGX: [16]uint8{4, 4, 3, 3, 255, 255}, PCESVN: 11, Status: dcap.OutOfDate},
		}},
		QE: dcap.QEIdentity{Kind: kind, Window: always, MiscMask: [4]byte{0xff, 0xff, 0xff, 0xff}, Attributes: [16]byte{0x11},
			AttributesMask: [16]byte{0xfb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, Signer: qeSigner, ProdID: 1,
			Levels: []dcap.SVNLevel{{SVN: 6, Status: dcap.UpToDate}, {SVN: 5, Status: dcap.OutOfDate}}},
		Code: CodeOf(tee.SGX, version), Flags: 0x5,
		QEFlags: 0x15, QESigner: qeSigner, QEProdID: 1, QESVN: 6, QEAuth: []byte("crust development quoting encl.."),
		Version: 3, KeyType: 2, QEVendor: [16]byte{0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07},
		CertificationType: 5,
		Edit:              map[Part]func([]byte) []byte{}, Spoil: map[Part]bool{},
	}
	if kind == tee.TDX {
		s.tdx(version)
	}
	return s
}

// tdx makes a specimen one of TDX.
func (s *Specimen) tdx(version uint32) {
	all := [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	s.Version, s.MRTD, s.Flags, s.XFAM, s.TDXVersions = 4, mrtd(version), 1<<28, 0xe7, [16]uint8{4, 1, 7}
	s.Info.Modules = []dcap.Module{{Mask: all}, {Version: 1, Mask: all, Levels: []dcap.SVNLevel{{SVN: 4, Status: dcap.UpToDate}, {SVN: 2, Status: dcap.OutOfDate}}}}
	for i := range s.Info.Levels {
		s.Info.Levels[i].TDX = [16]uint8{5, 0, 7}
	}
	s.QE.ProdID, s.QEProdID = 2, 2
}
