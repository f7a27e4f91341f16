package gateway

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// last is what the requests that are under way have when the gateway stops.
const last = 5 * time.Second

// routes is what users are served.
func (p *parts) routes(files http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", files)
	mux.Handle("/psa/", http.StripPrefix("/psa", p.pins.Pins()))
	mux.Handle("/api/v0/", p.pins.Uploads())
	mux.HandleFunc("GET /health", p.health)
	return mux
}

// health answers whether the gateway can do its work.
func (p *parts) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	h, err := p.chain.FinalizedHash(ctx)
	answer := map[string]any{"chain": p.chain.Chain(), "finalized": h.String(), "peers": p.engine.Peers()}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		answer = map[string]any{"error": err.Error()}
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // who asked may be gone
}
