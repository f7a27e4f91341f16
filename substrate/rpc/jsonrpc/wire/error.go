package wire

import (
	"fmt"
	"reflect"
	"strconv"
)

// Codes of the JSON-RPC 2.0 specification, and the server codes that
// Substrate's server (jsonrpsee) uses for the same situations.
const (
	CodeParse          = -32700 // the text is not JSON
	CodeInvalidRequest = -32600 // the JSON is no request
	CodeMethodNotFound = -32601 // no such method, or not for this caller
	CodeInvalidParams  = -32602 // the parameters do not fit the method
	CodeInternal       = -32603 // the method failed for a reason of its own

	CodeServer               = -32000 // a condition of the server or transport
	CodeTooManySubscriptions = -32006 // the connection's subscriptions are used up
	CodeRequestTooBig        = -32007 // the message exceeds the size limit
	CodeResponseTooBig       = -32008 // the result exceeds the size limit
	CodeBusy                 = -32009 // a limit shared by all callers is reached
	CodeBatchTooBig          = -32010 // the batch has too many entries
	CodeBatchResponseTooBig  = -32011 // the answers of the batch are too long
)

// Error is the error object of a JSON-RPC response. Data is encoded as JSON on
// the way out and holds what encoding/json makes of it on the way in.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// Error returns the message, the data if there is any, and the code.
func (e *Error) Error() string {
	if e.Data != nil {
		return fmt.Sprintf("%s: %v (code %d)", e.Message, e.Data, e.Code)
	}
	return fmt.Sprintf("%s (code %d)", e.Message, e.Code)
}

// Is reports whether target is an *Error with the same code and, if target has
// one, the same message.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && (t.Message == "" || t.Message == e.Message)
}

// AppendJSON appends the error object. Data that cannot be encoded is left out.
func (e *Error) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"code":`...)
	dst = strconv.AppendInt(dst, int64(e.Code), 10)
	dst = append(dst, `,"message":`...)
	dst = AppendString(dst, e.Message)
	if e.Data != nil {
		mark := len(dst)
		full, err := AppendValue(append(dst, `,"data":`...), e.Data)
		if err != nil {
			full = full[:mark]
		}
		dst = full
	}
	return append(dst, '}')
}

// AppendError appends a whole error response; a nil id is written as null.
func AppendError(dst, id []byte, e *Error) []byte {
	dst = AppendResponseHead(dst, id)
	dst = append(dst, `"error":`...)
	return append(e.AppendJSON(dst), '}')
}

// AppendResponseHead appends a response up to and including the comma after
// the id; `"result":…}` or `"error":…}` completes it.
func AppendResponseHead(dst, id []byte) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","id":`...)
	if id == nil {
		dst = append(dst, "null"...)
	}
	dst = append(dst, id...)
	return append(dst, ',')
}

func isNilPointer(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}
