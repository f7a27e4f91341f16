package dcap

import (
	"bytes"
	"crypto/sha256"

	"github.com/crustgo/crust/tee"
)

// Policy says what evidence must meet.
type Policy struct {
	Trust
	Grace         uint64   // seconds that collateral and lists may be past their next update
	MinEvaluation uint32   // least evaluation number of collateral
	Accept        Statuses // statuses of platforms that pass
}

// Source is where Verify finds collateral that was verified before, of the root
// that the evidence leads to. A nil value or an error is the check failing that
// asks: a source that verifies when it is asked returns that check.
type Source interface {
	RootCRL(root *Certificate) (*CRL, error)
	PCKCRL(ca, root *Certificate) (*CRL, error)
	TCBInfo(kind tee.Kind, fmspc FMSPC, root *Certificate) (*TCBInfo, error)
	QEIdentity(kind tee.Kind, root *Certificate) (*QEIdentity, error)
}

// Report is what verified evidence says.
type Report struct {
	tee.Report
	TCB    TCB
	Status Status
	Chain  Chain // of the processor's certificate
}

// Verify makes all checks on a quote, in the order of their numbers, and returns
// what it says. That the code is one to trust, that the report data binds what it
// should and is fresh, and that nobody used it before is for the caller to check.
func Verify(raw []byte, src Source, p *Policy) (*Report, error) {
	q, err := ParseQuote(raw)
	if err != nil {
		return nil, err
	}
	chain := make(Chain, len(q.chain))
	for i, der := range q.chain {
		if chain[i], err = ParseCertificate(der); err != nil {
			return nil, err
		}
	}
	if chain[0].pck == nil {
		return nil, ErrCertificate.because("the first one is not that of a processor")
	}
	if err := chain.verify(&p.Trust, entity); err != nil {
		return nil, err
	}
	if err := notRevoked(chain, src, p); err != nil {
		return nil, err
	}
	r := q.report(chain)
	info, qe, err := collateral(&r.TCB, src, chain.Root(), p)
	if err != nil {
		return nil, err
	}
	if err := q.quotingEnclave(chain[0], qe); err != nil {
		return nil, err
	}
	if !signedBy(&q.key, q.signed, &q.signature) {
		return nil, ErrQuoteSignature
	}
	if err := q.platform(r, info, p); err != nil {
		return nil, err
	}
	return r, q.enclave()
}

// report fills in what the quote claims.
func (q *Quote) report(chain Chain) *Report {
	pck := chain[0].pck
	r := &Report{Chain: chain, TCB: TCB{
		Kind: q.Kind, Root: chain.Root().Key.ID(), CA: chain[1].Key.ID(), CASerial: chain[1].Serial, Serial: chain[0].Serial,
		FMSPC: pck.fmspc, PCEID: pck.pceid, SGX: pck.sgx, PCESVN: pck.pcesvn, QESVN: enclaveReport(q.qeReport).svn(),
	}}
	r.Kind, r.PlatformID = q.Kind, pck.ppid[:]
	if q.Kind == tee.TDX {
		body := tdReport(q.body)
		r.Code = sha256.Sum256(body.measurements())
		copy(r.ReportData[:], body.data())
		copy(r.TCB.TDX[:], body.versions())
	} else {
		body := enclaveReport(q.body)
		copy(r.Code[:], body.mrEnclave())
		copy(r.ReportData[:], body.data())
	}
	return r
}

// notRevoked is check 3.
func notRevoked(chain Chain, src Source, p *Policy) error {
	list, err := src.RootCRL(chain.Root())
	if err := usable(list, err, chain.Root(), p); err != nil {
		return err
	}
	if list.Revokes(chain[1].Serial) {
		return ErrRevoked.because("the authority of the processor's certificate")
	}
	list, err = src.PCKCRL(chain[1], chain.Root())
	if err := usable(list, err, chain[1], p); err != nil {
		return err
	}
	if list.Revokes(chain[0].Serial) {
		return ErrRevoked.because("the processor's certificate")
	}
	return nil
}

// usable reports what is wrong with a list that a source returned.
func usable(list *CRL, err error, issuer *Certificate, p *Policy) error {
	switch {
	case err != nil:
		return err
	case list == nil:
		return ErrCRL.because("there is none of this authority")
	case list.Issuer != issuer.Key.ID():
		return ErrCRL.because("it is the list of another authority")
	}
	return list.fresh(p.Now, p.Grace)
}

// collateral is what is left of checks 4 and 5 for a source of verified values.
func collateral(t *TCB, src Source, root *Certificate, p *Policy) (*TCBInfo, *QEIdentity, error) {
	info, err := src.TCBInfo(t.Kind, t.FMSPC, root)
	if err != nil {
		return nil, nil, err
	}
	qe, err := src.QEIdentity(t.Kind, root)
	switch {
	case err != nil:
		return nil, nil, err
	case info == nil || info.Kind != t.Kind:
		return nil, nil, ErrCollateral.because("there is no TCB info of %v, family %x", t.Kind, t.FMSPC)
	case qe == nil || qe.Kind != t.Kind:
		return nil, nil, ErrCollateral.because("there is no QE identity of %v", t.Kind)
	}
	if err := info.check(p); err != nil {
		return nil, nil, err
	}
	return info, qe, qe.check(p)
}

// quotingEnclave is checks 6 and 7.
func (q *Quote) quotingEnclave(pck *Certificate, id *QEIdentity) error {
	if !signedBy(&pck.Key, q.qeReport, &q.qeSig) {
		return ErrQESignature
	}
	report := enclaveReport(q.qeReport)
	h := sha256.New()
	h.Write(q.key[:])
	h.Write(q.qeAuth)
	var want [64]byte
	h.Sum(want[:0])
	if !bytes.Equal(report.data(), want[:]) {
		return ErrQEBinding
	}
	if !masked(report.miscSelect(), id.MiscMask[:], id.MiscSelect[:]) || !masked(report.attributes(), id.AttributesMask[:], id.Attributes[:]) ||
		!bytes.Equal(report.mrSigner(), id.Signer[:]) || report.prodID() != id.ProdID {
		return ErrQEIdentity
	}
	status, err := id.Status(report.svn())
	if err == nil && status != UpToDate {
		err = ErrQELevel.because("version %d is %v", report.svn(), status)
	}
	return err
}

// masked reports whether value is want where mask has ones.
func masked(value, mask, want []byte) bool {
	for i := range value {
		if value[i]&mask[i] != want[i] {
			return false
		}
	}
	return true
}

// platform is check 9.
func (q *Quote) platform(r *Report, info *TCBInfo, p *Policy) error {
	status, err := info.Status(&r.TCB)
	if err != nil {
		return err
	}
	if q.Kind == tee.TDX {
		body, m := tdReport(q.body), info.module(r.TCB.TDX[1])
		if m == nil || !bytes.Equal(body.seamSigner(), m.Signer[:]) || !masked(body.seamAttributes(), m.Mask[:], m.Attributes[:]) {
			return ErrModule.because("signed by another, or with other attributes")
		}
	}
	if !p.Accept.Has(status) {
		return ErrTCBStatus.because("%v", status)
	}
	r.Status = status
	return nil
}

// Attributes of an SGX enclave.
const (
	flagInit      = 1 << 0
	flagDebug     = 1 << 1
	flagProvision = 1 << 4 // may use the provisioning key, which names the processor
	flagEinit     = 1 << 5 // may launch others
)

// Extended processor features of a TDX guest.
const (
	xfamFixed = 0x3     // that every guest has
	xfamKnown = 0x6dbe7 // that the architecture defines
)

// enclave is check 10.
func (q *Quote) enclave() error {
	if q.Kind == tee.TDX {
		body := tdReport(q.body)
		switch a := body.attributes(); {
		case a[0] != 0: // the low byte: debugging, and what else puts a guest under test
			return ErrDebug
		case !bytes.Equal(body.seamSigner(), make([]byte, len(body.seamSigner()))):
			return ErrEnclave.because("the TDX module is not the vendor's")
		case body.xfam()&xfamFixed != xfamFixed || body.xfam()&^xfamKnown != 0:
			return ErrEnclave.because("extended features %#x", body.xfam())
		}
		return nil
	}
	switch flags := enclaveReport(q.body).flags(); {
	case flags&flagDebug != 0:
		return ErrDebug
	case flags&flagInit == 0 || flags&(flagProvision|flagEinit) != 0:
		return ErrEnclave.because("flags %#x", flags)
	}
	return nil
}
