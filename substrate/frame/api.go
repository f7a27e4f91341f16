package frame

import (
	"fmt"
	"reflect"

	"github.com/crustgo/crust/substrate/frame/metadata"
	"github.com/crustgo/crust/substrate/hash"
	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/state"
	"github.com/crustgo/crust/substrate/types"
)

// API is a runtime API: functions that clients call on the state of a block.
type API struct {
	Name    string
	Version uint32
	Doc     string
	Methods []Method
}

// Method is one function of an API; Method0 to Method3 make it.
type Method struct {
	name   string
	doc    string
	inputs []metadata.Param
	output reflect.Type
	call   func(e *Env, c *scale.Cursor) ([]byte, error)
}

type method struct{ Method }

// Method0 declares a function without arguments. Its error is the caller's:
// it is answered, not executed in a block.
func Method0[R any](name, doc string, f func(*Env) (R, error)) Method {
	out := scale.CodecOf[R]()
	return Method{name: name, doc: doc, output: reflect.TypeFor[R](), call: func(e *Env, c *scale.Cursor) ([]byte, error) {
		if err := c.Finish(); err != nil {
			return nil, err
		}
		return answer(&out, func() (R, error) { return f(e) })
	}}
}

// Method1 declares a function of one argument.
func Method1[A, R any](name, doc, a string, f func(*Env, A) (R, error)) Method {
	in, out := scale.CodecOf[A](), scale.CodecOf[R]()
	return Method{name: name, doc: doc, inputs: []metadata.Param{param[A](a)}, output: reflect.TypeFor[R](),
		call: func(e *Env, c *scale.Cursor) ([]byte, error) {
			var v A
			in.Decode(c, &v)
			if err := c.Finish(); err != nil {
				return nil, err
			}
			return answer(&out, func() (R, error) { return f(e, v) })
		}}
}

// Method2 declares a function of two arguments.
func Method2[A, B, R any](name, doc, a, b string, f func(*Env, A, B) (R, error)) Method {
	m := Method1(name, doc, a, func(e *Env, p scale.Pair[A, B]) (R, error) { return f(e, p.A, p.B) })
	m.inputs = []metadata.Param{param[A](a), param[B](b)}
	return m
}

// Method3 declares a function of three arguments.
func Method3[A, B, C, R any](name, doc, a, b, c string, f func(*Env, A, B, C) (R, error)) Method {
	m := Method1(name, doc, a, func(e *Env, p scale.Triple[A, B, C]) (R, error) { return f(e, p.A, p.B, p.C) })
	m.inputs = []metadata.Param{param[A](a), param[B](b), param[C](c)}
	return m
}

func param[A any](name string) metadata.Param {
	return metadata.Param{Name: name, Type: metadata.Of(reflect.TypeFor[A]())}
}

func answer[R any](out *scale.Codec[R], f func() (R, error)) ([]byte, error) {
	r, err := f()
	if err != nil {
		return nil, err
	}
	return out.Append(nil, &r), nil
}

// bindAPIs lists the APIs and puts their identifiers into the version.
func (rt *Runtime) bindAPIs(apis []API) {
	rt.apiList = append(rt.coreAPIs(), apis...)
	for _, a := range rt.apiList {
		rt.version.APIs = append(rt.version.APIs, types.APIVersion{ID: hash.Blake2b64([]byte(a.Name)), Version: a.Version})
		for _, m := range a.Methods {
			rt.apis[a.Name+"_"+m.name] = &method{m}
		}
	}
}

// UnknownMethod reports a call of a runtime API function that does not exist.
type UnknownMethod struct{ Name string }

// Error names the function.
func (u *UnknownMethod) Error() string { return fmt.Sprintf("the runtime has no function %q", u.Name) }

// Call runs a runtime API function, such as "Core_version", on the state of a
// block and returns its encoded result.
func (rt *Runtime) Call(view state.View, name string, args []byte) (out []byte, err error) {
	defer catch(&err)
	m := rt.apis[name]
	if m == nil {
		return nil, &UnknownMethod{name}
	}
	return m.call(rt.NewEnv(view), scale.NewCursor(args).WithEnv(rt))
}

// View is the state that the environment started from.
func (e *Env) View() state.View { return e.view }

// OpaqueMetadata is metadata as runtime APIs return it: bytes with a length.
type OpaqueMetadata []byte

// SCALEPath names the type for clients.
func (OpaqueMetadata) SCALEPath() string { return "sp_core::OpaqueMetadata" }

func (rt *Runtime) metadataAPI() API {
	return API{Name: "Metadata", Version: 2, Doc: "Describes the runtime to clients.", Methods: []Method{
		Method0("metadata", "Returns the metadata in format 14.", func(*Env) (OpaqueMetadata, error) {
			return OpaqueMetadata(rt.metadata[14]), nil
		}),
		Method1("metadata_at_version", "Returns the metadata in one format, if the runtime writes it.", "version", func(_ *Env, v uint32) (scale.Option[OpaqueMetadata], error) {
			if blob, ok := rt.metadata[uint8(min(v, 255))]; ok {
				return scale.Some(OpaqueMetadata(blob)), nil
			}
			return scale.Option[OpaqueMetadata]{}, nil
		}),
		Method0("metadata_versions", "Lists the formats that the runtime writes.", func(*Env) ([]uint32, error) {
			return []uint32{14, 15}, nil
		}),
	}}
}
