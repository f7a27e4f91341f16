package pinning

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/crustgo/crust/mpow/dag"
)

// A pin that is accepted has a CID that can be stored, and keeps the limits.
func FuzzPin(f *testing.F) {
	f.Add([]byte(`{"cid":"` + absent + `","name":"n","meta":{"a":"b"},"origins":["/ip4/203.0.113.1/tcp/4001/p2p/` + peerID + `"]}`))
	f.Add([]byte(`{"cid":null,"name":null,"origins":null,"meta":null}`))
	f.Add([]byte(`[{}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, root, err := readPin(bytes.NewReader(b))
		if err != nil {
			return
		}
		if again, err := dag.Parse(r.CID); err != nil || again != root {
			t.Errorf("cid %q: %v", r.CID, err)
		}
		if len(r.Origins) > 20 || len(r.Meta) > maxMeta {
			t.Errorf("%d origins, %d entries", len(r.Origins), len(r.Meta))
		}
	})
}

func FuzzFilter(f *testing.F) {
	f.Add("status=queued,pinned&limit=5&match=ipartial&name=x&before=2020-07-27T17:32:28.276Z&meta=%7B%22a%22%3A%22b%22%7D&cid=" + absent)
	f.Add("limit=-1&after=;&cid=,,&status=")
	f.Fuzz(func(t *testing.T, query string) {
		want, err := readFilter(&http.Request{URL: &url.URL{RawQuery: query}})
		if err != nil {
			return
		}
		if want.limit < 1 || want.limit > maxResults || len(want.cids) > maxCIDs {
			t.Errorf("limit %d, %d CIDs", want.limit, len(want.cids))
		}
		name := "name"
		want.wants(&pin{Name: &name, Meta: map[string]string{"a": "b"}})
		want.wants(&pin{})
	})
}

// Whatever a form has, its parts end and hold no more than it.
func FuzzForm(f *testing.F) {
	kind, body := form(part{"a%2Fb", "application/x-directory", ""}, part{"./a/b/c/", "text/plain; x=y", "content"}, part{"%zz", "", "x"})
	all, _ := io.ReadAll(body)
	f.Add(kind, all)
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; filename=a\r\n\r\n"))
	f.Fuzz(func(t *testing.T, kind string, b []byte) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(b))
		r.Header.Set("Content-Type", kind)
		read := 0
		_ = parts(r, func(_, _ string, content io.Reader) error {
			n, err := io.Copy(io.Discard, content)
			if read += int(n); read > len(b) {
				t.Errorf("%d bytes of a form of %d", read, len(b))
			}
			return err
		})
	})
}
