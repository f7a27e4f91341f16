package attest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/crustgo/crust/substrate/frame"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/tee/dcap"
)

// maxRoots bounds the roots of trust.
const maxRoots = 4

// Hex is bytes that JSON holds in hexadecimal.
type Hex []byte

// MarshalText renders the bytes as 0x and hexadecimal digits.
func (h Hex) MarshalText() ([]byte, error) { return []byte("0x" + hex.EncodeToString(h)), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Hex) UnmarshalText(b []byte) error {
	digits, ok := strings.CutPrefix(string(b), "0x")
	if !ok {
		return errors.New("bytes begin with 0x")
	}
	out, err := hex.DecodeString(digits)
	*h = out
	return err
}

// Genesis is the pallet's genesis configuration.
type Genesis struct {
	// Roots are the keys of the roots of trust. No call changes them.
	Roots []dcap.Key `json:"roots"`
	// EvaluationLimit is the highest evaluation number of collateral that is taken.
	EvaluationLimit uint32 `json:"evaluationLimit"`
	// Time is when the collateral is judged, in seconds since 1970: genesis has no time.
	Time uint64 `json:"time,omitempty"`
	// Collateral is what the chain starts with, verified like all that follows.
	Collateral []Collateral `json:"collateral,omitempty"`
}

// Collateral is everything that a kind of platform needs. What is left out is not
// submitted; the root's certificate must be there.
type Collateral struct {
	Root       Hex      `json:"root"`
	RootList   Hex      `json:"rootList,omitempty"`
	Authority  Hex      `json:"authority,omitempty"`
	List       Hex      `json:"list,omitempty"` // the authority's
	Signer     Hex      `json:"signer,omitempty"`
	TCBInfo    Document `json:"tcbInfo,omitzero"`
	QEIdentity Document `json:"qeIdentity,omitzero"`
}

// Document is what the vendor signed.
type Document struct {
	Body      string `json:"body"`
	Signature Hex    `json:"signature"`
}

// NewCollateral puts a bundle into a genesis; authorities are the certificates of
// who signs processors' certificates and of the root.
func NewCollateral(authorities [][]byte, b *dcap.Bundle) Collateral {
	document := func(s *dcap.Signed) Document { return Document{string(s.Body), s.Signature[:]} }
	return Collateral{Root: authorities[1], RootList: b.RootCRL, Authority: authorities[0], List: b.PCKCRL, Signer: b.Signer,
		TCBInfo: document(&b.TCBInfo), QEIdentity: document(&b.QEIdentity)}
}

// NewGenesis returns the default configuration.
func (p *Pallet) NewGenesis() any { return &Genesis{} }

// BuildGenesis files the roots and takes the collateral.
func (p *Pallet) BuildGenesis(e *frame.Env, config any) error {
	g := config.(*Genesis)
	if len(g.Roots) > maxRoots {
		return fmt.Errorf("attest: %d roots of trust, more than %d", len(g.Roots), maxRoots)
	}
	for i, r := range g.Roots {
		if !r.Valid() || slices.Contains(g.Roots[:i], r) {
			return fmt.Errorf("attest: root of trust %v is no key, or is listed twice", r)
		}
	}
	p.Roots.Put(e, slices.Clone(g.Roots))
	p.EvaluationLimit.Put(e, g.EvaluationLimit)
	p.TCBPolicy.Put(e, DefaultPolicy())
	for i := range g.Collateral {
		if err := p.take(e, types.Moment(g.Time*1000), &g.Collateral[i]); err != nil {
			return fmt.Errorf("attest: collateral %d: %w", i, err)
		}
	}
	return p.Check(e)
}

// take files what there is of a genesis' collateral. Collateral that several kinds
// share may be there several times.
func (p *Pallet) take(e *frame.Env, now types.Moment, c *Collateral) error {
	same := func(err error) error {
		if errors.Is(err, ErrNotNewer) {
			return nil
		}
		return err
	}
	if c.RootList != nil {
		if err := same(p.takeRootList(e, now, &RootListArgs{c.Root, c.RootList})); err != nil {
			return fmt.Errorf("root list: %w", err)
		}
	}
	if c.List != nil {
		if err := same(p.takeProcessorList(e, now, &ProcessorListArgs{c.Authority, c.Root, c.List})); err != nil {
			return fmt.Errorf("processor list: %w", err)
		}
	}
	for _, d := range []struct {
		what string
		doc  *Document
		take func(*frame.Env, types.Moment, *CollateralArgs) error
	}{{"TCB info", &c.TCBInfo, p.takeTCBInfo}, {"QE identity", &c.QEIdentity, p.takeQEIdentity}} {
		if d.doc.Body == "" {
			continue
		}
		if len(d.doc.Signature) != len(dcap.Signature{}) {
			return fmt.Errorf("%s: a signature of %d bytes", d.what, len(d.doc.Signature))
		}
		a := &CollateralArgs{c.Signer, c.Root, []byte(d.doc.Body), dcap.Signature(d.doc.Signature)}
		if err := same(d.take(e, now, a)); err != nil {
			return fmt.Errorf("%s: %w", d.what, err)
		}
	}
	return nil
}

// Check holds the state to the pallet's rules.
func (p *Pallet) Check(e *frame.Env) error {
	if policy := p.TCBPolicy.Get(e); !policy.sound() {
		return errors.New("the TCB policy accepts what is revoked or unknown")
	}
	keys := 0
	for id, platform := range p.Platforms.All(e) {
		if n := len(platform.Keys); n > int(p.KeysPerPlatform.Get()) {
			return fmt.Errorf("platform %x has %d keys, more than %d", id, n, p.KeysPerPlatform.Get())
		}
		for i, k := range platform.Keys {
			a, ok := p.Keys.Lookup(e, k)
			if !ok || a.Platform != id || slices.Contains(platform.Keys[:i], k) {
				return fmt.Errorf("platform %x lists key %x, which is not there, or not its own, or twice", id, k)
			}
			keys++
		}
	}
	for k := range p.Keys.All(e) {
		if p.Spent.Get(e, k) {
			return fmt.Errorf("key %x lives and is retired", k)
		}
		keys--
	}
	if keys != 0 {
		return fmt.Errorf("%d keys too many are listed by platforms", keys)
	}
	return p.checkCollateral(e)
}

// checkCollateral demands that versions follow each other in time.
func (p *Pallet) checkCollateral(e *frame.Env) error {
	for key, r := range p.Infos.All(e) {
		if err := ordered(r.Versions, infoSince); err != nil {
			return fmt.Errorf("TCB info of %x: %w", key.FMSPC, err)
		}
	}
	for key, r := range p.Identities.All(e) {
		if err := ordered(r.Versions, identitySince); err != nil {
			return fmt.Errorf("QE identity of %v: %w", key.Kind, err)
		}
	}
	return nil
}

func ordered[V any](versions []V, since func(*V) types.Moment) error {
	if len(versions) == 0 || len(versions) > maxVersions {
		return fmt.Errorf("%d versions", len(versions))
	}
	for i := 1; i < len(versions); i++ {
		if since(&versions[i]) < since(&versions[i-1]) {
			return fmt.Errorf("version %d is older than the one before", i)
		}
	}
	return nil
}
