package dcap

import "github.com/crustgo/crust/tee"

// Bundle is the collateral of one quote as it comes from the vendor, together with
// the chain of who signed it. Nothing in it is verified.
type Bundle struct {
	Signer     []byte // certificate of the signer of collateral; the root is the quote's own
	TCBInfo    Signed
	QEIdentity Signed
	RootCRL    []byte
	PCKCRL     []byte
}

// Source verifies the bundle as Verify asks for its parts, so that what is wrong
// with a bundle is found in the order of the checks.
func (b *Bundle) Source(t *Trust) Source { return &bundleSource{b: b, t: t} }

type bundleSource struct {
	b      *Bundle
	t      *Trust
	root   *CRL
	signer *Certificate
}

func (s *bundleSource) RootCRL(root *Certificate) (list *CRL, err error) {
	s.root, err = OpenCRL(s.b.RootCRL, root)
	return s.root, err
}

func (s *bundleSource) PCKCRL(ca, _ *Certificate) (*CRL, error) { return OpenCRL(s.b.PCKCRL, ca) }

func (s *bundleSource) TCBInfo(_ tee.Kind, _ FMSPC, root *Certificate) (*TCBInfo, error) {
	if err := s.open(root); err != nil {
		return nil, err
	}
	return OpenTCBInfo(&s.b.TCBInfo, s.signer)
}

func (s *bundleSource) QEIdentity(_ tee.Kind, root *Certificate) (*QEIdentity, error) {
	if err := s.open(root); err != nil {
		return nil, err
	}
	return OpenQEIdentity(&s.b.QEIdentity, s.signer)
}

// open is check 4, once.
func (s *bundleSource) open(root *Certificate) error {
	if s.signer != nil {
		return nil
	}
	chain, err := OpenSigner([][]byte{s.b.Signer, root.raw}, s.root, s.t)
	if err == nil {
		s.signer = chain[0]
	}
	return err
}

// Opened is a Source of verified values: what a cache holds of one kind of platform.
type Opened struct {
	Root, PCK *CRL
	Info      *TCBInfo
	QE        *QEIdentity
}

// Open verifies the parts of a bundle for the quotes of one chain, as OpenAuthority
// returns it: the authority of processors' certificates, and the root.
func (b *Bundle) Open(ca Chain, t *Trust) (*Opened, error) {
	src, o := b.Source(t), &Opened{}
	var err error
	if o.Root, err = src.RootCRL(ca.Root()); err != nil {
		return nil, err
	}
	if o.PCK, err = src.PCKCRL(ca[0], ca.Root()); err != nil {
		return nil, err
	}
	if o.Info, err = src.TCBInfo(0, FMSPC{}, ca.Root()); err != nil {
		return nil, err
	}
	o.QE, err = src.QEIdentity(0, ca.Root())
	return o, err
}

// RootCRL returns the root's list.
func (o *Opened) RootCRL(*Certificate) (*CRL, error) { return o.Root, nil }

// PCKCRL returns the list of the authority of processors' certificates.
func (o *Opened) PCKCRL(_, _ *Certificate) (*CRL, error) { return o.PCK, nil }

// TCBInfo returns the TCB info.
func (o *Opened) TCBInfo(tee.Kind, FMSPC, *Certificate) (*TCBInfo, error) { return o.Info, nil }

// QEIdentity returns the QE identity.
func (o *Opened) QEIdentity(tee.Kind, *Certificate) (*QEIdentity, error) { return o.QE, nil }

// Verifier verifies evidence against one source and policy.
type Verifier struct {
	Source Source
	Policy *Policy
}

// Verify implements tee.Verifier.
func (v *Verifier) Verify(ev tee.Evidence) (*tee.Report, error) {
	r, err := Verify(ev.Raw, v.Source, v.Policy)
	switch {
	case err != nil:
		return nil, err
	case r.Kind != ev.Kind:
		return nil, ErrVersion.because("the quote is of %v, not %v", r.Kind, ev.Kind)
	}
	return &r.Report, nil
}
