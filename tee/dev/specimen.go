package dev

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
)

// Part names a part of evidence or collateral that is signed on its own.
type Part uint8

// The parts.
const (
	RootCert Part = iota
	CACert
	PCKCert
	SignerCert
	RootCRL
	PCKCRL
	TCBInfo
	QEIdentity
	QEReport
	QuoteBody
	parts
)

// Specimen is a quote and its collateral before they are signed. CA.Specimen fills
// it in; whoever changes a field gets what a vendor, a quoting enclave or an enclave
// would have signed if that had been so. The zero value is of no use.
type Specimen struct {
	Kind                          tee.Kind
	RootKey, CAKey, PCKKey, QEKey *ecdsa.PrivateKey
	SignerKey                     *ecdsa.PrivateKey
	Root, CA, PCK, Signer         Certificate
	Processor                     Processor
	RootList, PCKList             List
	Info                          dcap.TCBInfo
	QE                            dcap.QEIdentity
	Code                          tee.Code // of SGX
	MRTD                          [48]byte // of TDX
	RTMR                          [4][48]byte
	Data                          [64]byte // what the program says
	Flags                         uint64   // attributes of SGX, of TDX
	XFAM                          uint64
	SeamSigner                    [48]byte
	TDXVersions                   [16]uint8
	QEFlags                       uint64
	QESigner                      [32]byte
	QEProdID, QESVN               uint16
	QEAuth                        []byte
	Version, KeyType              uint16 // of the header
	QEVendor                      [16]byte
	CertificationType             uint16
	QEData                        [64]byte                     // report data of the quoting enclave; zeros stand for what it must be
	Edit                          map[Part]func([]byte) []byte // changes what is signed, last of all
	Spoil                         map[Part]bool                // the part's signature is wrong
	certificates                  [][]byte                     // the chain, where it was made before
}

// Certificate is a certificate before it is signed.
type Certificate struct {
	Serial              dcap.Serial
	Issuer, Subject     string
	NotBefore, NotAfter uint64
	CA                  bool
	PathLen             int
	Usage               byte // bits of the key usage extension
	Extensions          [][]byte
}

// Processor is what a processor's certificate says of it.
type Processor struct {
	PPID   [16]byte
	FMSPC  dcap.FMSPC
	PCEID  [2]byte
	SGX    [16]uint8
	PCESVN uint16
}

// List is a revocation list before it is signed.
type List struct {
	Issuer       string
	Issued, Next uint64
	Revoked      []dcap.Serial
}

// bytes applies Edit to a part.
func (s *Specimen) bytes(p Part, b []byte) []byte {
	if f := s.Edit[p]; f != nil {
		return f(b)
	}
	return b
}

// message is what the part's signature is made over: something else if it is spoilt.
func (s *Specimen) message(p Part, b []byte) []byte {
	if s.Spoil[p] {
		return append(bytes.Clone(b), 0)
	}
	return b
}

var algECDSA = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2))

// signedDER is a certificate or list: what is signed, how, and the signature.
func (s *Specimen) signedDER(p Part, tbs []byte, key *ecdsa.PrivateKey) []byte {
	tbs = s.bytes(p, tbs)
	return sequence(tbs, algECDSA, node(tagBitString, []byte{0}, signDER(key, s.message(p, tbs))))
}

// name is a distinguished name with a common name and an organisation.
func name(cn string) []byte {
	return sequence(node(tagSet, sequence(oid(0x55, 4, 3), node(tagUTF8, []byte(cn)))),
		node(tagSet, sequence(oid(0x55, 4, 10), node(tagUTF8, []byte("Crust development, no trust at all")))))
}

// certificate makes a certificate for key, signed by issuer.
func (s *Specimen) certificate(p Part, c *Certificate, key, issuer *ecdsa.PrivateKey) []byte {
	public := keyOf(key)
	spki := sequence(sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1), oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7)), node(tagBitString, []byte{0, 4}, public[:]))
	constraints := sequence()
	if c.CA {
		constraints = sequence([]byte{tagBoolean, 1, 0xff}, small(c.PathLen))
	}
	unused := byte(0)
	for c.Usage>>unused&1 == 0 && unused < 7 {
		unused++
	}
	ext := append([][]byte{
		extension(oid(0x55, 0x1d, 0x0f), true, node(tagBitString, []byte{unused, c.Usage})),
		extension(oid(0x55, 0x1d, 0x13), true, constraints),
	}, c.Extensions...)
	return s.signedDER(p, sequence(node(0xa0, small(2)), natural(c.Serial[:]), algECDSA, name(c.Issuer),
		sequence(clock(c.NotBefore), clock(c.NotAfter)), name(c.Subject), spki, node(0xa3, sequence(ext...))), issuer)
}

// extension is the extension of a processor's certificate.
func (p *Processor) extension() []byte {
	sgx := []byte{0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 0x0d, 1}
	id := func(n ...byte) []byte { return oid(append(slices.Clone(sgx), n...)...) }
	var tcb [][]byte
	for i, v := range p.SGX {
		tcb = append(tcb, sequence(id(2, byte(i+1)), small(int(v))))
	}
	tcb = append(tcb, sequence(id(2, 17), small(int(p.PCESVN))), sequence(id(2, 18), node(tagOctets, p.SGX[:])))
	return extension(id(), false, sequence(
		sequence(id(1), node(tagOctets, p.PPID[:])),
		sequence(id(2), sequence(tcb...)),
		sequence(id(3), node(tagOctets, p.PCEID[:])),
		sequence(id(4), node(tagOctets, p.FMSPC[:])),
		sequence(id(5), node(tagEnumerated, []byte{1}))))
}

// list makes a revocation list.
func (s *Specimen) list(p Part, l *List, key *ecdsa.PrivateKey) []byte {
	var entries []byte
	for _, r := range l.Revoked {
		reason := sequence(extension(oid(0x55, 0x1d, 0x15), false, node(tagEnumerated, []byte{1})))
		entries = append(entries, sequence(natural(r[:]), clock(l.Issued), reason)...)
	}
	if len(entries) > 0 {
		entries = sequence(entries)
	}
	number := extension(oid(0x55, 0x1d, 0x14), false, small(1))
	return s.signedDER(p, sequence(small(1), algECDSA, name(l.Issuer), clock(l.Issued), clock(l.Next), entries, node(0xa0, sequence(number))), key)
}

// Chain is the certificates of the quote: the processor's, its authority's, the root.
func (s *Specimen) Chain() [][]byte {
	pck := s.PCK
	pck.Extensions = append(slices.Clone(pck.Extensions), s.Processor.extension())
	return [][]byte{
		s.certificate(PCKCert, &pck, s.PCKKey, s.CAKey),
		s.certificate(CACert, &s.CA, s.CAKey, s.RootKey),
		s.certificate(RootCert, &s.Root, s.RootKey, s.RootKey),
	}
}

// Bundle is the collateral.
func (s *Specimen) Bundle() *dcap.Bundle {
	b := &dcap.Bundle{
		Signer:     s.certificate(SignerCert, &s.Signer, s.SignerKey, s.RootKey),
		TCBInfo:    dcap.Signed{Body: s.bytes(TCBInfo, infoJSON(&s.Info))},
		QEIdentity: dcap.Signed{Body: s.bytes(QEIdentity, identityJSON(&s.QE))},
		RootCRL:    s.list(RootCRL, &s.RootList, s.RootKey),
		PCKCRL:     s.list(PCKCRL, &s.PCKList, s.CAKey),
	}
	b.TCBInfo.Signature = sign(s.SignerKey, s.message(TCBInfo, b.TCBInfo.Body))
	b.QEIdentity.Signature = sign(s.SignerKey, s.message(QEIdentity, b.QEIdentity.Body))
	return b
}

// sgxReport is the report body of an SGX enclave.
func sgxReport(flags uint64, code, signer [32]byte, prodID, svn uint16, data [64]byte) []byte {
	b := make([]byte, 384)
	binary.LittleEndian.PutUint64(b[48:], flags)
	binary.LittleEndian.PutUint64(b[56:], 3)
	copy(b[64:], code[:])
	copy(b[128:], signer[:])
	binary.LittleEndian.PutUint16(b[256:], prodID)
	binary.LittleEndian.PutUint16(b[258:], svn)
	copy(b[320:], data[:])
	return b
}

// tdxReport is the report body of a TDX guest.
func (s *Specimen) tdxReport() []byte {
	b := make([]byte, 584)
	copy(b, s.TDXVersions[:])
	copy(b[64:], s.SeamSigner[:])
	binary.LittleEndian.PutUint64(b[120:], s.Flags)
	binary.LittleEndian.PutUint64(b[128:], s.XFAM)
	copy(b[136:], s.MRTD[:])
	for i := range s.RTMR {
		copy(b[328+48*i:], s.RTMR[i][:])
	}
	copy(b[520:], s.Data[:])
	return b
}

// Quote is the quote.
func (s *Specimen) Quote() []byte {
	le := binary.LittleEndian
	q := le.AppendUint16(nil, s.Version)
	q = le.AppendUint16(q, s.KeyType)
	q = le.AppendUint32(q, map[tee.Kind]uint32{tee.TDX: 0x81}[s.Kind])
	q = append(append(append(q, 0, 0, 0, 0), s.QEVendor[:]...), make([]byte, 20)...)
	if s.Kind == tee.TDX {
		q = append(q, s.tdxReport()...)
	} else {
		q = append(q, sgxReport(s.Flags, s.Code, sha256.Sum256([]byte("crust/dev-signer")), 1, 1, s.Data)...)
	}
	q = s.bytes(QuoteBody, q)

	attestation := keyOf(s.QEKey)
	data := s.QEData
	if data == ([64]byte{}) {
		h := sha256.Sum256(append(bytes.Clone(attestation[:]), s.QEAuth...))
		copy(data[:], h[:])
	}
	report := s.bytes(QEReport, sgxReport(s.QEFlags, sha256.Sum256([]byte("crust/dev-quoting-enclave")), s.QESigner, s.QEProdID, s.QESVN, data))
	certification := bytes.Clone(report)
	sig := sign(s.PCKKey, s.message(QEReport, report))
	certification = le.AppendUint16(append(certification, sig[:]...), uint16(len(s.QEAuth)))
	certification = le.AppendUint16(append(certification, s.QEAuth...), s.CertificationType)
	pem := s.pem()
	certification = append(le.AppendUint32(certification, uint32(len(pem))), pem...)

	sig = sign(s.QEKey, s.message(QuoteBody, q))
	auth := append(bytes.Clone(sig[:]), attestation[:]...)
	if s.Kind == tee.TDX {
		auth = le.AppendUint32(le.AppendUint16(auth, 6), uint32(len(certification)))
	}
	auth = append(auth, certification...)
	return append(le.AppendUint32(q, uint32(len(auth))), auth...)
}

// pem is the chain of certificates as quotes have it.
func (s *Specimen) pem() []byte {
	chain := s.certificates
	if chain == nil {
		chain = s.Chain()
	}
	var out []byte
	for _, der := range chain {
		out = append(out, "-----BEGIN CERTIFICATE-----\n"...)
		for text := base64.StdEncoding.EncodeToString(der); text != ""; {
			n := min(64, len(text))
			out = append(append(out, text[:n]...), '\n')
			text = text[n:]
		}
		out = append(out, "-----END CERTIFICATE-----\n"...)
	}
	return append(out, 0)
}
