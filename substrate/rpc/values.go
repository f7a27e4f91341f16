package rpc

import (
	"encoding/json"
	"strconv"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
	"github.com/crustgo/crust/substrate/types"
)

// hexOf is a hash as a result.
func hexOf(h types.Hash) jsonrpc.Hex { return h[:] }

// hexOrNull is a byte string that may be missing.
func hexOrNull(b []byte, ok bool) any {
	if !ok {
		return nil
	}
	return jsonrpc.Hex(b)
}

// hashList is a list of hashes as a result.
type hashList []types.Hash

// AppendJSON implements wire.Appender.
func (l hashList) AppendJSON(dst []byte) []byte { return appendHashes(dst, l) }

func appendHashes(dst []byte, hs []types.Hash) []byte {
	dst = append(dst, '[')
	for i := range hs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = wire.AppendHexString(dst, hs[i][:])
	}
	return append(dst, ']')
}

// hexList is a list of byte strings as a result.
type hexList [][]byte

// AppendJSON implements wire.Appender.
func (l hexList) AppendJSON(dst []byte) []byte { return appendHexes(dst, l) }

func appendHexes[B ~[]byte](dst []byte, bs []B) []byte {
	dst = append(dst, '[')
	for i, b := range bs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = wire.AppendHexString(dst, b)
	}
	return append(dst, ']')
}

// appendQuantity appends a number as a hex quantity, the form of block numbers.
func appendQuantity(dst []byte, n uint64) []byte {
	dst = append(dst, `"0x`...)
	return append(strconv.AppendUint(dst, n, 16), '"')
}

// appendHeader appends a header as every method of the legacy namespaces does.
func appendHeader(dst []byte, h *types.Header) []byte {
	dst = append(dst, `{"parentHash":`...)
	dst = wire.AppendHexString(dst, h.ParentHash[:])
	dst = append(dst, `,"number":`...)
	dst = appendQuantity(dst, uint64(h.Number))
	dst = append(dst, `,"stateRoot":`...)
	dst = wire.AppendHexString(dst, h.StateRoot[:])
	dst = append(dst, `,"extrinsicsRoot":`...)
	dst = wire.AppendHexString(dst, h.ExtrinsicsRoot[:])
	dst = append(dst, `,"digest":{"logs":[`...)
	var item []byte
	for i, d := range h.Digest {
		if i > 0 {
			dst = append(dst, ',')
		}
		item = d.AppendSCALE(item[:0])
		dst = wire.AppendHexString(dst, item)
	}
	return append(dst, "]}}"...)
}

// signedBlock is a block with its justification as a result.
type signedBlock struct {
	block         *types.Block
	justification []byte // GRANDPA; nil if there is none
}

// AppendJSON implements wire.Appender.
func (b *signedBlock) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"block":{"header":`...)
	dst = appendHeader(dst, &b.block.Header)
	dst = append(dst, `,"extrinsics":`...)
	dst = appendHexes(dst, b.block.Body)
	dst = append(dst, `},"justifications":`...)
	if b.justification == nil {
		return append(dst, "null}"...)
	}
	dst = append(dst, "[["...)
	dst = appendBytes(dst, types.EngineGRANDPA[:])
	dst = append(dst, ',')
	dst = appendBytes(dst, b.justification)
	return append(dst, "]]}"...)
}

// appendBytes appends bytes as a list of numbers.
func appendBytes(dst, b []byte) []byte {
	dst = append(dst, '[')
	for i, c := range b {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(c), 10)
	}
	return append(dst, ']')
}

// appendVersion appends a runtime version as state_getRuntimeVersion does.
func appendVersion(dst []byte, v *types.RuntimeVersion) []byte {
	dst = appendVersionHead(dst, v)
	dst = append(dst, `,"authoringVersion":`...)
	dst = strconv.AppendUint(dst, uint64(v.AuthoringVersion), 10)
	dst = append(dst, `,"apis":[`...)
	for i, a := range v.APIs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendHexString(append(dst, '['), a.ID[:]), ',')
		dst = append(strconv.AppendUint(dst, uint64(a.Version), 10), ']')
	}
	dst = append(dst, `],"systemVersion":`...)
	dst = strconv.AppendUint(dst, uint64(v.StateVersion), 10)
	dst = append(dst, `,"stateVersion":`...)
	return append(strconv.AppendUint(dst, uint64(v.StateVersion), 10), '}')
}

// appendSpec appends a runtime version as chainHead does.
func appendSpec(dst []byte, v *types.RuntimeVersion) []byte {
	dst = append(dst, `{"type":"valid","spec":`...)
	dst = appendVersionHead(dst, v)
	dst = append(dst, `,"apis":{`...)
	for i, a := range v.APIs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendHexString(dst, a.ID[:]), ':')
		dst = strconv.AppendUint(dst, uint64(a.Version), 10)
	}
	return append(dst, "}}}"...)
}

// appendVersionHead appends what both forms share.
func appendVersionHead(dst []byte, v *types.RuntimeVersion) []byte {
	dst = append(dst, `{"specName":`...)
	dst = wire.AppendString(dst, v.SpecName)
	dst = append(dst, `,"implName":`...)
	dst = wire.AppendString(dst, v.ImplName)
	dst = append(dst, `,"specVersion":`...)
	dst = strconv.AppendUint(dst, uint64(v.SpecVersion), 10)
	dst = append(dst, `,"implVersion":`...)
	dst = strconv.AppendUint(dst, uint64(v.ImplVersion), 10)
	dst = append(dst, `,"transactionVersion":`...)
	return strconv.AppendUint(dst, uint64(v.TransactionVersion), 10)
}

// raw is JSON that is ready to be sent.
func raw(b []byte) json.RawMessage { return b }

func appendNumber(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }
