package dcap

import "bytes"

// Tags of the profile.
const (
	tagBoolean     = 0x01
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctets      = 0x04
	tagOID         = 0x06
	tagEnumerated  = 0x0a
	tagUTCTime     = 0x17
	tagTime        = 0x18 // GeneralizedTime
	tagSequence    = 0x30
	tagVersion     = 0xa0 // [0], of certificates; extensions of revocation lists
	tagExtensions3 = 0xa3 // [3], extensions of certificates
)

// der reads DER: one tag byte, a definite length in its shortest form. The first
// failure sticks, in a flag that readers of inner values share; a reader that has
// failed returns nothing more.
type der struct {
	b  []byte
	ok *bool
}

func newDER(b []byte) der {
	ok := true
	return der{b, &ok}
}

func (d *der) fail() { *d.ok, d.b = false, nil }

// next is the tag of the next value, 0 at the end.
func (d *der) next() byte {
	if !*d.ok || len(d.b) == 0 {
		return 0
	}
	return d.b[0]
}

// value reads a value with the tag and returns it whole and without tag and length.
func (d *der) value(tag byte) (whole, body []byte) {
	if d.next() != tag || len(d.b) < 2 {
		d.fail()
		return nil, nil
	}
	n, head := int(d.b[1]), 2
	if n >= 0x80 {
		size := n & 0x7f // bytes of the length: no more than three are needed below MaxCRL
		if size == 0 || size > 3 || len(d.b) < 2+size {
			d.fail()
			return nil, nil
		}
		n = 0
		for _, c := range d.b[2 : 2+size] {
			n = n<<8 | int(c)
		}
		head += size
		if n < 0x80 || size > 1 && n < 1<<(8*(size-1)) {
			d.fail()
			return nil, nil
		}
	}
	if len(d.b)-head < n {
		d.fail()
		return nil, nil
	}
	whole, body = d.b[:head+n:head+n], d.b[head:head+n:head+n]
	d.b = d.b[head+n:]
	return whole, body
}

// enter reads a value and returns a reader of what is inside.
func (d *der) enter(tag byte) der {
	_, body := d.value(tag)
	return der{body, d.ok}
}

// end demands that nothing is left.
func (d *der) end() {
	if len(d.b) != 0 {
		d.fail()
	}
}

// expect reads a value that must be these bytes.
func (d *der) expect(whole []byte) {
	if !*d.ok || !bytes.HasPrefix(d.b, whole) {
		d.fail()
		return
	}
	d.b = d.b[len(whole):]
}

// natural reads an integer that is not negative, in its shortest form, and
// returns its bytes without the zero that keeps it positive.
func (d *der) natural() []byte {
	_, b := d.value(tagInteger)
	switch {
	case len(b) == 0 || b[0] >= 0x80 || len(b) > 1 && b[0] == 0 && b[1] < 0x80:
		d.fail()
		return nil
	case len(b) > 1 && b[0] == 0:
		return b[1:]
	}
	return b
}

// small reads a natural number up to limit.
func (d *der) small(limit uint32) uint32 {
	b := d.natural()
	if len(b) > 4 {
		d.fail()
		return 0
	}
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	if n > uint64(limit) {
		d.fail()
		return 0
	}
	return uint32(n)
}

// Serial is the number of a certificate, big-endian, with zeros before it.
type Serial [20]byte

// serial reads the number of a certificate.
func (d *der) serial() (s Serial) {
	b := d.natural()
	if len(b) > len(s) {
		d.fail()
		return s
	}
	copy(s[len(s)-len(b):], b)
	return s
}

// boolean reads TRUE: DER leaves FALSE out where that is the default, and the
// profile has no other booleans.
func (d *der) boolean() bool {
	if _, b := d.value(tagBoolean); len(b) != 1 || b[0] != 0xff {
		d.fail()
		return false
	}
	return true
}

// signature reads a bit string that holds an ECDSA signature.
func (d *der) signature() (s Signature) {
	_, bits := d.value(tagBitString)
	if len(bits) == 0 || bits[0] != 0 {
		d.fail()
		return s
	}
	inner := der{bits[1:], d.ok}
	pair := inner.enter(tagSequence)
	inner.end()
	for _, half := range [][]byte{s[:32], s[32:]} {
		n := pair.natural()
		if len(n) > len(half) {
			d.fail()
			return Signature{}
		}
		copy(half[len(half)-len(n):], n)
	}
	pair.end()
	return s
}

// time reads a point in time, in seconds since 1970. As RFC 5280 wants it, UTCTime
// is for years before 2050 and GeneralizedTime for those from then on.
func (d *der) time() uint64 {
	tag := d.next()
	if tag != tagUTCTime && tag != tagTime {
		d.fail()
		return 0
	}
	_, b := d.value(tag)
	digits := 12
	if tag == tagTime {
		digits = 14
	}
	if len(b) != digits+1 || b[digits] != 'Z' {
		d.fail()
		return 0
	}
	year, ok := number(b[:digits-10])
	if tag == tagUTCTime {
		if year += 2000; year >= 2050 {
			year -= 100
		}
	} else {
		ok = ok && year >= 2050
	}
	var parts [5]int
	for i := range parts {
		n, good := number(b[digits-10+2*i : digits-8+2*i])
		parts[i], ok = n, ok && good
	}
	at, valid := seconds(year, parts)
	if !ok || !valid {
		d.fail()
		return 0
	}
	return at
}

// number reads decimal digits.
func number(b []byte) (n int, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, len(b) > 0
}

// seconds counts from 1970 to a date of the Gregorian calendar and a time of day,
// in UTC and without leap seconds: month, day, hour, minute, second.
func seconds(year int, p [5]int) (uint64, bool) {
	month, day := p[0], p[1]
	if year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > monthDays(year, month) || p[2] > 23 || p[3] > 59 || p[4] > 59 {
		return 0, false
	}
	y := year - 1
	days := 365*(year-1970) + (y/4 - y/100 + y/400) - (1969/4 - 1969/100 + 1969/400)
	for m := 1; m < month; m++ {
		days += monthDays(year, m)
	}
	days += day - 1
	return uint64(((days*24+p[2])*60+p[3])*60 + p[4]), true
}

func monthDays(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
