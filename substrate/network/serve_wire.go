package network

import "github.com/crustgo/crust/substrate/protocol"

// ServeBlocks is Blocks from the bytes of a request to those of the answer.
func (s *Server) ServeBlocks(req []byte) ([]byte, error) {
	r, err := protocol.DecodeBlockRequest(req)
	if err != nil {
		return nil, err
	}
	resp, err := s.Blocks(&r)
	if err != nil {
		return nil, err
	}
	return resp.Append(nil), nil
}

// ServeLight answers the bytes of a request of light/2.
func (s *Server) ServeLight(req []byte) ([]byte, error) {
	r, err := protocol.DecodeLightRequest(req)
	if err != nil {
		return nil, err
	}
	var proof []byte
	switch {
	case r.Call != nil:
		proof, err = s.Call(r.Block, r.Call.Method, r.Call.Data)
	case r.Read.Child != nil:
		proof, err = s.ReadChild(r.Block, r.Read.Child)
	default:
		proof, err = s.Read(r.Block, r.Read.Keys)
	}
	if err != nil {
		return nil, err
	}
	resp := protocol.LightResponse{Call: r.Call != nil, HasProof: proof != nil, Proof: proof}
	return resp.Append(nil), nil
}

// ServeState answers the bytes of a request of state/2.
func (s *Server) ServeState(req []byte) ([]byte, error) {
	r, err := protocol.DecodeStateRequest(req)
	if err != nil {
		return nil, err
	}
	var start []byte
	if len(r.Start) > 0 {
		start = r.Start[0]
	}
	e, err := s.State(r.Block, start, !r.NoProof)
	if err != nil {
		return nil, err
	}
	var resp protocol.StateResponse
	if e != nil {
		resp = protocol.StateResponse{Tries: []protocol.StateTrie{e.StateTrie}, Proof: e.Proof}
	}
	return resp.Append(nil), nil
}

// ServeWarp answers the bytes of a request of sync/warp: a block hash.
func (s *Server) ServeWarp(req []byte) ([]byte, error) {
	from, err := protocol.DecodeWarpRequest(req)
	if err != nil {
		return nil, err
	}
	return s.Warp(from)
}
