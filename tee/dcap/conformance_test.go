package dcap_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
	"github.com/crustgo/crust/tee/dev"
	"github.com/crustgo/crust/tee/teetest"
)

// now is a time at which everything is valid.
const now = dev.ValidFrom + 86400

var (
	testCA  = dev.NewCA([32]byte{1})
	otherCA = dev.NewCA([32]byte{2})
)

// scene is evidence, collateral and policy before anything is signed.
type scene struct {
	*dev.Specimen
	policy   dcap.Policy
	rawQuote []func([]byte) []byte // changes to the finished quote
	raw      []func(*dcap.Bundle)  // changes to the finished bundle
	source   func(dcap.Source) dcap.Source
}

func newScene(kind tee.Kind) *scene {
	return &scene{
		Specimen: testCA.Specimen(kind, [16]byte{7}, 1),
		policy:   dcap.Policy{Trust: dcap.Trust{Roots: []dcap.Key{testCA.Root()}, Now: now}, MinEvaluation: dev.Evaluation, Accept: dcap.StatusesOf(dcap.UpToDate)},
	}
}

func (s *scene) verify() (*dcap.Report, error) {
	quote, bundle := s.Quote(), s.Bundle()
	for _, f := range s.rawQuote {
		quote = f(quote)
	}
	for _, f := range s.raw {
		f(bundle)
	}
	src := bundle.Source(&s.policy.Trust)
	if s.source != nil {
		src = s.source(src)
	}
	return dcap.Verify(quote, src, &s.policy)
}

// edit changes what is signed of a part, after what was changed before.
func (s *scene) edit(p dev.Part, f func([]byte) []byte) {
	before := s.Edit[p]
	s.Edit[p] = func(b []byte) []byte {
		if before != nil {
			b = before(b)
		}
		return f(bytes.Clone(b))
	}
}

// replace changes text that must be there.
func (s *scene) replace(p dev.Part, old, new string) {
	s.edit(p, func(b []byte) []byte {
		if !bytes.Contains(b, []byte(old)) {
			panic("a mutation finds nothing to change: " + old)
		}
		return bytes.Replace(b, []byte(old), []byte(new), 1)
	})
}

func (s *scene) quote(f func([]byte) []byte) { s.rawQuote = append(s.rawQuote, f) }

// dropCRL is a source without lists.
type dropCRL struct{ dcap.Source }

func (dropCRL) RootCRL(*dcap.Certificate) (*dcap.CRL, error) { return nil, nil }

// noCollateral is a source without collateral.
type noCollateral struct{ dcap.Source }

func (noCollateral) TCBInfo(tee.Kind, dcap.FMSPC, *dcap.Certificate) (*dcap.TCBInfo, error) {
	return nil, nil
}

// mutation is one way to fail a check.
type mutation struct {
	name string
	want error
	do   func(*scene)
}

// mutations fail every check of both kinds. Of each check the first one leaves
// everything else sound, whatever else is changed.
func mutations() []mutation {
	spoil := func(p dev.Part) func(*scene) { return func(s *scene) { s.Spoil[p] = true } }
	return []mutation{
		{"a byte missing", dcap.ErrLength, func(s *scene) { s.quote(func(b []byte) []byte { return b[:len(b)-1] }) }},
		{"a byte left over", dcap.ErrLength, func(s *scene) { s.quote(func(b []byte) []byte { return append(b, 0) }) }},
		{"nothing", dcap.ErrLength, func(s *scene) { s.quote(func([]byte) []byte { return nil }) }},
		{"no end", dcap.ErrLength, func(s *scene) { s.quote(func(b []byte) []byte { return append(b, make([]byte, dcap.MaxQuote)...) }) }},
		{"auth data beyond the end", dcap.ErrLength, func(s *scene) { s.QEAuth = nil; s.quote(longAuth) }},
		{"another version", dcap.ErrVersion, func(s *scene) { s.Version = 5 }},
		{"SGX in version 4, TDX in version 3", dcap.ErrVersion, func(s *scene) { s.Version ^= 7 }},
		{"another key type", dcap.ErrVersion, func(s *scene) { s.KeyType = 3 }},
		{"another vendor", dcap.ErrVersion, func(s *scene) { s.QEVendor[0] ^= 1 }},
		{"encrypted platform id", dcap.ErrCertification, func(s *scene) { s.CertificationType = 3 }},
		{"carriage returns", dcap.ErrCertification, func(s *scene) { s.quote(swap("\n-----END", "\r-----END")) }},
		{"no first certificate", dcap.ErrCertification, func(s *scene) { s.quote(swap("-----BEGIN", "-----BEGUN")) }},
		{"padding bits", dcap.ErrCertification, func(s *scene) { s.quote(paddingBits) }},
		{"not a zero at the end", dcap.ErrCertification, func(s *scene) { s.quote(func(b []byte) []byte { b[len(b)-1] = 1; return b }) }},
		{"a certificate of version 1", dcap.ErrCertificate, func(s *scene) { s.replace(dev.PCKCert, "\xa0\x03\x02\x01\x02", "\xa0\x03\x02\x01\x00") }},
		{"an unknown critical extension", dcap.ErrCertificate, func(s *scene) {
			s.replace(dev.CACert, "\x06\x03\x55\x1d\x0f\x01\x01\xff", "\x06\x03\x55\x1d\x7f\x01\x01\xff")
		}},
		{"no processor's certificate", dcap.ErrCertificate, func(s *scene) {
			s.replace(dev.PCKCert, "\x06\x09\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01\x04", "\x06\x09\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x02\x04")
		}},
		{"a component twice", dcap.ErrCertificate, func(s *scene) { s.replace(dev.PCKCert, "\x4d\x01\x0d\x01\x02\x01\x02", "\x4d\x01\x0d\x01\x02\x02\x02") }},

		{"another issuer", dcap.ErrIssuer, func(s *scene) { s.PCK.Issuer = "Somebody Else" }},
		{"issued by no authority", dcap.ErrIssuer, func(s *scene) { s.CA.CA = false }},
		{"issued by one that may not", dcap.ErrIssuer, func(s *scene) { s.CA.Usage = 0x02 }},
		{"too long a path", dcap.ErrIssuer, func(s *scene) { s.Root.PathLen = 0 }},
		{"an authority as processor", dcap.ErrIssuer, func(s *scene) { s.PCK.CA, s.PCK.Usage = true, 0x86 }},
		{"processor's certificate too early", dcap.ErrValidity, func(s *scene) { s.PCK.NotBefore = now + 1 }},
		{"authority's certificate too late", dcap.ErrValidity, func(s *scene) { s.CA.NotAfter = now - 1 }},
		{"root's certificate too late", dcap.ErrValidity, func(s *scene) { s.Root.NotAfter = now - 1 }},
		{"another root", dcap.ErrRoot, func(s *scene) { s.policy.Roots = []dcap.Key{otherCA.Root()} }},
		{"no root", dcap.ErrRoot, func(s *scene) { s.policy.Roots = nil }},
		{"processor's certificate badly signed", dcap.ErrCertSignature, spoil(dev.PCKCert)},
		{"authority's certificate badly signed", dcap.ErrCertSignature, spoil(dev.CACert)},
		{"root's certificate badly signed", dcap.ErrCertSignature, spoil(dev.RootCert)},

		{"no list", dcap.ErrCRL, func(s *scene) {
			before := s.source
			s.source = func(src dcap.Source) dcap.Source {
				if before != nil {
					src = before(src)
				}
				return dropCRL{src}
			}
		}},
		{"root's list of another", dcap.ErrCRL, func(s *scene) { s.RootList.Issuer = "Somebody Else" }},
		{"processors' list not DER", dcap.ErrCRL, func(s *scene) { s.raw = append(s.raw, func(b *dcap.Bundle) { b.PCKCRL = b.PCKCRL[1:] }) }},
		{"a list of differences", dcap.ErrCRL, func(s *scene) {
			s.replace(dev.PCKCRL, "\x30\x0a\x06\x03\x55\x1d\x14\x04\x03", "\x30\x0a\x06\x03\x55\x1d\x1b\x05\x03")
		}},
		{"root's list badly signed", dcap.ErrCRLSignature, spoil(dev.RootCRL)},
		{"processors' list badly signed", dcap.ErrCRLSignature, spoil(dev.PCKCRL)},
		{"root's list too old", dcap.ErrCRLStale, func(s *scene) { s.RootList.Next = now - 1 }},
		{"root's list too early", dcap.ErrCRLStale, func(s *scene) { s.RootList.Issued = now + 1 }},
		{"processors' list too old", dcap.ErrCRLStale, func(s *scene) { s.PCKList.Next = now - 1 }},
		{"processor revoked", dcap.ErrRevoked, func(s *scene) {
			s.PCKList.Revoked = append(s.PCKList.Revoked, dcap.Serial{1}, s.PCK.Serial, dcap.Serial{0xff})
		}},
		{"authority revoked", dcap.ErrRevoked, func(s *scene) { s.RootList.Revoked = append(s.RootList.Revoked, s.CA.Serial) }},

		{"signer badly certified", dcap.ErrSigner, spoil(dev.SignerCert)},
		{"signer out of time", dcap.ErrSigner, func(s *scene) { s.Signer.NotAfter = now - 1 }},
		{"signer for something else", dcap.ErrSigner, func(s *scene) { s.Signer.Subject = "Crust Development Something Else" }},
		{"signer is an authority", dcap.ErrSigner, func(s *scene) { s.Signer.CA, s.Signer.Usage = true, 0x86 }},
		{"signer is a processor", dcap.ErrSigner, func(s *scene) {
			s.SignerKey, s.PCK.Issuer = s.PCKKey, s.Root.Subject
			s.raw = append(s.raw, func(b *dcap.Bundle) {
				t := testCA.Specimen(s.Kind, [16]byte{7}, 1)
				t.PCK.Issuer, t.CAKey = t.Root.Subject, t.RootKey
				b.Signer = t.Chain()[0]
			})
			s.PCK.Issuer = s.CA.Subject
		}},
		{"signer revoked", dcap.ErrSignerRevoked, func(s *scene) { s.RootList.Revoked = append(s.RootList.Revoked, s.Signer.Serial) }},

		{"TCB info badly signed", dcap.ErrCollateralSignature, spoil(dev.TCBInfo)},
		{"QE identity badly signed", dcap.ErrCollateralSignature, spoil(dev.QEIdentity)},
		{"no TCB info", dcap.ErrCollateral, func(s *scene) {
			before := s.source
			s.source = func(src dcap.Source) dcap.Source {
				if before != nil {
					src = before(src)
				}
				return noCollateral{src}
			}
		}},
		{"TCB info of another kind", dcap.ErrCollateral, func(s *scene) {
			*s.Specimen = func() dev.Specimen {
				o := *s.Specimen
				o.Info = testCA.Specimen(1-s.Kind, [16]byte{}, 1).Info
				return o
			}()
		}},
		{"QE identity of another kind", dcap.ErrCollateral, func(s *scene) { s.QE.Kind = 1 - s.QE.Kind }},
		{"TCB info of version 2", dcap.ErrCollateral, func(s *scene) { s.replace(dev.TCBInfo, `"version":3`, `"version":2`) }},
		{"QE identity of version 1", dcap.ErrCollateral, func(s *scene) { s.replace(dev.QEIdentity, `"version":2`, `"version":1`) }},
		{"a key twice", dcap.ErrCollateral, func(s *scene) { s.replace(dev.TCBInfo, `"version":3,`, `"version":3,"version":3,`) }},
		{"a key in another case", dcap.ErrCollateral, func(s *scene) { s.replace(dev.TCBInfo, `"tcbType"`, `"TCBTYPE"`) }},
		{"white space", dcap.ErrCollateral, func(s *scene) { s.replace(dev.TCBInfo, `"tcbType":`, `"tcbType": `) }},
		{"too few components", dcap.ErrCollateral, func(s *scene) { s.replace(dev.TCBInfo, `[{"svn":7},`, `[`) }},
		{"due before it was made", dcap.ErrCollateral, func(s *scene) { s.Info.Next = s.Info.Issued - 1 }},
		{"TCB info too old", dcap.ErrCollateralStale, func(s *scene) { s.Info.Next = now - 1 }},
		{"TCB info too early", dcap.ErrCollateralStale, func(s *scene) { s.Info.Issued = now + 1 }},
		{"QE identity too old", dcap.ErrCollateralStale, func(s *scene) { s.QE.Next = now - 1 }},
		{"TCB info of an earlier evaluation", dcap.ErrEvaluation, func(s *scene) { s.Info.Evaluation = 0 }},
		{"QE identity of an earlier evaluation", dcap.ErrEvaluation, func(s *scene) { s.QE.Evaluation = 0 }},

		{"quoting enclave badly signed", dcap.ErrQESignature, spoil(dev.QEReport)},
		{"another key signed the quote", dcap.ErrQEBinding, func(s *scene) { s.QEData[0] = 1 }},

		{"quoting enclave of another", dcap.ErrQEIdentity, func(s *scene) { s.QESigner[0] ^= 1 }},
		{"another enclave of the vendor", dcap.ErrQEIdentity, func(s *scene) { s.QEProdID++ }},
		{"quoting enclave under a debugger", dcap.ErrQEIdentity, func(s *scene) { s.QEFlags |= 2 }},
		{"old quoting enclave", dcap.ErrQELevel, func(s *scene) { s.QESVN = 5 }},
		{"ancient quoting enclave", dcap.ErrQELevel, func(s *scene) { s.QESVN = 4 }},

		{"quote badly signed", dcap.ErrQuoteSignature, spoil(dev.QuoteBody)},

		{"another family", dcap.ErrPlatform, func(s *scene) { s.Info.FMSPC[5]++ }},
		{"another provisioning enclave", dcap.ErrPlatform, func(s *scene) { s.Info.PCEID[0]++ }},
		{"ancient platform", dcap.ErrTCBLevel, func(s *scene) { s.Processor.SGX[0] = 3 }},
		{"ancient provisioning", dcap.ErrTCBLevel, func(s *scene) { s.Processor.PCESVN = 10 }},
		{"old platform", dcap.ErrTCBStatus, func(s *scene) { s.Processor.SGX[0] = 6 }},
		{"an unknown status", dcap.ErrTCBStatus, func(s *scene) { s.replace(dev.TCBInfo, `"UpToDate"`, `"uptodate"`) }},
		{"under a debugger", dcap.ErrDebug, func(s *scene) {
			if s.Flags |= 2; s.Kind == tee.TDX {
				s.Flags |= 1
			}
		}},
	}
}

func sgxMutations() []mutation {
	return append(mutations(),
		mutation{"not initialised", dcap.ErrEnclave, func(s *scene) { s.Flags &^= 1 }},
		mutation{"with the provisioning key", dcap.ErrEnclave, func(s *scene) { s.Flags |= 0x10 }},
		mutation{"with the launch key", dcap.ErrEnclave, func(s *scene) { s.Flags |= 0x20 }})
}

func tdxMutations() []mutation {
	return append(mutations(),
		mutation{"no table of this module", dcap.ErrModule, func(s *scene) { s.TDXVersions[1] = 2 }},
		mutation{"ancient module", dcap.ErrModule, func(s *scene) { s.TDXVersions[0] = 1 }},
		mutation{"old module", dcap.ErrTCBStatus, func(s *scene) { s.TDXVersions[0] = 3 }},
		mutation{"module of another", dcap.ErrModule, func(s *scene) { s.SeamSigner[0] = 1 }},
		mutation{"old microcode", dcap.ErrTCBLevel, func(s *scene) { s.TDXVersions[2] = 6 }},
		mutation{"levels of SGX", dcap.ErrCollateral, func(s *scene) { s.replace(dev.TCBInfo, `"tdxtcbcomponents"`, `"xxxtcbcomponents"`) }},
		mutation{"version 0 among the modules", dcap.ErrCollateral, func(s *scene) { s.replace(dev.TCBInfo, `"TDX_01"`, `"TDX_00"`) }},
		mutation{"unknown features", dcap.ErrEnclave, func(s *scene) { s.XFAM |= 1 << 40 }},
		mutation{"a signer of modules that the vendor is not", dcap.ErrEnclave, func(s *scene) {
			s.SeamSigner[0] = 1
			for i := range s.Info.Modules {
				s.Info.Modules[i].Signer[0] = 1
			}
		}})
}

func TestSGX(t *testing.T) { conform(t, tee.SGX, sgxMutations()) }
func TestTDX(t *testing.T) { conform(t, tee.TDX, tdxMutations()) }

func conform(t *testing.T, kind tee.Kind, list []mutation) {
	var checks []error
	for _, c := range dcap.Checks() {
		if kind == tee.TDX || c != dcap.ErrModule {
			checks = append(checks, c)
		}
	}
	var all []teetest.Mutation[*scene]
	for _, m := range list {
		all = append(all, teetest.Mutation[*scene]{Name: m.name, Want: m.want, Do: m.do})
	}
	teetest.Verifier(t, teetest.Kit[*scene]{
		New: func() *scene { return newScene(kind) },
		Verify: func(s *scene) (*tee.Report, error) {
			r, err := s.verify()
			if err != nil {
				return nil, err
			}
			return &r.Report, nil
		},
		Checks: checks,
		Stage: func(err error) int {
			var c dcap.Check
			errors.As(err, &c)
			return c.Stage()
		},
		Mutations: all,
	})
}

// longAuth makes the quoting enclave's data longer than what follows, with all
// lengths around it as they were.
func longAuth(b []byte) []byte {
	i := bytes.Index(b, []byte("-----BEGIN")) - 8 // before type and length of the certificates
	binary.LittleEndian.PutUint16(b[i:], 0xffff)
	return b
}

func swap(old, new string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(new), 1) }
}

// paddingBits changes a character before padding so that it decodes to the same bytes.
func paddingBits(b []byte) []byte {
	i := bytes.Index(b, []byte("=\n"))
	if i < 0 {
		panic("no certificate with padding")
	}
	for b[i-1] == '=' {
		i--
	}
	b[i-1]++
	return b
}
