package trusted

import (
	"errors"
	"fmt"

	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/mpow/proof"
	"github.com/crustgo/crust/substrate/scale"
)

// Version is that of the frames between worker and enclave.
const Version = 4

// Limits of frames.
const (
	// MaxFrame is the length of the longest body.
	MaxFrame = 64 << 20
	// MaxLeaves is how many leaves one request may ask for or bring.
	MaxLeaves = 128
	// MaxOffered is how many blocks one request may offer.
	MaxOffered = 63
	// MaxOfferedBytes is how many bytes they may have together.
	MaxOfferedBytes = 16 << 20
	// maxNodes bounds the nodes of a read proof.
	maxNodes = 1024
)

// Message is a request of docs/protocol/mpow.md §11, or an answer.
type Message interface {
	// fields says of what the message consists, to be written or read.
	fields(k *coder)
}

// Request is a message that a worker sends.
type Request interface {
	Message
	kind() uint8
}

// kinds makes an empty request of each kind; position is the kind.
var kinds = [...]func() Request{
	1:  func() Request { return new(Hello) },
	2:  func() Request { return new(QuoteRequest) },
	3:  func() Request { return new(LoadRequest) },
	4:  func() Request { return new(LoadedRequest) },
	5:  func() Request { return new(FollowRequest) },
	6:  func() Request { return new(FillRequest) },
	7:  func() Request { return new(TicketRequest) },
	8:  func() Request { return new(BeginRequest) },
	9:  func() Request { return new(PutRequest) },
	10: func() Request { return new(CloseRequest) },
	11: func() Request { return new(EndRequest) },
	12: func() Request { return new(AbandonRequest) },
	13: func() Request { return new(OpenRequest) },
	14: func() Request { return new(DeleteRequest) },
	15: func() Request { return new(MoveRequest) },
	16: func() Request { return new(ChallengeRequest) },
	17: func() Request { return new(CheckRequest) },
	18: func() Request { return new(ReportRequest) },
	19: func() Request { return new(LossRequest) },
	20: func() Request { return new(PersistedRequest) },
	21: func() Request { return new(FilesRequest) },
	22: func() Request { return new(StateRequest) },
	23: func() Request { return new(AgainRequest) },
}

// DecodeRequest reads the body of a frame.
func DecodeRequest(body []byte) (Request, error) {
	if len(body) == 0 || int(body[0]) >= len(kinds) || kinds[body[0]] == nil {
		return nil, errors.New("trusted: a frame of no known kind")
	}
	r := kinds[body[0]]()
	return r, decode(body[1:], r)
}

// AppendRequest appends the body of a frame.
func AppendRequest(dst []byte, r Request) []byte { return encode(append(dst, r.kind()), r) }

// codes are the numbers of errors on the wire.
var codes = [...]error{
	1: ErrLoading, 2: ErrEnded, 3: ErrState, 4: ErrUnitSize, 5: ErrFull, 6: ErrRecord, 7: ErrHeld, 8: ErrUnknown, 9: ErrIncomplete,
	10: ErrBusy, 11: ErrMismatch, 12: ErrTooManyBad, 13: ErrPending, 14: ErrNoChallenge, 15: ErrTicket, 16: ErrStale,
	17: dag.ErrCID, 18: dag.ErrBlock, 19: dag.ErrNotWanted, 20: dag.ErrMismatch, 21: dag.ErrLimit, 22: proof.ErrTransition, 23: proof.ErrProof,
}

// RemoteError is an error of the enclave, as the worker sees it; errors.Is finds
// the ones that callers tell apart.
type RemoteError struct {
	Code uint8 // 0: none of those
	Text string
}

// Error is the enclave's text.
func (e *RemoteError) Error() string { return "enclave: " + e.Text }

// Is reports whether the error is one of those that have a code.
func (e *RemoteError) Is(target error) bool {
	return e.Code > 0 && int(e.Code) < len(codes) && codes[e.Code] == target
}

// maxText bounds the text of an error.
const maxText = 1024

// AppendAnswer appends the body of an answer's frame: that of err, if there is one.
func AppendAnswer(dst []byte, a Message, err error) []byte {
	if err == nil {
		return encode(append(dst, 0), a)
	}
	e := remote(err)
	return scale.AppendString(append(dst, 1, e.Code), e.Text)
}

// remote is an error as the worker sees it.
func remote(err error) *RemoteError {
	text := err.Error()
	e := &RemoteError{Text: text[:min(len(text), maxText)]}
	for i := 1; i < len(codes) && e.Code == 0; i++ {
		if errors.Is(err, codes[i]) {
			e.Code = uint8(i)
		}
	}
	return e
}

// DecodeAnswer reads the body of an answer's frame into a.
func DecodeAnswer(body []byte, a Message) error {
	if len(body) > 0 && body[0] == 0 {
		if err := decode(body[1:], a); err != nil {
			return fmt.Errorf("answer of the enclave: %w", err)
		}
		return nil
	}
	c := scale.NewCursor(body)
	if c.U8() != 1 && c.Err() == nil {
		return errors.New("trusted: an answer that is neither a result nor an error")
	}
	e := &RemoteError{Code: c.U8(), Text: string(c.BytesRef(maxText))}
	if err := c.Finish(); err != nil {
		return fmt.Errorf("answer of the enclave: %w", err)
	}
	return e
}
