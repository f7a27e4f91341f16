package jsonrpc

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
)

// maxArity is the largest number of parameters of a method.
const maxArity = 5

// args are the parameters of one call, split but not decoded. A nil element is
// missing. The first parameter that does not fit leaves its error in err.
type args struct {
	values [maxArity][]byte
	err    error
}

func invalidParams(format string, a ...any) *Error {
	return &Error{Code: wire.CodeInvalidParams, Message: "Invalid params", Data: fmt.Sprintf(format, a...)}
}

// split sorts the request's params member, which may be nil, into in.
func (m *Method) split(params []byte, in *args) *Error {
	if params == nil || wire.IsNull(params) {
		return nil
	}
	if m.maxParamBytes > 0 && len(params) > m.maxParamBytes {
		return invalidParams("parameters of %s are limited to %d bytes", m.name, m.maxParamBytes)
	}
	switch params[0] {
	case '[':
		wire.Split(in.values[:m.arity], params)
		return nil
	case '{':
		if m.named == nil {
			return invalidParams("%s takes its parameters as an array", m.name)
		}
		err := wire.ParseObject(params, func(key, value []byte) {
			for i, name := range m.named[:min(len(m.named), m.arity)] {
				if name == string(key) {
					in.values[i] = value
				}
			}
		})
		if err != nil {
			return invalidParams("%v", err)
		}
		return nil
	}
	return invalidParams("params must be an array or an object")
}

// Optional marks parameter types whose zero value stands for a parameter that
// is missing or null. It saves what a pointer would cost to decode into.
type Optional interface{ OptionalParam() }

// param returns the decoder of parameter i. A pointer, an interface, raw
// JSON or an Optional may be missing or null, everything else may not.
func param[T any](i int) func(*args) T {
	typ := reflect.TypeFor[T]()
	kind := typ.Kind()
	raw := typ == reflect.TypeFor[json.RawMessage]()
	_, marked := any(*new(T)).(Optional)
	optional := kind == reflect.Pointer || kind == reflect.Interface || raw || marked
	return func(in *args) T {
		var v T
		if in.err != nil {
			return v
		}
		value := in.values[i]
		switch {
		case value == nil && optional:
		case value == nil:
			in.err = invalidParams("parameter %d is missing", i+1)
		case optional && !raw && wire.IsNull(value):
		case !optional && wire.IsNull(value):
			in.err = invalidParams("parameter %d must not be null", i+1)
		default:
			if err := wire.DecodeValue(value, &v); err != nil {
				in.err = invalidParams("parameter %d: %v", i+1, err)
			}
		}
		return v
	}
}
