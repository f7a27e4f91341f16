package jsonrpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc/wire"
)

// poster is the transport over HTTP: one POST for each message.
type poster struct {
	address string
	cfg     Config
	client  *http.Client
	closed  atomic.Bool
}

func newPoster(address string, cfg Config) *poster {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 16
	return &poster{address: address, cfg: cfg, client: &http.Client{Transport: t}}
}

func (p *poster) close() {
	p.closed.Store(true)
	p.client.CloseIdleConnections()
}

func (p *poster) roundTrip(ctx context.Context, buf *wire.Buffer, first uint64, n int) ([]answer, error) {
	if p.closed.Load() {
		buf.Free()
		return nil, ErrClosed
	}
	// The transport may still read the body after Do has returned, so the
	// buffer is left to the garbage collector.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.address, bytes.NewReader(buf.B))
	if err != nil {
		return nil, err
	}
	for k, v := range p.cfg.Header {
		req.Header[k] = v
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, p.cfg.MaxMessageBytes+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > p.cfg.MaxMessageBytes {
		return nil, fmt.Errorf("answer is longer than %d bytes", p.cfg.MaxMessageBytes)
	}
	answers := make([]answer, n)
	err = scatter(body, func(env *wire.Envelope) error {
		id, ok := responseID(env.ID)
		if !ok && env.Error != nil { // the node could not even read the ids
			return decodeError(env.Error)
		}
		if !ok || id < first || id-first >= uint64(n) {
			return nil // an answer to nothing we asked
		}
		answers[id-first].set(env)
		return nil
	})
	if err != nil && resp.StatusCode != http.StatusOK {
		var rpcErr *Error
		if !errors.As(err, &rpcErr) {
			return nil, fmt.Errorf("node answered %s: %.200s", resp.Status, bytes.TrimSpace(body))
		}
	}
	if err != nil {
		return nil, err
	}
	for i := range answers {
		if !answers[i].done {
			answers[i].err = errors.New("node did not answer")
		}
	}
	return answers, nil
}

// maxBatchAnswer bounds the answers of one message.
const maxBatchAnswer = 1 << 20

// scatter hands each message in text, one or an array of them, to each.
func scatter(text []byte, each func(*wire.Envelope) error) error {
	var env wire.Envelope
	if wire.FirstByte(text) != '[' {
		if err := wire.ParseEnvelope(text, &env); err != nil {
			return fmt.Errorf("message from the node: %w", err)
		}
		if env.NotObject {
			return errors.New("message from the node is no object")
		}
		return each(&env)
	}
	elems, err := wire.Elements(nil, text, maxBatchAnswer)
	if err != nil {
		return fmt.Errorf("message from the node: %w", err)
	}
	for _, e := range elems {
		if err := wire.ParseEnvelope(e, &env); err != nil {
			return err
		}
		if err := each(&env); err != nil {
			return err
		}
	}
	return nil
}
