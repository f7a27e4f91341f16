package babe

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of foreign digests.
const (
	// MaxAuthorities bounds the authorities of an epoch.
	MaxAuthorities = 10_000
	// SealSize is the length of a seal: an sr25519 signature.
	SealSize = 64
)

// ClaimKind says by what right a block fills its slot; the values are wire tags.
type ClaimKind uint8

// The kinds of claims.
const (
	Primary        ClaimKind = 1 // the VRF result is below the threshold
	SecondaryPlain ClaimKind = 2 // the slot's secondary author, without VRF
	SecondaryVRF   ClaimKind = 3 // the slot's secondary author, with a VRF result for the randomness
)

// String names the kind.
func (k ClaimKind) String() string {
	switch k {
	case Primary:
		return "primary"
	case SecondaryPlain:
		return "secondary plain"
	case SecondaryVRF:
		return "secondary VRF"
	}
	return fmt.Sprintf("claim kind %d", uint8(k))
}

// PreDigest is an author's claim on a slot.
type PreDigest struct {
	Kind      ClaimKind
	Authority uint32 // index in the epoch's authorities
	Slot      types.Slot
	PreOutput [32]byte // of the VRF; zero for SecondaryPlain
	Proof     [64]byte // of the VRF; zero for SecondaryPlain
}

// HasVRF reports whether the claim carries a VRF result.
func (p *PreDigest) HasVRF() bool { return p.Kind != SecondaryPlain }

// Weight is what the claim counts for in the fork choice: 1 if primary, else 0.
func (p *PreDigest) Weight() uint32 {
	if p.Kind == Primary {
		return 1
	}
	return 0
}

// AppendSCALE appends the payload of the pre-runtime digest item.
func (p PreDigest) AppendSCALE(dst []byte) []byte {
	dst = scale.AppendU32(append(dst, byte(p.Kind)), p.Authority)
	dst = scale.AppendU64(dst, uint64(p.Slot))
	if p.HasVRF() {
		dst = append(append(dst, p.PreOutput[:]...), p.Proof[:]...)
	}
	return dst
}

// DecodeSCALE reads the payload of the pre-runtime digest item.
func (p *PreDigest) DecodeSCALE(c *scale.Cursor) {
	*p = PreDigest{Kind: ClaimKind(c.U8())}
	if c.Err() == nil && (p.Kind < Primary || p.Kind > SecondaryVRF) {
		c.Fail(fmt.Errorf("babe: a pre-digest of the unknown kind %d", p.Kind))
		return
	}
	p.Authority, p.Slot = c.U32(), types.Slot(c.U64())
	if p.HasVRF() {
		c.Fixed(p.PreOutput[:])
		c.Fixed(p.Proof[:])
	}
}

// Item is the digest item that carries the claim.
func (p PreDigest) Item() types.DigestItem {
	return types.PreRuntime(types.EngineBABE, p.AppendSCALE(nil))
}

// Authority is a block author of an epoch.
type Authority struct {
	Key    [32]byte // sr25519
	Weight uint64   // share of the primary slots, relative to the sum of all weights
}

// appendAuthorities appends the list as Vec<(key, weight)>.
func appendAuthorities(dst []byte, as []Authority) []byte {
	dst = scale.AppendCompact(dst, uint64(len(as)))
	for i := range as {
		dst = scale.AppendU64(append(dst, as[i].Key[:]...), as[i].Weight)
	}
	return dst
}

// decodeAuthorities reads a list that an epoch can run with: not empty, not too
// long, and with a sum of weights that neither overflows nor is zero.
func decodeAuthorities(c *scale.Cursor) []Authority {
	n := c.Len(40)
	if n > MaxAuthorities {
		c.Fail(fmt.Errorf("babe: %d authorities; at most %d are allowed", n, MaxAuthorities))
	}
	if c.Err() != nil {
		return nil
	}
	as := make([]Authority, n)
	for i := range as {
		c.Fixed(as[i].Key[:])
		as[i].Weight = c.U64()
	}
	if err := checkAuthorities(as); err != nil {
		c.Fail(err)
	}
	return as
}

func checkAuthorities(as []Authority) error {
	if len(as) == 0 {
		return errors.New("babe: an epoch without authorities")
	}
	var sum uint64
	for i := range as {
		if sum+as[i].Weight < sum {
			return errors.New("babe: the weights of the authorities overflow 64 bits")
		}
		sum += as[i].Weight
	}
	if sum == 0 {
		return errors.New("babe: no authority has any weight")
	}
	return nil
}

// AllowedSlots says which claims beside primary ones an epoch admits; the values
// are wire tags.
type AllowedSlots uint8

// The admitted claims.
const (
	PrimarySlots             AllowedSlots = 0
	PrimaryAndSecondaryPlain AllowedSlots = 1
	PrimaryAndSecondaryVRF   AllowedSlots = 2
)

// secondary is the kind of secondary claim that is admitted; 0 for none.
func (a AllowedSlots) secondary() ClaimKind {
	switch a {
	case PrimaryAndSecondaryPlain:
		return SecondaryPlain
	case PrimaryAndSecondaryVRF:
		return SecondaryVRF
	}
	return 0
}

// Ratio is a fraction.
type Ratio struct {
	Num uint64
	Den uint64
}

// EpochConfig is the part of the configuration that may change with an epoch.
type EpochConfig struct {
	C       Ratio // how likely a slot has a primary claim; 0 < C < 1
	Allowed AllowedSlots
}

// Validate reports a configuration that light clients and thresholds cannot
// live with. C = 1 is refused: its threshold is 2^128, which no 128-bit integer
// holds, and smoldot's arithmetic overflows on it.
func (e EpochConfig) Validate() error {
	switch {
	case e.C.Den == 0:
		return errors.New("babe: the denominator of c is zero")
	case certain(e.C):
		return fmt.Errorf("babe: c = %d/%d is not below 1", e.C.Num, e.C.Den)
	case e.Allowed > PrimaryAndSecondaryVRF:
		return fmt.Errorf("babe: unknown kind of allowed slots %d", e.Allowed)
	case e.C.Num == 0 && e.Allowed == PrimarySlots:
		return errors.New("babe: c is zero and only primary slots are allowed, so nobody may author a block")
	}
	return nil
}

func (e EpochConfig) append(dst []byte) []byte {
	dst = scale.AppendU64(scale.AppendU64(dst, e.C.Num), e.C.Den)
	return append(dst, byte(e.Allowed))
}

func (e *EpochConfig) decode(c *scale.Cursor) {
	e.C.Num, e.C.Den, e.Allowed = c.U64(), c.U64(), AllowedSlots(c.U8())
	if c.Err() == nil {
		if err := e.Validate(); err != nil {
			c.Fail(err)
		}
	}
}

// LogKind is the tag of a BABE consensus log.
type LogKind uint8

// The consensus logs.
const (
	LogNextEpoch  LogKind = 1
	LogOnDisabled LogKind = 2
	LogNextConfig LogKind = 3
)

// nextConfigV1 is the only version of NextConfigData.
const nextConfigV1 = 1

// Log is one BABE consensus log: a message of the runtime to the engine. Fields
// that the kind does not use are zero.
type Log struct {
	Kind        LogKind
	Authorities []Authority // LogNextEpoch
	Randomness  [32]byte    // LogNextEpoch
	Disabled    uint32      // LogOnDisabled: index of an authority that the runtime ignores for the rest of the epoch
	Config      EpochConfig // LogNextConfig
}

// NextEpoch is the log that announces the authorities and the randomness of the next epoch.
func NextEpoch(authorities []Authority, randomness [32]byte) Log {
	return Log{Kind: LogNextEpoch, Authorities: authorities, Randomness: randomness}
}

// NextConfig is the log that changes the configuration from the next epoch on.
func NextConfig(e EpochConfig) Log { return Log{Kind: LogNextConfig, Config: e} }

// OnDisabled is the log that disables an authority.
func OnDisabled(authority uint32) Log { return Log{Kind: LogOnDisabled, Disabled: authority} }

// AppendSCALE appends the payload of the consensus digest item.
func (l Log) AppendSCALE(dst []byte) []byte {
	dst = append(dst, byte(l.Kind))
	switch l.Kind {
	case LogNextEpoch:
		return append(appendAuthorities(dst, l.Authorities), l.Randomness[:]...)
	case LogOnDisabled:
		return scale.AppendU32(dst, l.Disabled)
	default:
		return l.Config.append(append(dst, nextConfigV1))
	}
}

// DecodeSCALE reads the payload of the consensus digest item.
func (l *Log) DecodeSCALE(c *scale.Cursor) {
	*l = Log{Kind: LogKind(c.U8())}
	switch l.Kind {
	case LogNextEpoch:
		l.Authorities = decodeAuthorities(c)
		c.Fixed(l.Randomness[:])
	case LogOnDisabled:
		l.Disabled = c.U32()
	case LogNextConfig:
		if v := c.U8(); v != nextConfigV1 {
			c.Fail(fmt.Errorf("babe: version %d of NextConfigData is unknown", v))
			return
		}
		l.Config.decode(c)
	default:
		c.Fail(fmt.Errorf("babe: a consensus log of the unknown kind %d", l.Kind))
	}
}

// Item is the digest item that carries the log.
func (l Log) Item() types.DigestItem {
	return types.Consensus(types.EngineBABE, l.AppendSCALE(nil))
}

// Logs is what BABE reads in a header's digest.
type Logs struct {
	Claim PreDigest
	Next  *Log // the announcement of the next epoch, if there is one
	// NextConfig is the change of configuration, if there is one; never without Next.
	NextConfig *Log
	Sealed     bool
	Seal       [SealSize]byte // if Sealed
}

// engineAURA is another authoring engine. Its items mean nothing here, but a
// light client (smoldot) refuses a BABE header that carries one, so that an
// author could cut light clients off with it.
var engineAURA = types.EngineID{'a', 'u', 'r', 'a'}

// ReadLogs checks the digest of a header, sealed or not, and returns what is in
// it. A digest must have exactly one claim, at most one announcement, a change
// of configuration only beside an announcement, at most one note of a new
// runtime environment, and no seal but one last. Items of engines that are not
// known are allowed.
func ReadLogs(d types.Digest) (Logs, error) {
	var l Logs
	claims, environments := 0, 0
	for i := range d {
		item := &d[i]
		switch {
		case item.Kind == types.DigestSeal:
			if i != len(d)-1 || item.Engine != types.EngineBABE || len(item.Data) != SealSize {
				return Logs{}, fmt.Errorf("babe: digest item %d of %d is a seal of %d bytes by %q; want one of 64 bytes by BABE, last", i+1, len(d), len(item.Data), item.Engine[:])
			}
			l.Sealed = true
			copy(l.Seal[:], item.Data)
		case item.Kind == types.DigestRuntimeEnvironmentUpdated:
			environments++
		case item.Kind == types.DigestOther:
		case item.Engine == engineAURA:
			return Logs{}, errors.New("babe: an AURA item in the digest")
		case item.Engine != types.EngineBABE:
		case item.Kind == types.DigestPreRuntime:
			claims++
			if err := scale.Decode(item.Data, &l.Claim); err != nil {
				return Logs{}, fmt.Errorf("pre-runtime digest: %w", err)
			}
		default:
			if err := l.consensus(item.Data); err != nil {
				return Logs{}, err
			}
		}
	}
	switch {
	case claims != 1:
		return Logs{}, fmt.Errorf("babe: %d claims in one header", claims)
	case environments > 1:
		return Logs{}, fmt.Errorf("babe: %d notes of a new runtime environment in one header", environments)
	case l.NextConfig != nil && l.Next == nil:
		return Logs{}, errors.New("babe: a change of configuration without an announcement of the next epoch")
	}
	return l, nil
}

// consensus reads one BABE consensus item.
func (l *Logs) consensus(data []byte) error {
	log := new(Log)
	if err := scale.Decode(data, log); err != nil {
		return fmt.Errorf("consensus digest: %w", err)
	}
	slot := &l.Next
	switch log.Kind {
	case LogOnDisabled:
		return nil // the runtime enforces it; authors of one epoch may be many times disabled
	case LogNextConfig:
		slot = &l.NextConfig
	}
	if *slot != nil {
		return fmt.Errorf("babe: two consensus logs of kind %d in one header", log.Kind)
	}
	*slot = log
	return nil
}
