package dcap

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"

	"github.com/crustgo/crust/tee"
)

// MaxQuote bounds a quote, in bytes; genuine ones have about 5,000.
const MaxQuote = 16 << 10

// Sizes and constants of the layout, facts/tee.md §1.3.
const (
	headerLen    = 48
	reportLen    = 384 // of an SGX enclave
	tdReportLen  = 584
	keyECDSA     = 2 // attestation key type: ECDSA with P-256
	teeTDX       = 0x81
	certChain    = 5 // certification data: a chain in PEM
	certQEReport = 6 // of version 4: the quoting enclave's report, with certification data of its own
)

// qeVendor is the vendor of the quoting enclave.
var qeVendor = [16]byte{0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9, 0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07}

// Quote is a quote taken apart. Its slices refer to the bytes it was parsed from;
// nothing in it is verified.
type Quote struct {
	Kind      tee.Kind
	signed    []byte // header and body
	body      []byte
	signature Signature
	key       Key // of the quoting enclave
	qeReport  []byte
	qeSig     Signature
	qeAuth    []byte
	chain     [][]byte // certificates, in DER
}

// ParseQuote reads a quote: of SGX in version 3, of TDX in version 4, with the chain
// of certificates inside. Not a byte may be missing or left over. The errors are
// those of check 1.
func ParseQuote(raw []byte) (*Quote, error) {
	if len(raw) > MaxQuote {
		return nil, ErrLength.because("%d bytes, more than %d", len(raw), MaxQuote)
	}
	r := &bin{b: raw}
	q := &Quote{}
	header := r.take(headerLen)
	if r.short {
		return nil, ErrLength.because("%d bytes are no header", len(raw))
	}
	version, keyType, kind := binary.LittleEndian.Uint16(header), binary.LittleEndian.Uint16(header[2:]), binary.LittleEndian.Uint32(header[4:])
	switch {
	case keyType != keyECDSA || !bytes.Equal(header[12:28], qeVendor[:]):
		return nil, ErrVersion.because("key type %d, vendor %x", keyType, header[12:28])
	case version == 3 && kind == 0:
		q.Kind, q.body = tee.SGX, r.take(reportLen)
	case version == 4 && kind == teeTDX:
		q.Kind, q.body = tee.TDX, r.take(tdReportLen)
	default:
		return nil, ErrVersion.because("version %d, kind %#x", version, kind)
	}
	q.signed = raw[:len(raw)-len(r.b)]
	n := r.u32()
	if r.short || uint64(n) != uint64(len(r.b)) {
		return nil, ErrLength.because("%d bytes of signature data, %d are named", len(r.b), n)
	}
	certs, err := q.signatureData(r)
	if err != nil {
		return nil, err
	}
	q.chain, err = parsePEM(certs)
	return q, err
}

// signatureData reads what follows the body, up to the chain of certificates.
func (q *Quote) signatureData(r *bin) (certs []byte, err error) {
	copy(q.signature[:], r.take(len(q.signature)))
	copy(q.key[:], r.take(len(q.key)))
	if q.Kind == tee.TDX {
		kind, n := r.u16(), r.u32()
		switch {
		case r.short || uint64(n) != uint64(len(r.b)):
			return nil, ErrLength.because("%d bytes of certification data, %d are named", len(r.b), n)
		case kind != certQEReport:
			return nil, ErrCertification.because("certification data of type %d, not %d", kind, certQEReport)
		}
	}
	q.qeReport = r.take(reportLen)
	copy(q.qeSig[:], r.take(len(q.qeSig)))
	q.qeAuth = r.take(int(r.u16()))
	kind, n := r.u16(), r.u32()
	switch {
	case r.short || uint64(n) != uint64(len(r.b)):
		return nil, ErrLength.because("%d bytes of certificates, %d are named", len(r.b), n)
	case kind != certChain:
		return nil, ErrCertification.because("certification data of type %d, not %d", kind, certChain)
	}
	return r.b, nil
}

// bin reads little-endian values; it notes when the bytes run out.
type bin struct {
	b     []byte
	short bool
}

func (r *bin) take(n int) []byte {
	if len(r.b) < n {
		r.short, r.b = true, nil
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *bin) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *bin) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Lines around a certificate in PEM.
var (
	pemBegin = []byte("-----BEGIN CERTIFICATE-----\n")
	pemEnd   = []byte("-----END CERTIFICATE-----\n")
)

// pemLine is how many characters a line has, but for the last.
const pemLine = 64

// parsePEM reads three certificates in the one form that quotes have them in: lines
// of 64 characters, strict base64, and a zero byte, or none, at the end. So no two
// quotes differ in nothing but how their certificates are written.
func parsePEM(b []byte) ([][]byte, error) {
	out := make([][]byte, 0, 3)
	der := make([]byte, 0, len(b)/4*3)
	for range cap(out) {
		rest, ok := bytes.CutPrefix(b, pemBegin)
		if !ok {
			return nil, ErrCertification.because("certificate %d does not begin where it should", len(out))
		}
		start := len(der)
		if der, b, ok = pemBody(der, rest); !ok {
			return nil, ErrCertification.because("certificate %d is not plain PEM", len(out))
		}
		out = append(out, der[start:len(der):len(der)])
	}
	if len(b) > 1 || len(b) == 1 && b[0] != 0 {
		return nil, ErrCertification.because("%d bytes behind the third certificate", len(b))
	}
	return out, nil
}

// pemBody appends what the lines up to the end line encode, and returns the rest.
func pemBody(der, b []byte) (_, rest []byte, ok bool) {
	for last := false; ; {
		if rest, done := bytes.CutPrefix(b, pemEnd); done {
			return der, rest, true
		}
		n := bytes.IndexByte(b, '\n')
		if last || n <= 0 || n > pemLine || n%4 != 0 {
			return der, nil, false
		}
		last = n < pemLine || b[n-1] == '='
		var line [pemLine / 4 * 3]byte
		m, err := base64.StdEncoding.Strict().Decode(line[:], b[:n])
		if err != nil || bytes.IndexByte(b[:n], '\r') >= 0 {
			return der, nil, false
		}
		der, b = append(der, line[:m]...), b[n+1:]
	}
}

// enclaveReport reads fields of an SGX report body.
type enclaveReport []byte

func (r enclaveReport) miscSelect() []byte { return r[16:20] }
func (r enclaveReport) attributes() []byte { return r[48:64] }
func (r enclaveReport) flags() uint64      { return binary.LittleEndian.Uint64(r[48:]) }
func (r enclaveReport) mrEnclave() []byte  { return r[64:96] }
func (r enclaveReport) mrSigner() []byte   { return r[128:160] }
func (r enclaveReport) prodID() uint16     { return binary.LittleEndian.Uint16(r[256:]) }
func (r enclaveReport) svn() uint16        { return binary.LittleEndian.Uint16(r[258:]) }
func (r enclaveReport) data() []byte       { return r[320:384] }

// tdReport reads fields of a TDX report body.
type tdReport []byte

func (r tdReport) versions() []byte       { return r[0:16] }
func (r tdReport) seamSigner() []byte     { return r[64:112] }
func (r tdReport) seamAttributes() []byte { return r[112:120] }
func (r tdReport) attributes() []byte     { return r[120:128] }
func (r tdReport) xfam() uint64           { return binary.LittleEndian.Uint64(r[128:]) }
func (r tdReport) measurements() []byte   { return append(bytes.Clone(r[136:184]), r[328:520]...) } // MRTD, RTMR0 to RTMR3
func (r tdReport) data() []byte           { return r[520:584] }
