package pinning

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	gocid "github.com/ipfs/go-cid"

	"github.com/crustgo/crust/dsm/importer"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/dsm/w3auth"
	"github.com/crustgo/crust/mpow/dag"
)

// Bounds of uploads.
const (
	maxUploads = 64               // at once
	maxOwn     = 8                // of one user
	idle       = 60 * time.Second // that a client may send nothing
)

// Uploads is the handler of /api/v0/add and /api/v0/dag/import.
func (s *Service) Uploads() http.Handler {
	var now uploads
	upload := func(into func(ctx context.Context, r *http.Request, u w3auth.User, room uint64) ([]any, error)) http.HandlerFunc {
		return s.authorised(func(w http.ResponseWriter, r *http.Request, u w3auth.User) error {
			if r.Method != http.MethodPost {
				return notAllowed(w, "POST, OPTIONS")
			}
			if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
				return &failure{http.StatusUnsupportedMediaType, "UNSUPPORTED_ENCODING", "send the body as it is, without Content-Encoding"}
			}
			if !now.begin(u) {
				w.Header().Set("Retry-After", "10")
				return &failure{http.StatusTooManyRequests, "TOO_MANY_REQUESTS", "the gateway takes no more uploads at the moment; try again soon"}
			}
			defer now.end(u)
			room, err := s.Room(u)
			if err != nil {
				return err
			}
			r.Body = patient(w, r.Body, room)
			lines, err := into(r.Context(), r, u, room)
			if err != nil {
				return uploadError(err)
			}
			w.Header().Set("Content-Type", "application/json")
			enc := json.NewEncoder(w)
			for _, l := range lines {
				if err := enc.Encode(l); err != nil {
					return nil // the client is gone; its upload is here
				}
			}
			return nil
		})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v0/add", upload(s.addFiles))
	mux.HandleFunc("/api/v0/dag/import", upload(s.addArchives))
	mux.HandleFunc("/api/v0/", s.authorised(func(http.ResponseWriter, *http.Request, w3auth.User) error {
		return &failure{http.StatusNotFound, "NOT_FOUND", "of kubo's RPC this gateway has /api/v0/add and /api/v0/dag/import"}
	}))
	return mux
}

// uploads counts what is under way.
type uploads struct {
	mu  sync.Mutex // guards what follows
	all int
	of  map[w3auth.User]int
}

func (n *uploads) begin(u w3auth.User) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all >= maxUploads || n.of[u] >= maxOwn {
		return false
	}
	if n.of == nil {
		n.of = map[w3auth.User]int{}
	}
	n.all++
	n.of[u]++
	return true
}

func (n *uploads) end(u w3auth.User) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all--
	if n.of[u]--; n.of[u] == 0 {
		delete(n.of, u)
	}
}

// bodyBuffer is how much of a body is read at once: the reader of forms asks for 4 KiB.
const bodyBuffer = 128 << 10

// buffered is a body that is read in large pieces.
type buffered struct {
	*bufio.Reader
	io.Closer
}

// slowBody ends a request whose client sends nothing for long.
type slowBody struct {
	io.ReadCloser
	c *http.ResponseController
}

func patient(w http.ResponseWriter, body io.ReadCloser, room uint64) io.ReadCloser {
	// Names and boundaries come on top of the content.
	slow := slowBody{http.MaxBytesReader(w, body, int64(room)+64<<20), http.NewResponseController(w)}
	return buffered{bufio.NewReaderSize(slow, bodyBuffer), slow}
}

func (b slowBody) Read(p []byte) (int, error) {
	if err := b.c.SetReadDeadline(time.Now().Add(idle)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return b.ReadCloser.Read(p)
}

// uploadError says whose fault it is that an upload fails.
func uploadError(err error) error {
	if _, large := errors.AsType[*http.MaxBytesError](err); large || errors.Is(err, importer.ErrTooMuch) || errors.Is(err, dag.ErrLimit) {
		return &failure{http.StatusRequestEntityTooLarge, "TOO_LARGE", err.Error()}
	}
	for _, theirs := range []error{importer.ErrName, importer.ErrCut, importer.ErrCAR, dag.ErrMismatch, dag.ErrBlock, dag.ErrCID, vault.ErrNotFound, io.ErrUnexpectedEOF, io.EOF, multipart.ErrMessageTooLarge} {
		if errors.Is(err, theirs) {
			return badRequest("%v", err)
		}
	}
	if errors.Is(err, vault.ErrFull) {
		return &failure{http.StatusInsufficientStorage, "NO_ROOM", "the gateway has no room; try another one"}
	}
	return err
}

// addLine is a line of what add answers.
type addLine struct{ Name, Hash, Size string }

// addFiles imports the parts of a form as files and directories.
func (s *Service) addFiles(ctx context.Context, r *http.Request, u w3auth.User, room uint64) ([]any, error) {
	profile, wrap, err := addOptions(r.URL.Query())
	if err != nil {
		return nil, err
	}
	into, err := s.cfg.Vault.Import(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = into.Close(ctx) }() // what stays is removed at the next start
	i := importer.New(into, profile, importer.Limits{Bytes: room})
	n := 0
	err = parts(r, func(path, kind string, content io.Reader) error {
		n++
		switch kind {
		case "application/x-directory":
			return i.Dir(path)
		case "application/symlink":
			return badRequest("%q is a symbolic link; send what it leads to", path)
		}
		if path == "" { // a stream without a name is known by its CID
			path = fmt.Sprintf("file-%d", n)
		}
		_, err := i.File(ctx, path, content)
		return err
	})
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, badRequest("the form has no file")
	}
	entries, err := i.Finish(ctx, wrap)
	if err != nil {
		return nil, err
	}
	var lines []any
	for _, e := range entries {
		lines = append(lines, addLine{e.Path, e.Text, fmt.Sprint(e.Size)})
		if !strings.Contains(e.Path, "/") && (!wrap || e.Path == "") { // nothing is above it
			if err := s.finish(ctx, into, u, e.CID, room); err != nil {
				return nil, err
			}
		}
	}
	return lines, nil
}

// finish makes a graph of an import stay, and the user refer to it.
func (s *Service) finish(ctx context.Context, into *vault.Import, u w3auth.User, root dag.CID, room uint64) error {
	size, err := into.Finish(ctx, root, room)
	if err != nil {
		return err
	}
	if err := root.CheckRoot(); err != nil {
		return err
	}
	return s.uploaded(ctx, u, root, size)
}

// addOptions reads the parameters of add. One that would change the result and is
// not known is an error; the others are of no matter here.
func addOptions(q url.Values) (p importer.Profile, wrap bool, err error) {
	p = importer.Kubo
	for name := range q {
		v := q.Get(name)
		switch name {
		case "cid-version":
			if v != "0" && v != "1" {
				return p, wrap, badRequest("cid-version is %.20q; use 0 or 1", v)
			}
			if v == "1" {
				p = importer.KuboV1
			}
		case "wrap-with-directory":
			wrap = v == "true" || v == "1" || v == ""
		case "pin", "progress", "quiet", "quieter", "silent", "stream-channels", "recursive", "r", "hidden", "pin-name", "to-files":
		default:
			return p, wrap, badRequest("the parameter %.40q is not known here; cid-version and wrap-with-directory are", name)
		}
	}
	return p, wrap, nil
}

// parts calls f with each file of a form. Its content must be read before f returns.
func parts(r *http.Request, f func(path, kind string, content io.Reader) error) error {
	form, err := r.MultipartReader()
	if err != nil {
		return badRequest("send the files as multipart/form-data: %v", err)
	}
	for {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return badRequest("the form breaks off: %v", err)
		}
		_, header, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil {
			return badRequest("a part of the form without a disposition: %v", err)
		}
		name, isFile := header["filename"]
		if !isFile {
			continue // a field
		}
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain // kubo's clients escape, browsers do not
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if err := f(strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/"), kind, part); err != nil {
			return err
		}
	}
}

// addArchives imports the parts of a form as CARs, or a body that is one.
func (s *Service) addArchives(ctx context.Context, r *http.Request, u w3auth.User, room uint64) ([]any, error) {
	into, err := s.cfg.Vault.Import(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = into.Close(ctx) }()
	var roots []dag.CID
	take := func(_, _ string, content io.Reader) error {
		more, err := importer.CAR(ctx, into, content, importer.Limits{Bytes: room})
		roots = append(roots, more...)
		return err
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/vnd.ipld.car" {
		err = take("", "", r.Body)
	} else {
		err = parts(r, take)
	}
	if err != nil {
		return nil, err
	}
	if len(roots) == 0 {
		return nil, badRequest("the form has no archive")
	}
	var lines []any
	for _, root := range roots {
		if err := s.finish(ctx, into, u, root, room); err != nil {
			return nil, err
		}
		c, err := gocid.Cast(root.Bytes())
		if err != nil {
			return nil, err
		}
		lines = append(lines, map[string]any{"Root": map[string]any{"Cid": map[string]string{"/": c.String()}, "PinErrorMsg": ""}})
	}
	return lines, nil
}
