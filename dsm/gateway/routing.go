package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/crustgo/crust/mpow/dag"
)

// maxProviders is how many providers one answer has.
const maxProviders = 100

// record is a provider as the routing API writes it.
type record struct {
	Schema    string
	ID        string
	Addrs     []string
	Protocols []string
}

const (
	typeJSON  = "application/json"
	typeLines = "application/x-ndjson"
)

// routing serves /routing/v1/providers/{cid}, as one JSON document or, for those who
// accept it, a record a line.
func routing(replicas Replicas) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		root, err := dag.Parse(r.PathValue("cid"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		list, err := replicas(r.Context(), root)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		out := make([]record, 0, len(list))
		for _, p := range list {
			if p, ok := filter(p, query(r, "filter-addrs"), query(r, "filter-protocols")); ok && len(out) < maxProviders {
				out = append(out, record{"peer", p.ID, p.Addrs, p.Protocols})
			}
		}
		h := w.Header()
		h.Set("Vary", "Accept")
		// Replicas come within minutes and stay for months; none may be some soon.
		age := 300
		if len(out) == 0 {
			age = 15
		}
		h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d, stale-while-revalidate=172800, stale-if-error=172800", age))
		lines := strings.Contains(r.Header.Get("Accept"), typeLines)
		enc := json.NewEncoder(w)
		if !lines {
			h.Set("Content-Type", typeJSON)
			_ = enc.Encode(struct{ Providers []record }{out}) // the client may be gone
			return
		}
		h.Set("Content-Type", typeLines)
		for _, p := range out {
			if err := enc.Encode(p); err != nil {
				return
			}
		}
	}
}

// query is a list of a parameter, in lower case.
func query(r *http.Request, name string) []string {
	text := strings.ToLower(r.URL.Query().Get(name))
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// filter applies the filters of IPIP-484: addresses that have one of the protocols
// and none of those after "!", and providers that have one of the transfer
// protocols; "unknown" stands for having none at all.
func filter(p Provider, addrs, protocols []string) (Provider, bool) {
	has := func(p Provider) bool {
		return slices.ContainsFunc(protocols, func(want string) bool {
			return want == "unknown" && len(p.Protocols) == 0 || slices.Contains(p.Protocols, want)
		})
	}
	if len(protocols) > 0 && !has(p) {
		return p, false
	}
	if len(addrs) == 0 {
		return p, true
	}
	if len(p.Addrs) == 0 {
		return p, slices.Contains(addrs, "unknown")
	}
	var yes, no []string
	for _, a := range addrs {
		if name, negated := strings.CutPrefix(a, "!"); negated {
			no = append(no, name)
		} else {
			yes = append(yes, name)
		}
	}
	contains := func(parts, names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return slices.Contains(parts, n) })
	}
	var kept []string
	for _, a := range p.Addrs {
		parts := strings.Split(a, "/")
		if !contains(parts, no) && (len(yes) == 0 || contains(parts, yes)) {
			kept = append(kept, a)
		}
	}
	p.Addrs = kept
	return p, len(kept) > 0
}
