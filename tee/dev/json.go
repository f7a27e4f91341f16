package dev

import (
	"fmt"

	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dcap"
)

// window is the keys that TCB info and QE identity share.
func window(w *dcap.Window) string {
	return fmt.Sprintf(`"issueDate":"%s","nextUpdate":"%s","tcbEvaluationDataNumber":%d`, stamp(w.Issued), stamp(w.Next), w.Evaluation)
}

// infoJSON is a TCB info as the vendor writes it.
func infoJSON(i *dcap.TCBInfo) []byte {
	b := fmt.Appendf(nil, `{"id":"%v","version":3,%s,"fmspc":"%X","pceId":"%X","tcbType":0`, i.Kind, window(&i.Window), i.FMSPC, i.PCEID)
	for k := range i.Modules {
		m := &i.Modules[k]
		body := fmt.Sprintf(`"mrsigner":"%X","attributes":"%X","attributesMask":"%X"`, m.Signer, m.Attributes, m.Mask)
		switch k {
		case 0:
			b = fmt.Appendf(b, `,"tdxModule":{%s},"tdxModuleIdentities":[`, body)
			continue
		case 1:
		default:
			b = append(b, ',')
		}
		b = append(levels(fmt.Appendf(b, `{"id":"TDX_%02X",%s,"tcbLevels":`, m.Version, body), m.Levels), '}')
	}
	if len(i.Modules) > 0 {
		b = append(b, ']')
	}
	b = append(b, `,"tcbLevels":[`...)
	for k := range i.Levels {
		l := &i.Levels[k]
		if k > 0 {
			b = append(b, ',')
		}
		b = append(components(append(b, `{"tcb":{"sgxtcbcomponents":`...), &l.SGX), fmt.Sprintf(`,"pcesvn":%d`, l.PCESVN)...)
		if i.Kind == tee.TDX {
			b = components(append(b, `,"tdxtcbcomponents":`...), &l.TDX)
		}
		b = fmt.Appendf(b, `},"tcbDate":"%s","tcbStatus":"%v"}`, stamp(i.Issued), l.Status)
	}
	return append(b, "]}"...)
}

func components(b []byte, versions *[16]uint8) []byte {
	for i, v := range versions {
		b = fmt.Appendf(b, `%c{"svn":%d}`, "[,"[min(i, 1)], v)
	}
	return append(b, ']')
}

// levels is the table of a module or quoting enclave.
func levels(b []byte, rows []dcap.SVNLevel) []byte {
	b = append(b, '[')
	for i, l := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"tcb":{"isvsvn":%d},"tcbStatus":"%v"}`, l.SVN, l.Status)
	}
	return append(b, ']')
}

// identityJSON is a QE identity as the vendor writes it.
func identityJSON(q *dcap.QEIdentity) []byte {
	id := "QE"
	if q.Kind == tee.TDX {
		id = "TD_QE"
	}
	b := fmt.Appendf(nil, `{"id":"%s","version":2,%s,"miscselect":"%X","miscselectMask":"%X","attributes":"%X","attributesMask":"%X","mrsigner":"%X","isvprodid":%d,"tcbLevels":`,
		id, window(&q.Window), q.MiscSelect, q.MiscMask, q.Attributes, q.AttributesMask, q.Signer, q.ProdID)
	return append(levels(b, q.Levels), '}')
}
