package protocol

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/crustgo/crust/substrate/scale"
	"github.com/crustgo/crust/substrate/types"
)

// Limits of light client requests.
const (
	MaxReadKeys    = 4096
	MaxKeyBytes    = 4 << 10
	MaxMethodBytes = 256
	MaxProofNodes  = 1 << 18
)

// LightRequest asks for a proof from the state of a block (light/2). One of Call
// and Read is set.
type LightRequest struct {
	Block types.Hash
	Call  *RemoteCall
	Read  *RemoteRead
}

// Fields of a response.
const (
	fieldCall protowire.Number = 1
	fieldRead protowire.Number = 2
)

// RemoteCall asks for what a call of the runtime reads.
type RemoteCall struct {
	Method string
	Data   []byte // arguments
}

// RemoteRead asks for values.
type RemoteRead struct {
	Child []byte // storage key of a child trie; nil means the main trie
	Keys  [][]byte
}

// Append appends the request's encoding.
func (r *LightRequest) Append(dst []byte) []byte {
	body := appendBytes(nil, 2, r.Block[:])
	switch {
	case r.Call != nil:
		body = appendBytes(body, 3, []byte(r.Call.Method))
		return appendBytes(dst, 1, appendBytes(body, 4, r.Call.Data))
	case r.Read.Child != nil:
		return appendBytes(dst, 4, appendKeys(appendBytes(body, 3, r.Read.Child), 6, r.Read.Keys))
	}
	return appendBytes(dst, 2, appendKeys(body, 3, r.Read.Keys))
}

// DecodeLightRequest reads a request; its byte slices alias b.
func DecodeLightRequest(b []byte) (r LightRequest, err error) {
	if err := within("a light request", b, MaxRequestBytes); err != nil {
		return r, err
	}
	err = fields(b, func(x field) error {
		r = LightRequest{} // of several the last one counts
		switch {
		case x.is(1):
			return r.decodeCall(x.bytes)
		case x.is(2):
			return r.decodeRead(x.bytes, 3, 0)
		case x.is(4):
			return r.decodeRead(x.bytes, 6, 3)
		}
		return nil
	})
	if err == nil && r.Call == nil && r.Read == nil {
		err = errors.New("a light request that asks for nothing")
	}
	if err != nil {
		return LightRequest{}, err
	}
	return r, nil
}

func (r *LightRequest) decodeCall(b []byte) error {
	r.Call = &RemoteCall{}
	block := false
	err := fields(b, func(x field) error {
		switch {
		case x.is(2):
			block = true
			return x.hash(&r.Block)
		case x.is(3):
			if len(x.bytes) > MaxMethodBytes {
				return fmt.Errorf("a method name of %d bytes", len(x.bytes))
			}
			r.Call.Method = string(x.bytes)
		case x.is(4):
			r.Call.Data = x.bytes
		}
		return nil
	})
	return withBlock(block, err)
}

// decodeRead reads a request for values; keys and child are field numbers, of
// which child is 0 for the main trie.
func (r *LightRequest) decodeRead(b []byte, keys, child protowire.Number) error {
	r.Read = &RemoteRead{}
	if child != 0 {
		r.Read.Child = []byte{}
	}
	block := false
	err := fields(b, func(x field) error {
		if (x.is(keys) || x.is(child)) && len(x.bytes) > MaxKeyBytes {
			return fmt.Errorf("a storage key of %d bytes", len(x.bytes))
		}
		switch {
		case x.is(2):
			block = true
			return x.hash(&r.Block)
		case x.is(keys):
			if len(r.Read.Keys) == MaxReadKeys {
				return fmt.Errorf("more than %d keys", MaxReadKeys)
			}
			r.Read.Keys = append(r.Read.Keys, x.bytes)
		case x.is(child):
			r.Read.Child = x.bytes
		}
		return nil
	})
	return withBlock(block, err)
}

func withBlock(block bool, err error) error {
	if err == nil && !block {
		return errors.New("a request without a block")
	}
	return err
}

// LightResponse is the answer to a LightRequest.
type LightResponse struct {
	Call     bool // the answer to a call, not to a read
	HasProof bool // false if the state is not there any more
	Proof    []byte
}

// Append appends the response's encoding.
func (r *LightResponse) Append(dst []byte) []byte {
	num := fieldRead
	if r.Call {
		num = fieldCall
	}
	if !r.HasProof {
		return appendMessage(dst, num, 0)
	}
	return appendBytes(appendMessage(dst, num, sizeBytes(2, len(r.Proof))), 2, r.Proof)
}

// DecodeLightResponse reads a response; the proof aliases b.
func DecodeLightResponse(b []byte) (r LightResponse, err error) {
	if err := within("a light response", b, MaxResponseBytes); err != nil {
		return r, err
	}
	found := false
	err = fields(b, func(x field) error {
		if !x.is(fieldCall) && !x.is(fieldRead) {
			return nil
		}
		found, r = true, LightResponse{Call: x.num == fieldCall}
		return fields(x.bytes, func(y field) error {
			if y.is(2) {
				r.HasProof, r.Proof = true, y.bytes
			}
			return nil
		})
	})
	if err == nil && !found {
		err = errors.New("a light response without an answer")
	}
	if err != nil {
		return LightResponse{}, err
	}
	return r, nil
}

// AppendProof appends a proof: a sequence of trie nodes.
func AppendProof(dst []byte, nodes [][]byte) []byte {
	dst = scale.AppendCompact(dst, uint64(len(nodes)))
	for _, n := range nodes {
		dst = scale.AppendBytes(dst, n)
	}
	return dst
}

// DecodeProof reads a proof; the nodes alias b.
func DecodeProof(b []byte) ([][]byte, error) {
	c := scale.NewCursor(b)
	n := c.Len(1)
	if n > MaxProofNodes {
		return nil, fmt.Errorf("a proof of %d nodes", n)
	}
	nodes := make([][]byte, 0, n)
	for range n {
		nodes = append(nodes, c.BytesRef(MaxResponseBytes))
	}
	if err := c.Finish(); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	return nodes, nil
}
