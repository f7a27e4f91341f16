package dag

import "fmt"

// MaxText bounds the text that is looked at: the longest CID in base16 is a little shorter.
const MaxText = 160

// Parse reads the CID of a file from text of any of the multibases base16, base32, base36
// and base58btc, or of version 0. The error is ErrCID, and ErrUnsupported if it is a CID
// all the same. One that carries its block in place of a digest is no file's.
//
// Specifications: multiformats/cid, multiformats/multibase, multiformats/multihash.
func Parse(text string) (CID, error) {
	if len(text) > MaxText {
		return CID{}, fmt.Errorf("%w: %d characters, at most %d are", ErrCID, len(text), MaxText)
	}
	var b []byte
	var err error
	if len(text) == 46 && text[:2] == "Qm" {
		b, err = decodeBase(base58, text)
	} else if b, err = decodeMultibase(text); err == nil && len(b) > 0 && b[0] == sha2x256 {
		err = fmt.Errorf("%w: version 0 has no multibase", ErrCID)
	}
	if err != nil {
		return CID{}, err
	}
	c, err := ParseCID(b)
	if err == nil {
		err = c.CheckRoot()
	}
	if err != nil {
		return CID{}, err
	}
	return c, nil
}

// CheckRoot is ErrUnsupported if c can be no file's: it carries its block in place of a
// digest, or names nothing.
func (c CID) CheckRoot() error {
	if c.text == "" || c.code == identity {
		return fmt.Errorf("%w: it has no digest", ErrUnsupported)
	}
	return nil
}

// String is the one text under which the chain knows a file: version 0 in base58btc if it is
// dag-pb under SHA-256, else version 1 in lower-case base32. The zero CID has none.
func (c CID) String() string {
	switch {
	case c.text == "":
		return ""
	case c.codec == DagPB && c.code == sha2x256:
		return encodeBase(base58, []byte(c.text[c.digest-2:]))
	default:
		return "b" + base32Lower.EncodeToString([]byte(c.text))
	}
}
