package dcap

import (
	"bytes"
	"slices"
)

// MaxCRL bounds a revocation list, in bytes: about 4,800 certificates.
const MaxCRL = 256 << 10

// CRL is a verified revocation list: a value that can be stored.
type CRL struct {
	Issuer       KeyID  // key that signed it
	Issued, Next uint64 // when it was made and when the next one is due, seconds since 1970
	Revoked      []Serial
}

// Revokes reports whether the list names the certificate.
func (c *CRL) Revokes(s Serial) bool {
	_, found := slices.BinarySearchFunc(c.Revoked, s, func(a, b Serial) int { return bytes.Compare(a[:], b[:]) })
	return found
}

// fresh is the check of a list's time.
func (c *CRL) fresh(now, grace uint64) error {
	if now < c.Issued || !within(now, c.Next, grace) {
		return ErrCRLStale.because("it is valid from %d to %d, it is %d", c.Issued, c.Next, now)
	}
	return nil
}

// within reports whether now is at most grace past next.
func within(now, next, grace uint64) bool { return now <= next || now-next <= grace }

// OpenCRL verifies a revocation list against the authority that must have signed
// it. Time is not judged: a list that is stored is used later. The number of a
// list is not kept, for the vendor's is always 1: lists are ordered by Issued.
func OpenCRL(raw []byte, issuer *Certificate) (*CRL, error) {
	crl, tbs, sig, err := parseCRL(raw, issuer.subject)
	if err != nil {
		return nil, err
	}
	if !signedBy(&issuer.Key, tbs, &sig) {
		return nil, ErrCRLSignature
	}
	crl.Issuer = issuer.Key.ID()
	return crl, nil
}

// parseCRL reads a list of version 2 without critical extensions: neither a
// difference to another list nor one for some certificates only.
func parseCRL(raw, issuer []byte) (c *CRL, tbs []byte, sig Signature, err error) {
	if len(raw) > MaxCRL {
		return nil, nil, sig, ErrCRL.because("%d bytes, more than %d", len(raw), MaxCRL)
	}
	d := newDER(raw)
	outer := d.enter(tagSequence)
	d.end()
	tbs, body := outer.value(tagSequence)
	outer.expect(algECDSA)
	sig = outer.signature()
	outer.end()

	c = &CRL{}
	t := der{body, d.ok}
	if t.small(1) != 1 {
		t.fail()
	}
	t.expect(algECDSA)
	name, _ := t.value(tagSequence)
	c.Issued, c.Next = t.time(), t.time()
	if t.next() == tagSequence {
		list := t.enter(tagSequence)
		c.entries(&list)
	}
	explicit := t.enter(tagVersion)
	t.end()
	ext := explicit.enter(tagSequence)
	explicit.end()
	ext.uncritical()
	switch {
	case !*d.ok:
		return nil, nil, sig, ErrCRL
	case !bytes.Equal(name, issuer):
		return nil, nil, sig, ErrCRL.because("it is the list of another authority")
	case c.Next < c.Issued:
		return nil, nil, sig, ErrCRL.because("the next list is due before this one")
	}
	slices.SortFunc(c.Revoked, func(a, b Serial) int { return bytes.Compare(a[:], b[:]) })
	return c, tbs, sig, nil
}

// entries reads the certificates of a list.
func (c *CRL) entries(d *der) {
	c.Revoked = make([]Serial, 0, len(d.b)/36) // the least an entry takes with a serial of twenty bytes
	for *d.ok && len(d.b) > 0 {
		e := d.enter(tagSequence)
		c.Revoked = append(c.Revoked, e.serial())
		e.time()
		if e.next() == tagSequence {
			ext := e.enter(tagSequence)
			ext.uncritical()
		}
		e.end()
	}
}

// uncritical reads extensions, of which none may be critical.
func (d *der) uncritical() {
	for *d.ok && len(d.b) > 0 {
		e := d.enter(tagSequence)
		e.value(tagOID)
		e.value(tagOctets)
		e.end()
	}
}
