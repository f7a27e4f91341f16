package dev

import (
	"fmt"
	"slices"
)

// Tags of DER.
const (
	tagBoolean    = 0x01
	tagInteger    = 0x02
	tagBitString  = 0x03
	tagOctets     = 0x04
	tagOID        = 0x06
	tagEnumerated = 0x0a
	tagUTF8       = 0x0c
	tagUTCTime    = 0x17
	tagTime       = 0x18
	tagSequence   = 0x30
	tagSet        = 0x31
)

// node is a value in DER: its contents are the parts, one after the other.
func node(tag byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	n := len(body)
	out := []byte{tag}
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 0x100:
		out = append(out, 0x81, byte(n))
	case n < 0x10000:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, body...)
}

func sequence(parts ...[]byte) []byte { return node(tagSequence, parts...) }

// natural is an integer from big-endian bytes.
func natural(b []byte) []byte {
	for len(b) > 1 && b[0] == 0 {
		b = b[1:]
	}
	if b[0] >= 0x80 {
		return node(tagInteger, []byte{0}, b)
	}
	return node(tagInteger, b)
}

func small(n int) []byte { return natural([]byte{byte(n >> 8), byte(n)}) }

func oid(b ...byte) []byte { return node(tagOID, b) }

// extension is one extension of a certificate or list.
func extension(id []byte, critical bool, value []byte) []byte {
	if critical {
		return sequence(id, []byte{tagBoolean, 1, 0xff}, node(tagOctets, value))
	}
	return sequence(id, node(tagOctets, value))
}

// date takes seconds since 1970 apart.
func date(at uint64) (year int, p [5]int) {
	days := int(at / 86400)
	rest := int(at % 86400)
	p[2], p[3], p[4] = rest/3600, rest/60%60, rest%60
	for year = 1970; days >= yearDays(year); year++ {
		days -= yearDays(year)
	}
	for p[0] = 1; days >= monthDays(year, p[0]); p[0]++ {
		days -= monthDays(year, p[0])
	}
	p[1] = days + 1
	return year, p
}

func yearDays(year int) int {
	if monthDays(year, 2) == 29 {
		return 366
	}
	return 365
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

// clock is a point in time as certificates have it.
func clock(at uint64) []byte {
	year, p := date(at)
	rest := fmt.Sprintf("%02d%02d%02d%02d%02dZ", p[0], p[1], p[2], p[3], p[4])
	if year >= 2050 {
		return node(tagTime, fmt.Appendf(nil, "%04d%s", year, rest))
	}
	return node(tagUTCTime, fmt.Appendf(nil, "%02d%s", year%100, rest))
}

// stamp is a point in time as collateral has it.
func stamp(at uint64) string {
	year, p := date(at)
	return fmt.Sprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", year, p[0], p[1], p[2], p[3], p[4])
}
