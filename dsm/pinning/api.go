package pinning

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/w3auth"
	"github.com/crustgo/crust/mpow/dag"
)

// Status is the state of a pin, as the specification names it.
type Status string

// The statuses of pins.
const (
	Queued  Status = "queued"
	Pinning Status = "pinning"
	Pinned  Status = "pinned"
	Failed  Status = "failed"
)

var statuses = []Status{Queued, Pinning, Pinned, Failed}

// Limits of the specification, and of what it leaves open.
const (
	maxBody    = 64 << 10
	maxName    = 255 // characters
	maxMeta    = 1000
	maxCIDs    = 10
	maxResults = 1000
	results    = 10
)

// pinStatus is the specification's PinStatus.
type pinStatus struct {
	RequestID string            `json:"requestid"`
	Status    Status            `json:"status"`
	Created   string            `json:"created"`
	Pin       pinObject         `json:"pin"`
	Delegates []string          `json:"delegates"`
	Info      map[string]string `json:"info,omitempty"`
}

// pinObject is the specification's Pin.
type pinObject struct {
	CID     string            `json:"cid"`
	Name    *string           `json:"name,omitempty"`
	Origins []string          `json:"origins,omitempty"`
	Meta    map[string]string `json:"meta,omitempty"`
}

// failure is an error for a client: its HTTP status, and the specification's Failure.
type failure struct {
	code            int
	reason, details string
}

func (f *failure) Error() string { return f.details }

func badRequest(format string, a ...any) error {
	return &failure{http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf(format, a...)}
}

// fail answers a request with an error.
func (s *Service) fail(w http.ResponseWriter, err error) {
	f, ok := errors.AsType[*failure](err)
	switch {
	case ok:
	case errors.Is(err, errNotFound):
		f = &failure{http.StatusNotFound, "NOT_FOUND", err.Error()}
	case errors.Is(err, errFunds):
		f = &failure{http.StatusConflict, "INSUFFICIENT_FUNDS", err.Error()}
	case errors.Is(err, errQuota):
		f = &failure{http.StatusForbidden, "QUOTA_EXCEEDED", err.Error()}
	default:
		s.cfg.Log.Error("request failed", "err", err)
		f = &failure{http.StatusInternalServerError, "INTERNAL_SERVER_ERROR", "the gateway cannot answer; its operator finds the reason in the log"}
	}
	reply(w, f.code, map[string]any{"error": map[string]string{"reason": f.reason, "details": f.details}})
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// authorised lets requests pass that show a user, and preflights. Any page may ask.
func (s *Service) authorised(next func(w http.ResponseWriter, r *http.Request, u w3auth.User) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		policy := w3auth.Policy{Host: s.cfg.Host, Now: uint64(s.cfg.Now().Unix()), OnlyExpired: s.cfg.OnlyExpiring}
		user, err := w3auth.Verify(r.Header.Get("Authorization"), policy)
		if err != nil {
			s.fail(w, &failure{http.StatusUnauthorized, "UNAUTHORIZED", err.Error()})
			return
		}
		if err := next(w, r, user); err != nil {
			s.fail(w, err)
		}
	}
}

// Pins is the handler of /pins and what is below it.
func (s *Service) Pins() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/pins", s.authorised(func(w http.ResponseWriter, r *http.Request, u w3auth.User) error {
		switch r.Method {
		case http.MethodGet:
			return s.servePins(w, r, u)
		case http.MethodPost:
			return s.serveAdd(w, r, u, "")
		}
		return notAllowed(w, "GET, POST, OPTIONS")
	}))
	mux.HandleFunc("/pins/{id}", s.authorised(func(w http.ResponseWriter, r *http.Request, u w3auth.User) error {
		id := r.PathValue("id")
		switch r.Method {
		case http.MethodGet:
			p, f, err := s.get(u, id)
			if err == nil {
				reply(w, http.StatusOK, s.describe(p, f))
			}
			return err
		case http.MethodPost:
			return s.serveAdd(w, r, u, id)
		case http.MethodDelete:
			err := s.remove(u, id)
			if err == nil {
				w.WriteHeader(http.StatusAccepted)
			}
			return err
		}
		return notAllowed(w, "GET, POST, DELETE, OPTIONS")
	}))
	mux.HandleFunc("/", s.authorised(func(http.ResponseWriter, *http.Request, w3auth.User) error {
		return &failure{http.StatusNotFound, "NOT_FOUND", "the API is /pins and /pins/{requestid}"}
	}))
	return mux
}

func notAllowed(w http.ResponseWriter, methods string) error {
	w.Header().Set("Allow", methods)
	return &failure{http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "the methods here are " + methods}
}

// serveAdd adds a pin, in place of another one if old names one.
func (s *Service) serveAdd(w http.ResponseWriter, r *http.Request, u w3auth.User, old string) error {
	req, root, err := readPin(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return err
	}
	p, f, err := s.add(r.Context(), u, root, req, old)
	if err == nil {
		reply(w, http.StatusAccepted, s.describe(p, f))
	}
	return err
}

// readPin reads and checks a Pin.
func readPin(body io.Reader) (r request, root dag.CID, err error) {
	b, err := io.ReadAll(body)
	if err != nil {
		return r, root, badRequest("the body is not read: %v; at most %d bytes", err, maxBody)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, root, badRequest("the body is no pin object: %v", err)
	}
	switch {
	case r.CID == "":
		return r, root, badRequest("the pin has no cid")
	case r.Name != nil && utf8.RuneCountInString(*r.Name) > maxName:
		return r, root, badRequest("the name has %d characters, at most %d", utf8.RuneCountInString(*r.Name), maxName)
	case len(r.Meta) > maxMeta:
		return r, root, badRequest("meta has %d entries, at most %d", len(r.Meta), maxMeta)
	}
	if root, err = dag.Parse(r.CID); err != nil {
		return r, root, badRequest("cid %.100q: %v", r.CID, err)
	}
	slices.Sort(r.Origins)
	r.Origins = slices.Compact(r.Origins)
	if _, err := engine.Origins(r.Origins); err != nil {
		return r, root, badRequest("%v", err)
	}
	return r, root, nil
}

// describe writes a pin as the specification has it.
func (s *Service) describe(p *pin, f *file) pinStatus {
	d := pinStatus{RequestID: p.ID, Status: f.Status, Created: stamp(p.Created), Delegates: s.cfg.Delegates(),
		Pin: pinObject{p.CID, p.Name, p.Origins, p.Meta}, Info: map[string]string{}}
	if f.Detail != "" {
		d.Info["status_details"] = f.Detail
	}
	if f.Size != 0 {
		d.Info["dag_size"] = strconv.FormatUint(f.Size, 10)
	}
	if o := f.Order; o != nil {
		d.Info["replicas"] = fmt.Sprint(o.Replicas)
		d.Info["live_replicas"] = fmt.Sprint(o.Live)
		d.Info["stage"] = o.Stage
		if o.Expires > o.Height {
			left := time.Duration(o.Expires-o.Height) * s.cfg.BlockTime
			d.Info["pinned_until"] = s.cfg.Now().Add(left).UTC().Truncate(time.Second).Format(time.RFC3339)
			d.Info["pinned_until_block"] = fmt.Sprint(o.Expires)
		}
	}
	return d
}

func stamp(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// filter is the query of GET /pins.
type filter struct {
	cids          []string // canonical
	name          *string
	match         func(name, want string) bool
	statuses      []Status
	before, after int64 // nanoseconds since 1970; 0: any
	meta          map[string]string
	limit         int
}

// matches are the strategies of the parameter match.
var matches = map[string]func(name, want string) bool{
	"exact":   func(name, want string) bool { return name == want },
	"iexact":  strings.EqualFold,
	"partial": strings.Contains,
	"ipartial": func(name, want string) bool {
		return strings.Contains(strings.ToLower(name), strings.ToLower(want))
	},
}

// readFilter reads and checks the query of GET /pins.
func readFilter(r *http.Request) (f filter, err error) {
	q := r.URL.Query()
	f.limit, f.match = results, matches["exact"]
	for _, text := range list(q["cid"]) {
		c, err := dag.Parse(text)
		if err != nil {
			return f, badRequest("cid %.100q: %v", text, err)
		}
		f.cids = append(f.cids, c.String())
	}
	if len(f.cids) > maxCIDs {
		return f, badRequest("%d CIDs, at most %d", len(f.cids), maxCIDs)
	}
	if q.Has("name") {
		name := q.Get("name")
		if f.name = &name; utf8.RuneCountInString(name) > maxName {
			return f, badRequest("the name is longer than %d characters", maxName)
		}
	}
	if q.Has("match") {
		if f.match = matches[q.Get("match")]; f.match == nil {
			return f, badRequest("match is %.30q; use exact, iexact, partial or ipartial", q.Get("match"))
		}
	}
	for _, text := range list(q["status"]) {
		if !slices.Contains(statuses, Status(text)) {
			return f, badRequest("status is %.30q; use queued, pinning, pinned or failed", text)
		}
		f.statuses = append(f.statuses, Status(text))
	}
	for name, to := range map[string]*int64{"before": &f.before, "after": &f.after} {
		if !q.Has(name) {
			continue
		}
		t, err := time.Parse(time.RFC3339Nano, q.Get(name))
		if err != nil {
			return f, badRequest("%s is %.40q; write it as 2020-07-27T17:32:28.276Z", name, q.Get(name))
		}
		*to = t.UnixNano()
	}
	if q.Has("limit") {
		if f.limit, err = strconv.Atoi(q.Get("limit")); err != nil || f.limit < 1 || f.limit > maxResults {
			return f, badRequest("limit is %.20q; use 1 to %d", q.Get("limit"), maxResults)
		}
	}
	if q.Has("meta") {
		if err := json.Unmarshal([]byte(q.Get("meta")), &f.meta); err != nil {
			return f, badRequest("meta is no JSON object of texts: %v", err)
		}
	}
	if len(f.statuses) == 0 && len(f.cids) == 0 && f.name == nil && f.meta == nil && f.before == 0 && f.after == 0 {
		f.statuses = []Status{Pinned}
	}
	return f, nil
}

// list splits comma-separated values, and values that are given several times.
func list(values []string) (out []string) {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// wants reports whether a pin passes the filter, its status apart.
func (f *filter) wants(p *pin) bool {
	at := p.Created * int64(time.Millisecond)
	switch {
	case f.before != 0 && at >= f.before, f.after != 0 && at <= f.after:
		return false
	case len(f.cids) > 0 && !slices.Contains(f.cids, p.File):
		return false
	case f.name != nil && (p.Name == nil || !f.match(*p.Name, *f.name)):
		return false
	}
	for k, v := range f.meta {
		if got, ok := p.Meta[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// servePins lists a user's pins, the latest first.
func (s *Service) servePins(w http.ResponseWriter, r *http.Request, u w3auth.User) error {
	want, err := readFilter(r)
	if err != nil {
		return err
	}
	out := struct {
		Count   int         `json:"count"`
		Results []pinStatus `json:"results"`
	}{Results: []pinStatus{}}
	err = s.db.scan(pinPrefix(u), true, func(_, value []byte) (bool, error) {
		if err := r.Context().Err(); err != nil {
			return false, err
		}
		p, err := decode[pin](value)
		if err != nil || !want.wants(p) {
			return true, err
		}
		f, err := s.db.file(p.File)
		if err != nil || f == nil || len(want.statuses) > 0 && !slices.Contains(want.statuses, f.Status) {
			return true, err
		}
		if out.Count++; len(out.Results) < want.limit {
			out.Results = append(out.Results, s.describe(p, f))
		}
		return true, nil
	})
	if err == nil {
		reply(w, http.StatusOK, out)
	}
	return err
}
