package grandpa

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// LogKind is the tag of a GRANDPA consensus log.
type LogKind uint8

// The consensus logs. This chain makes only LogScheduledChange.
const (
	LogScheduledChange LogKind = 1
	LogForcedChange    LogKind = 2
	LogOnDisabled      LogKind = 3
	LogPause           LogKind = 4
	LogResume          LogKind = 5
)

// Change is a change of the set of authorities.
type Change struct {
	Next  []Authority
	Delay uint32 // blocks from the one that carries the log to the last of the old set; 0 here
}

// Log is one GRANDPA consensus log. Fields that the kind does not use are zero.
type Log struct {
	Kind            LogKind
	Change          Change            // LogScheduledChange, LogForcedChange
	MedianFinalized types.BlockNumber // LogForcedChange
	Disabled        uint64            // LogOnDisabled: index of an authority
	Delay           uint32            // LogPause, LogResume: blocks
}

// ScheduledChange is the log that changes the set once its block is final.
func ScheduledChange(next []Authority, delay uint32) Log {
	return Log{Kind: LogScheduledChange, Change: Change{Next: next, Delay: delay}}
}

// AppendSCALE appends the payload of the consensus digest item.
func (l Log) AppendSCALE(dst []byte) []byte {
	dst = append(dst, byte(l.Kind))
	switch l.Kind {
	case LogForcedChange:
		dst = scale.AppendU32(dst, uint32(l.MedianFinalized))
		fallthrough
	case LogScheduledChange:
		return scale.AppendU32(appendAuthorities(dst, l.Change.Next), l.Change.Delay)
	case LogOnDisabled:
		return scale.AppendU64(dst, l.Disabled)
	default:
		return scale.AppendU32(dst, l.Delay)
	}
}

// DecodeSCALE reads the payload of the consensus digest item.
func (l *Log) DecodeSCALE(c *scale.Cursor) {
	*l = Log{Kind: LogKind(c.U8())}
	switch l.Kind {
	case LogForcedChange:
		l.MedianFinalized = types.BlockNumber(c.U32())
		fallthrough
	case LogScheduledChange:
		l.Change = Change{Next: decodeAuthorities(c), Delay: c.U32()}
	case LogOnDisabled:
		l.Disabled = c.U64()
	case LogPause, LogResume:
		l.Delay = c.U32()
	default:
		c.Fail(fmt.Errorf("grandpa: a consensus log of the unknown kind %d", l.Kind))
	}
}

// Item is the digest item that carries the log.
func (l Log) Item() types.DigestItem {
	return types.Consensus(types.EngineGRANDPA, l.AppendSCALE(nil))
}

// ReadLogs returns the scheduled change of a digest, or nil if it has none. It
// refuses two changes in one block, and forced changes, which light clients do
// not follow; logs of other kinds are checked and skipped.
func ReadLogs(d types.Digest) (*Change, error) {
	var change *Change
	for i := range d {
		if d[i].Kind != types.DigestConsensus || d[i].Engine != types.EngineGRANDPA {
			continue
		}
		var l Log
		if err := scale.Decode(d[i].Data, &l); err != nil {
			return nil, fmt.Errorf("consensus digest: %w", err)
		}
		switch l.Kind {
		case LogForcedChange:
			return nil, errors.New("grandpa: a forced change of authorities")
		case LogScheduledChange:
			if change != nil {
				return nil, errors.New("grandpa: two changes of authorities in one block")
			}
			change = &l.Change
		}
	}
	return change, nil
}

// AppendAuthorities appends what GrandpaApi_grandpa_authorities returns.
func AppendAuthorities(dst []byte, as []Authority) []byte { return appendAuthorities(dst, as) }

// DecodeAuthorities reads what GrandpaApi_grandpa_authorities returns.
func DecodeAuthorities(c *scale.Cursor) []Authority { return decodeAuthorities(c) }
