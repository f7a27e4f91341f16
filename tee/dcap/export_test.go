package dcap

// Parsers without verification, for fuzzing.
var (
	ParseCRL        = parseCRL
	ParseTCBInfo    = parseTCBInfo
	ParseQEIdentity = parseQEIdentity
	ParsePEM        = parsePEM
)

// Subject is the name of a certificate, in DER.
func (c *Certificate) Subject() []byte { return c.subject }

// Time reads a point in time from DER.
func Time(b []byte) (uint64, bool) {
	d := newDER(b)
	at := d.time()
	d.end()
	return at, *d.ok
}

// Natural reads a natural number from DER.
func Natural(b []byte) ([]byte, bool) {
	d := newDER(b)
	n := d.natural()
	d.end()
	return n, *d.ok
}

// DER is the signature as X.509 has it, and back.
func (s Signature) DER() (der []byte, back Signature, ok bool) {
	der = s.appendDER(nil)
	bits := append([]byte{tagBitString, byte(len(der) + 1), 0}, der...)
	d := newDER(bits)
	back = d.signature()
	d.end()
	return der, back, *d.ok
}

// Join is the status of a platform with a module.
func (s Status) Join(module Status) Status { return s.with(module) }
