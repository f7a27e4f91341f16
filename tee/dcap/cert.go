package dcap

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

// MaxCertificate bounds a certificate, in bytes; the vendor's have up to 1,300.
const MaxCertificate = 4096

// Certificate is an X.509 certificate of the profile: version 3, P-256, signed
// with ECDSA over SHA-256. Its slices refer to the bytes it was parsed from.
type Certificate struct {
	raw             []byte
	tbs             []byte // what is signed
	signature       Signature
	issuer, subject []byte // names, in DER

	Serial              Serial
	NotBefore, NotAfter uint64 // seconds since 1970, both inclusive
	Key                 Key
	CA                  bool
	pathLen             int // authorities that may follow; -1 if not limited
	usage               byte
	pck                 *pckExtension // of processors' certificates
}

// Bits of the key usage extension.
const (
	useSign     = 0x80 // digitalSignature
	useSignCert = 0x04 // keyCertSign
	useSignCRL  = 0x02 // cRLSign
)

// Parts of certificates that are always the same.
var (
	algECDSA = []byte{tagSequence, 10, tagOID, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2} // ecdsa-with-SHA256, without parameters
	// spkiP256 is a SubjectPublicKeyInfo up to the coordinates of an uncompressed point.
	spkiP256 = []byte{tagSequence, 0x59, tagSequence, 0x13, tagOID, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1,
		tagOID, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, tagBitString, 0x42, 0, 4}
	version3 = []byte{tagVersion, 3, tagInteger, 1, 2}
)

// Object identifiers, without tag and length.
var (
	oidKeyUsage         = []byte{0x55, 0x1d, 0x0f}
	oidBasicConstraints = []byte{0x55, 0x1d, 0x13}
	oidSGX              = []byte{0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 0x0d, 1} // 1.2.840.113741.1.13.1
)

// ParseCertificate reads a certificate from DER. ErrCertificate is the only error.
func ParseCertificate(raw []byte) (*Certificate, error) {
	if len(raw) > MaxCertificate {
		return nil, ErrCertificate.because("%d bytes, more than %d", len(raw), MaxCertificate)
	}
	d := newDER(raw)
	c := &Certificate{raw: raw, pathLen: -1}
	outer := d.enter(tagSequence)
	d.end()
	whole, body := outer.value(tagSequence)
	c.tbs = whole
	outer.expect(algECDSA)
	c.signature = outer.signature()
	outer.end()

	t := der{body, d.ok}
	t.expect(version3)
	c.Serial = t.serial()
	t.expect(algECDSA)
	c.issuer, _ = t.value(tagSequence)
	v := t.enter(tagSequence)
	c.NotBefore, c.NotAfter = v.time(), v.time()
	v.end()
	c.subject, _ = t.value(tagSequence)
	t.expect(spkiP256)
	if len(t.b) < len(c.Key) {
		t.fail()
	}
	t.b = t.b[copy(c.Key[:], t.b):]
	explicit := t.enter(tagExtensions3)
	t.end()
	ext := explicit.enter(tagSequence)
	explicit.end()
	c.extensions(&ext)
	if !*d.ok {
		return nil, ErrCertificate
	}
	return c, nil
}

// extensions reads what a certificate says of its use. What is not critical and
// not known means nothing here; what is critical must be known.
func (c *Certificate) extensions(d *der) {
	var haveUsage, haveConstraints bool
	for *d.ok && len(d.b) > 0 {
		e := d.enter(tagSequence)
		_, oid := e.value(tagOID)
		critical := e.next() == tagBoolean && e.boolean()
		v := e.enter(tagOctets)
		e.end()
		switch {
		case bytes.Equal(oid, oidKeyUsage) && !haveUsage:
			haveUsage = true
			_, bits := v.value(tagBitString)
			v.end()
			if len(bits) < 2 || bits[0] > 7 {
				d.fail()
				return
			}
			c.usage = bits[1]
		case bytes.Equal(oid, oidBasicConstraints) && !haveConstraints:
			haveConstraints = true
			s := v.enter(tagSequence)
			v.end()
			if c.CA = s.next() == tagBoolean && s.boolean(); c.CA && s.next() == tagInteger {
				c.pathLen = int(s.small(255))
			}
			s.end()
		case bytes.Equal(oid, oidSGX) && c.pck == nil:
			c.pck = parsePCKExtension(&v)
		case bytes.Equal(oid, oidKeyUsage), bytes.Equal(oid, oidBasicConstraints), bytes.Equal(oid, oidSGX), critical:
			d.fail()
		}
	}
	if !haveUsage || !haveConstraints {
		d.fail()
	}
}

// pckExtension is what the certificate of a processor says of it.
type pckExtension struct {
	ppid   [16]byte // names the processor
	sgx    [16]uint8
	pcesvn uint16
	pceid  [2]byte
	fmspc  [6]byte
}

// parsePCKExtension reads the extension 1.2.840.113741.1.13.1: a sequence of
// numbered fields, of which those needed here must be there once.
func parsePCKExtension(d *der) *pckExtension {
	x := &pckExtension{}
	fields := d.enter(tagSequence)
	d.end()
	seen := uint32(0)
	for *d.ok && len(fields.b) > 0 {
		f := fields.enter(tagSequence)
		n := f.field(oidSGX, &seen)
		switch n {
		case 1:
			f.octets(x.ppid[:])
		case 2:
			tcb := f.enter(tagSequence)
			x.tcb(&tcb)
		case 3:
			f.octets(x.pceid[:])
		case 4:
			f.octets(x.fmspc[:])
		default:
			continue // the kind of SGX, the instance and configuration of the platform: not judged
		}
		f.end()
	}
	if const1to4 := uint32(0b11110); seen&const1to4 != const1to4 {
		d.fail()
	}
	return x
}

// tcb reads the versions of a processor's components.
func (x *pckExtension) tcb(d *der) {
	prefix := append(slices.Clone(oidSGX), 2)
	seen := uint32(0)
	for *d.ok && len(d.b) > 0 {
		f := d.enter(tagSequence)
		switch n := f.field(prefix, &seen); {
		case n >= 1 && n <= 16:
			x.sgx[n-1] = uint8(f.small(255))
		case n == 17:
			x.pcesvn = uint16(f.small(65535))
		case n == 18:
			var cpusvn [16]byte // the same versions once more, as the processor packs them
			f.octets(cpusvn[:])
		default:
			d.fail()
		}
		f.end()
	}
	if seen != 1<<19-2 { // 1 to 18
		d.fail()
	}
}

// field reads the identifier of a numbered field, prefix and one byte, and notes
// that the number was seen; a number that comes twice fails.
func (d *der) field(prefix []byte, seen *uint32) int {
	_, oid := d.value(tagOID)
	n, ok := bytes.CutPrefix(oid, prefix)
	if !ok || len(n) != 1 || n[0] == 0 || n[0] > 31 || *seen&(1<<n[0]) != 0 {
		d.fail()
		return 0
	}
	*seen |= 1 << n[0]
	return int(n[0])
}

// octets reads an octet string of exactly that length.
func (d *der) octets(into []byte) {
	if _, b := d.value(tagOctets); len(b) != len(into) {
		d.fail()
	} else {
		copy(into, b)
	}
}

// Trust is what verification starts from.
type Trust struct {
	Roots []Key  // keys of the roots that count
	Now   uint64 // seconds since 1970; of the chain, never of a clock
	// Known tells whether the signature of a certificate was verified before; nil
	// knows none. The digest is that of Certificate and the key that signed it.
	Known func(digest [32]byte) bool
}

// digest names a certificate together with the key that signed it.
func (c *Certificate) digest(issuer *Key) [32]byte {
	h := sha256.New()
	h.Write(c.raw)
	h.Write(issuer[:])
	var out [32]byte
	h.Sum(out[:0])
	return out
}

// Chain is a verified chain of certificates, the root last.
type Chain []*Certificate

// Root is the chain's root.
func (c Chain) Root() *Certificate { return c[len(c)-1] }

// Digests names the authorities of the chain for Trust.Known: whoever remembers
// them saves their signatures the next time.
func (c Chain) Digests() [][32]byte {
	var out [][32]byte
	for i, cert := range c {
		if cert.CA {
			out = append(out, cert.digest(&c[min(i+1, len(c)-1)].Key))
		}
	}
	return out
}

// end says what the first certificate of a chain is for.
type end bool

const (
	authority end = true  // it signs certificates and revocation lists
	entity    end = false // it signs something else
)

// OpenAuthority verifies the chain of an authority: the root alone, or the
// authority and the root.
func OpenAuthority(raws [][]byte, t *Trust) (Chain, error) { return openChain(raws, t, authority) }

// signerName is in the name of signers of collateral, whatever else the root certifies.
var signerName = []byte("TCB Signing")

// OpenSigner verifies the chain of a signer of collateral: its certificate, and
// the root directly above. The error is ErrSigner, or ErrSignerRevoked if crl, the
// list of the same root, names it.
func OpenSigner(raws [][]byte, crl *CRL, t *Trust) (Chain, error) {
	if len(raws) != 2 {
		return nil, ErrSigner.because("a chain of %d certificates", len(raws))
	}
	c, err := openChain(raws, t, entity)
	switch {
	case err != nil:
		return nil, ErrSigner.because("%v", err)
	case crl == nil:
		return nil, ErrCRL.because("without the root's list nobody knows whether the signer is revoked")
	case c[0].pck != nil || !bytes.Contains(c[0].subject, signerName):
		return nil, ErrSigner.because("it is a certificate for something else")
	case crl.Revokes(c[0].Serial):
		return nil, ErrSignerRevoked
	}
	return c, nil
}

func openChain(raws [][]byte, t *Trust, first end) (Chain, error) {
	if len(raws) == 0 || len(raws) > 3 {
		return nil, ErrIssuer.because("a chain of %d certificates", len(raws))
	}
	c := make(Chain, len(raws))
	for i, raw := range raws {
		var err error
		if c[i], err = ParseCertificate(raw); err != nil {
			return nil, err
		}
	}
	return c, c.verify(t, first)
}

// verify is check 2: first what costs nothing, then the signatures.
func (c Chain) verify(t *Trust, first end) error {
	for i, cert := range c {
		above := c[min(i+1, len(c)-1)]
		switch {
		case !bytes.Equal(cert.issuer, above.subject):
			return ErrIssuer.because("certificate %d names another issuer than the one that follows", i)
		case !above.CA || above.usage&(useSignCert|useSignCRL) != useSignCert|useSignCRL:
			return ErrIssuer.because("certificate %d was issued by one that is no authority", i)
		case i > 0 && cert.pathLen >= 0 && cert.pathLen < i-1:
			return ErrIssuer.because("certificate %d allows only %d authorities below it", i, cert.pathLen)
		case i == 0 && cert.CA != bool(first), i == 0 && !cert.CA && cert.usage&useSign == 0:
			return ErrIssuer.because("the first certificate is for another use")
		}
	}
	for i, cert := range c {
		if t.Now < cert.NotBefore || t.Now > cert.NotAfter {
			return ErrValidity.because("certificate %d is valid from %d to %d, it is %d", i, cert.NotBefore, cert.NotAfter, t.Now)
		}
	}
	if !slices.Contains(t.Roots, c.Root().Key) {
		return ErrRoot
	}
	for i := len(c) - 1; i >= 0; i-- {
		key := &c[min(i+1, len(c)-1)].Key
		if c[i].CA && t.Known != nil && t.Known(c[i].digest(key)) {
			continue
		}
		if !signedBy(key, c[i].tbs, &c[i].signature) {
			return ErrCertSignature.because("certificate %d", i)
		}
	}
	return nil
}
