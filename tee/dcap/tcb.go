package dcap

import (
	"github.com/crustgo/crust/tee"
)

// Status is the vendor's judgement of a version of a platform, a module or a
// quoting enclave. Statuses are wire values: append, never reorder.
type Status uint8

// The statuses.
const (
	Unrecognised                      Status = iota // one that this package does not know; never acceptable
	UpToDate                                        // nothing to do
	SWHardeningNeeded                               // safe if the software takes care
	ConfigurationNeeded                             // the platform's configuration is weak
	ConfigurationAndSWHardeningNeeded               // both
	OutOfDate                                       // an update is missing
	OutOfDateConfigurationNeeded                    // an update is missing and the configuration is weak
	Revoked                                         // not to be trusted
)

// statusNames are the vendor's names.
var statusNames = []string{"Unrecognised", "UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded", "Revoked"}

// Variants names the statuses for metadata.
func (Status) Variants() []string { return statusNames }

// String is the vendor's name of the status.
func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return statusNames[Unrecognised]
}

// Statuses is a set of statuses.
type Statuses uint16

// StatusesOf makes a set.
func StatusesOf(list ...Status) (set Statuses) {
	for _, s := range list {
		set |= 1 << s
	}
	return set
}

// Has reports whether the set holds s.
func (set Statuses) Has(s Status) bool { return set>>s&1 == 1 }

// with is the status of a platform whose TDX module has a status of its own, by
// the vendor's rules.
func (s Status) with(module Status) Status {
	switch module {
	case UpToDate:
		return s
	case Revoked:
		return Revoked
	case OutOfDate:
		switch s {
		case UpToDate, SWHardeningNeeded, OutOfDate:
			return OutOfDate
		case ConfigurationNeeded, ConfigurationAndSWHardeningNeeded, OutOfDateConfigurationNeeded:
			return OutOfDateConfigurationNeeded
		}
		return s
	}
	return Unrecognised
}

// FMSPC names a family of processors, whose versions the vendor judges together.
type FMSPC [6]byte

// TCB is what evidence says of a platform's versions. It is kept with whoever
// proved itself, so that newer collateral can judge again without a new quote.
type TCB struct {
	Kind     tee.Kind
	Root     KeyID     // key of the root it was verified under
	CA       KeyID     // key of the authority of the processor's certificate
	CASerial Serial    // the authority's certificate
	Serial   Serial    // the processor's certificate
	FMSPC    FMSPC     // family
	PCEID    [2]byte   // of the provisioning enclave
	SGX      [16]uint8 // versions of the components
	PCESVN   uint16
	TDX      [16]uint8 // of TDX: versions of its components
	QESVN    uint16    // version of the quoting enclave
}

// Level is one row of the vendor's table: the least versions for a status.
type Level struct {
	SGX    [16]uint8
	PCESVN uint16
	TDX    [16]uint8 // zeros for SGX
	Status Status
}

// SVNLevel is a row of the table of a module or quoting enclave.
type SVNLevel struct {
	SVN    uint16
	Status Status
}

// levelOf is the status of the first row that svn reaches.
func levelOf(rows []SVNLevel, svn uint16) (Status, bool) {
	for _, l := range rows {
		if l.SVN <= svn {
			return l.Status, true
		}
	}
	return Unrecognised, false
}

// matches reports whether a platform reaches the row. Of TDX the first two
// versions are those of the module, which has a table of its own if the second is
// not zero.
func (l *Level) matches(t *TCB) bool {
	for i, least := range l.SGX {
		if t.SGX[i] < least {
			return false
		}
	}
	if t.PCESVN < l.PCESVN {
		return false
	}
	if t.Kind == tee.TDX {
		from := 0
		if t.TDX[1] != 0 {
			from = 2
		}
		for i := from; i < len(l.TDX); i++ {
			if t.TDX[i] < l.TDX[i] {
				return false
			}
		}
	}
	return true
}

// Status is the status of a platform: that of the first level it reaches, joined
// for TDX with that of its module. The platform must be of the info's kind and family.
func (i *TCBInfo) Status(t *TCB) (Status, error) {
	if i.Kind != t.Kind || i.FMSPC != t.FMSPC || i.PCEID != t.PCEID {
		return Unrecognised, ErrPlatform.because("TCB info of %v %x, platform is %v %x", i.Kind, i.FMSPC, t.Kind, t.FMSPC)
	}
	for k := range i.Levels {
		l := &i.Levels[k]
		if !l.matches(t) {
			continue
		}
		if t.Kind != tee.TDX || t.TDX[1] == 0 {
			return l.Status, nil
		}
		m := i.module(t.TDX[1])
		if m == nil {
			return Unrecognised, ErrModule.because("version %d", t.TDX[1])
		}
		s, ok := levelOf(m.Levels, uint16(t.TDX[0]))
		if !ok {
			return Unrecognised, ErrModule.because("version %d.%d", t.TDX[1], t.TDX[0])
		}
		return l.Status.with(s), nil
	}
	return Unrecognised, ErrTCBLevel
}

// module is the identity of a TDX module by its version; nil if there is none. The
// vendor describes version 0 apart from the others.
func (i *TCBInfo) module(version uint8) *Module {
	for k := range i.Modules {
		if i.Modules[k].Version == version {
			return &i.Modules[k]
		}
	}
	return nil
}

// Status is the status of a version of the quoting enclave.
func (q *QEIdentity) Status(svn uint16) (Status, error) {
	s, ok := levelOf(q.Levels, svn)
	if !ok {
		return Unrecognised, ErrQELevel.because("version %d is below every known one", svn)
	}
	return s, nil
}
