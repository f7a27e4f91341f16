package market

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// Stage is where in its life an order is.
type Stage struct {
	Name     string // ordered, fetching, sealing, reported, live, expired, closed or failed
	Reported uint32 // replicas, if reported
	Wanted   uint32 // replicas, if reported
	Until    Block  // if live
	Reason   string // if failed
}

// String is the stage in the words of the vocabulary.
func (s Stage) String() string {
	switch s.Name {
	case "reported":
		return fmt.Sprintf("reported %d/%d", s.Reported, s.Wanted)
	case "live":
		return fmt.Sprintf("live until %d", s.Until)
	case "failed":
		return fmt.Sprintf("failed(%s)", s.Reason)
	}
	return s.Name
}

// MarshalText returns what String does.
func (s Stage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON reads a variant: a name, or an object of a name and its fields.
func (s *Stage) UnmarshalJSON(b []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &s.Name); err != nil {
		if err := json.Unmarshal(b, &fields); err != nil || len(fields) != 1 {
			return fmt.Errorf("%.60q is not the stage of an order", b)
		}
		for s.Name = range fields {
			break
		}
	}
	detail := fields[s.Name]
	s.Name = strings.ToLower(s.Name)
	switch s.Name {
	case "reported":
		return json.Unmarshal(detail, &struct {
			Replicas *uint32 `json:"replicas"`
			Wanted   *uint32 `json:"wanted"`
		}{&s.Reported, &s.Wanted})
	case "live":
		return json.Unmarshal(detail, &struct {
			Until *Block `json:"until"`
		}{&s.Until})
	case "failed":
		return json.Unmarshal(detail, (*Text)(&s.Reason))
	case "ordered", "fetching", "sealing", "expired", "closed":
		return nil
	}
	return fmt.Errorf("%q is not the stage of an order", s.Name)
}

// Text is text that the chain keeps as bytes.
type Text string

// UnmarshalJSON reads 0x and hexadecimal digits.
func (t *Text) UnmarshalJSON(b []byte) error {
	var h Hex
	err := json.Unmarshal(b, &h)
	*t = Text(h)
	return err
}

// Hex is bytes; as JSON, 0x and hexadecimal digits.
type Hex []byte

// MarshalText writes 0x and hexadecimal digits.
func (h Hex) MarshalText() ([]byte, error) { return []byte("0x" + hex.EncodeToString(h)), nil }

// UnmarshalText reads 0x and hexadecimal digits.
func (h *Hex) UnmarshalText(b []byte) (err error) {
	digits, ok := strings.CutPrefix(string(b), "0x")
	if !ok {
		return fmt.Errorf("%.60q is not 0x and hexadecimal digits", b)
	}
	*h, err = hex.DecodeString(digits)
	return err
}
