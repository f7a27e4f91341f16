package dcap

import (
	"bytes"
	"encoding/hex"

	"github.com/crustgo/crust/tee"
)

// Limits of collateral. The vendor's largest has about a third of each.
const (
	MaxCollateral = 64 << 10 // bytes of TCB info or QE identity
	maxLevels     = 64
	maxModules    = 16
)

// Signed is a document of the vendor's service: a JSON object, byte for byte as it
// was signed, and its signature.
type Signed struct {
	Body      []byte
	Signature Signature
}

// Window is the time for which collateral is meant.
type Window struct {
	Issued, Next uint64 // when it was made and when the next is due, seconds since 1970
	Evaluation   uint32 // number of the vendor's evaluation; a later one has a higher number
}

// check is the check of time and evaluation.
func (w *Window) check(p *Policy) error {
	switch {
	case p.Now < w.Issued || !within(p.Now, w.Next, p.Grace):
		return ErrCollateralStale.because("it is valid from %d to %d, it is %d", w.Issued, w.Next, p.Now)
	case w.Evaluation < p.MinEvaluation:
		return ErrEvaluation.because("%d, at least %d is needed", w.Evaluation, p.MinEvaluation)
	}
	return nil
}

// TCBInfo is the vendor's table of platform versions for a family of processors:
// verified, and a value that can be stored.
type TCBInfo struct {
	Kind tee.Kind
	Window
	FMSPC   FMSPC
	PCEID   [2]byte
	Levels  []Level
	Modules []Module // of TDX: the modules, that of version 0 first
}

// Module identifies a TDX module.
type Module struct {
	Version    uint8
	Signer     [48]byte
	Attributes [8]byte // what those of the module must be, where Mask has ones
	Mask       [8]byte
	Levels     []SVNLevel // of version 0 empty: it is judged with the platform
}

// QEIdentity says what the vendor's quoting enclave looks like: verified, and a
// value that can be stored.
type QEIdentity struct {
	Kind tee.Kind
	Window
	MiscSelect, MiscMask       [4]byte
	Attributes, AttributesMask [16]byte
	Signer                     [32]byte
	ProdID                     uint16
	Levels                     []SVNLevel
}

// OpenTCBInfo verifies a TCB info that signer must have signed.
func OpenTCBInfo(s *Signed, signer *Certificate) (*TCBInfo, error) {
	if err := s.verify(signer); err != nil {
		return nil, err
	}
	return parseTCBInfo(s.Body)
}

// OpenQEIdentity verifies a QE identity that signer must have signed.
func OpenQEIdentity(s *Signed, signer *Certificate) (*QEIdentity, error) {
	if err := s.verify(signer); err != nil {
		return nil, err
	}
	return parseQEIdentity(s.Body)
}

func (s *Signed) verify(signer *Certificate) error {
	switch {
	case len(s.Body) > MaxCollateral:
		return ErrCollateral.because("%d bytes, more than %d", len(s.Body), MaxCollateral)
	case !signedBy(&signer.Key, s.Body, &s.Signature):
		return ErrCollateralSignature
	}
	return nil
}

// Keys of TCB info; those of SGX and TDX first, then those of TDX.
var tcbInfoKeys = []string{"id", "version", "issueDate", "nextUpdate", "fmspc", "pceId", "tcbType", "tcbEvaluationDataNumber", "tcbLevels", "tdxModule", "tdxModuleIdentities"}

// parseTCBInfo reads a TCB info of version 3.
func parseTCBInfo(body []byte) (*TCBInfo, error) {
	t := &text{b: body}
	i := &TCBInfo{}
	var id string
	var version, kind uint32
	var first *Module
	ofTDX := true // all levels name versions of TDX components
	t.object(tcbInfoKeys, 9, func(key int) {
		switch key {
		case 0:
			id = string(t.str())
		case 1:
			version = t.num(255)
		case 2:
			i.Issued = t.date()
		case 3:
			i.Next = t.date()
		case 4:
			t.hex(i.FMSPC[:])
		case 5:
			t.hex(i.PCEID[:])
		case 6:
			kind = t.num(255)
		case 7:
			i.Evaluation = t.num(1<<32 - 1)
		case 8:
			t.array(maxLevels, func(int) {
				l, tdx := t.level()
				i.Levels, ofTDX = append(i.Levels, l), ofTDX && tdx
			})
		case 9:
			m := t.module(3)
			first = &m
		case 10:
			t.array(maxModules, func(int) { i.Modules = append(i.Modules, t.module(5)) })
		}
	})
	t.end()
	if t.failed {
		return nil, ErrCollateral.because("TCB info is malformed")
	}
	switch {
	case version != 3 || kind != 0:
		return nil, ErrCollateral.because("TCB info of version %d, type %d", version, kind)
	case i.Next < i.Issued:
		return nil, ErrCollateral.because("the next TCB info is due before this one")
	case id == "SGX":
		i.Kind, i.Modules = tee.SGX, nil
	case id == "TDX" && first != nil && ofTDX:
		i.Kind, i.Modules = tee.TDX, append([]Module{*first}, i.Modules...)
	default:
		return nil, ErrCollateral.because("TCB info of %q", id)
	}
	return i, i.uniform()
}

// uniform demands that all levels are of the info's kind, and no module is there twice.
func (i *TCBInfo) uniform() error {
	for k := range i.Levels {
		if i.Kind == tee.SGX {
			i.Levels[k].TDX = [16]uint8{} // says nothing of SGX
		}
	}
	for k := range i.Modules {
		if k > 0 && i.Modules[k].Version == 0 || i.module(i.Modules[k].Version) != &i.Modules[k] {
			return ErrCollateral.because("TDX module %d is listed twice", i.Modules[k].Version)
		}
	}
	return nil
}

var (
	levelKeys  = []string{"tcb", "tcbStatus"}
	tcbKeys    = []string{"sgxtcbcomponents", "pcesvn", "tdxtcbcomponents"}
	svnKeys    = []string{"svn"}
	isvKeys    = []string{"isvsvn"}
	moduleKeys = []string{"mrsigner", "attributes", "attributesMask", "id", "tcbLevels"}
)

// level reads a row of the table of platforms, and whether it is one of TDX.
func (t *text) level() (l Level, tdx bool) {
	t.object(levelKeys, 2, func(key int) {
		if key == 1 {
			l.Status = t.status()
			return
		}
		t.object(tcbKeys, 2, func(key int) {
			switch key {
			case 0:
				t.components(&l.SGX)
			case 1:
				l.PCESVN = uint16(t.num(65535))
			case 2:
				t.components(&l.TDX)
				tdx = true
			}
		})
	})
	return l, tdx
}

// components reads the versions of sixteen components.
func (t *text) components(into *[16]uint8) {
	n := t.array(len(into), func(i int) {
		t.object(svnKeys, 1, func(int) { into[i] = uint8(t.num(255)) })
	})
	if n != len(into) {
		t.fail()
	}
}

// module reads a TDX module with that many of the moduleKeys.
func (t *text) module(required int) (m Module) {
	t.object(moduleKeys, required, func(key int) {
		switch key {
		case 0:
			t.hex(m.Signer[:])
		case 1:
			t.hex(m.Attributes[:])
		case 2:
			t.hex(m.Mask[:])
		case 3:
			id := t.str() // TDX_ and the version in two hexadecimal digits
			var v [1]byte
			if len(id) != 6 || string(id[:4]) != "TDX_" {
				t.fail()
				return
			}
			if _, err := hex.Decode(v[:], id[4:]); err != nil {
				t.fail()
			}
			m.Version = v[0]
		case 4:
			m.Levels = t.svnLevels()
		}
	})
	return m
}

// svnLevels reads the table of a module or quoting enclave.
func (t *text) svnLevels() (rows []SVNLevel) {
	t.array(maxLevels, func(int) {
		var l SVNLevel
		t.object(levelKeys, 2, func(key int) {
			if key == 1 {
				l.Status = t.status()
				return
			}
			t.object(isvKeys, 1, func(int) { l.SVN = uint16(t.num(65535)) })
		})
		rows = append(rows, l)
	})
	return rows
}

// status reads a status by its name.
func (t *text) status() Status {
	name := t.str()
	for s := UpToDate; s <= Revoked; s++ {
		if statusNames[s] == string(name) {
			return s
		}
	}
	return Unrecognised
}

var qeIdentityKeys = []string{"id", "version", "issueDate", "nextUpdate", "tcbEvaluationDataNumber", "miscselect", "miscselectMask", "attributes", "attributesMask", "mrsigner", "isvprodid", "tcbLevels"}

// parseQEIdentity reads a QE identity of version 2.
func parseQEIdentity(body []byte) (*QEIdentity, error) {
	t := &text{b: body}
	q := &QEIdentity{}
	var id string
	var version uint32
	t.object(qeIdentityKeys, len(qeIdentityKeys), func(key int) {
		switch key {
		case 0:
			id = string(t.str())
		case 1:
			version = t.num(255)
		case 2:
			q.Issued = t.date()
		case 3:
			q.Next = t.date()
		case 4:
			q.Evaluation = t.num(1<<32 - 1)
		case 5:
			t.hex(q.MiscSelect[:])
		case 6:
			t.hex(q.MiscMask[:])
		case 7:
			t.hex(q.Attributes[:])
		case 8:
			t.hex(q.AttributesMask[:])
		case 9:
			t.hex(q.Signer[:])
		case 10:
			q.ProdID = uint16(t.num(65535))
		case 11:
			q.Levels = t.svnLevels()
		}
	})
	t.end()
	switch {
	case t.failed:
		return nil, ErrCollateral.because("QE identity is malformed")
	case version != 2:
		return nil, ErrCollateral.because("QE identity of version %d", version)
	case q.Next < q.Issued:
		return nil, ErrCollateral.because("the next QE identity is due before this one")
	case id == "QE":
		q.Kind = tee.SGX
	case id == "TD_QE":
		q.Kind = tee.TDX
	default:
		return nil, ErrCollateral.because("QE identity of %q", id)
	}
	return q, nil
}

// ParseResponse reads what the vendor's service answers with: an object with a
// signed document, tcbInfo or enclaveIdentity, and its signature in hexadecimal;
// files of it may end in a newline. Nothing is verified.
func ParseResponse(b []byte) (s Signed, err error) {
	t := &text{b: bytes.TrimSuffix(b, []byte("\n"))}
	t.object([]string{"signature", "tcbInfo", "enclaveIdentity"}, 1, func(key int) {
		if key == 0 {
			t.hex(s.Signature[:])
			return
		}
		before := t.b
		if t.skip(maxNesting); !t.failed && s.Body == nil {
			s.Body = before[:len(before)-len(t.b)]
		} else {
			t.fail()
		}
	})
	t.end()
	if t.failed || s.Body == nil {
		return Signed{}, ErrCollateral.because("not an answer of the vendor's service")
	}
	return s, nil
}
