package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Kubo is a daemon of kubo on loopback, with a repository of its own and without a
// DHT. Its store is the one that kubo makes by default, which does not sync.
type Kubo struct {
	Address string // multiaddress with its peer id
	Gateway string // URL
	api     string // URL
	cmd     *exec.Cmd
	stdout  sync.WaitGroup
}

// kuboConfig goes without a DHT, and asks no server for anything. Profile "test" has
// random ports and nobody to talk to.
var kuboConfig = map[string]any{
	"Routing.Type": "none", "Swarm.DisableNatPortMap": true, "AutoTLS.Enabled": false, "AutoConf.Enabled": false,
	"Version.SwarmCheckEnabled": false, "Provide.Enabled": false, "Gateway.NoFetch": true,
}

// StartKubo makes a repository in a directory and starts the daemon of a program that
// make kubo builds.
func StartKubo(ctx context.Context, program, dir string) (*Kubo, error) {
	env := append(os.Environ(), "IPFS_PATH="+dir, "IPFS_TELEMETRY=off")
	run := func(args ...string) error {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ipfs %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	if err := run("init", "--profile=test"); err != nil {
		return nil, err
	}
	for key, value := range kuboConfig {
		text, err := json.Marshal(value)
		if err == nil {
			err = run("config", "--json", key, string(text))
		}
		if err != nil {
			return nil, err
		}
	}
	k := &Kubo{cmd: exec.CommandContext(ctx, program, "daemon")}
	k.cmd.Env, k.cmd.WaitDelay = env, 20*time.Second
	k.cmd.Cancel = func() error { return k.cmd.Process.Signal(syscall.SIGTERM) }
	pipe, err := k.cmd.StdoutPipe()
	if err == nil {
		err = k.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	ready := make(chan bool, 1)
	k.stdout.Go(func() {
		defer close(ready)
		for lines := bufio.NewScanner(pipe); lines.Scan(); {
			if strings.Contains(lines.Text(), "Daemon is ready") {
				ready <- true
			}
		}
	})
	if !<-ready {
		return nil, errors.Join(errors.New("kubo's daemon did not start"), k.Stop())
	}
	if err := k.find(ctx, dir); err != nil {
		return nil, errors.Join(err, k.Stop())
	}
	return k, nil
}

// find reads where the daemon is.
func (k *Kubo) find(ctx context.Context, dir string) error {
	api, err := os.ReadFile(filepath.Join(dir, "api"))
	if err != nil {
		return err
	}
	parts := strings.Split(strings.TrimSpace(string(api)), "/") // /ip4/127.0.0.1/tcp/1234
	if len(parts) != 5 {
		return fmt.Errorf("kubo's interface is at %s", api)
	}
	k.api = "http://" + parts[2] + ":" + parts[4]
	gateway, err := os.ReadFile(filepath.Join(dir, "gateway"))
	if err != nil {
		return err
	}
	k.Gateway = strings.TrimSpace(string(gateway))
	var id struct{ Addresses []string }
	if err := k.call(ctx, "id", nil, &id); err != nil {
		return err
	}
	for _, a := range id.Addresses {
		if strings.Contains(a, "/tcp/") {
			k.Address = a
			return nil
		}
	}
	return fmt.Errorf("kubo has no address of TCP among %v", id.Addresses)
}

// Stop ends the daemon and waits for it.
func (k *Kubo) Stop() error {
	_ = k.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	k.stdout.Wait()
	return k.cmd.Wait()
}

// call makes a call of kubo's interface and reads its last answer into a value; nil throws
// all answers away.
func (k *Kubo) call(ctx context.Context, path string, query url.Values, into any) error {
	body, err := k.post(ctx, path, query, "", nil)
	if err != nil {
		return err
	}
	if into == nil {
		_, err = io.Copy(io.Discard, body)
	} else {
		err = lastJSON(body, into)
	}
	return errors.Join(err, body.Close())
}

func (k *Kubo) post(ctx context.Context, path string, query url.Values, kind string, body io.Reader) (io.ReadCloser, error) {
	return post(ctx, k.api+"/api/v0/"+path+"?"+query.Encode(), kind, "", body)
}

// post sends a request and returns the body of an answer that is no error.
func post(ctx context.Context, address, kind, token string, body io.Reader) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
	if err != nil {
		return nil, err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(answer.Body, 1000))
		return nil, errors.Join(fmt.Errorf("%s: %s: %s", address, answer.Status, text), err, answer.Body.Close())
	}
	return answer.Body, nil
}

// lastJSON reads a row of JSON values and keeps the last.
func lastJSON(r io.Reader, into any) error {
	for d := json.NewDecoder(r); ; {
		if err := d.Decode(into); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// upload sends a file to an address that takes what `ipfs add` sends, and returns its CID.
func upload(ctx context.Context, address, token, file string) (cid string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	var writing sync.WaitGroup
	defer writing.Wait()
	defer func() { _ = r.Close() }() // if the other side answered without reading all
	writing.Go(func() {
		part, err := form.CreateFormFile("file", "content")
		if err == nil {
			_, err = io.CopyBuffer(struct{ io.Writer }{part}, struct{ io.Reader }{f}, make([]byte, 1<<20))
		}
		if err == nil {
			err = form.Close()
		}
		_ = w.CloseWithError(err) // nil ends the body
	})
	body, err := post(ctx, address, form.FormDataContentType(), token, r)
	if err != nil {
		return "", err
	}
	var line struct{ Hash string }
	err = lastJSON(body, &line)
	if err == nil && line.Hash == "" {
		err = errors.New("the upload has no CID")
	}
	return line.Hash, errors.Join(err, body.Close())
}

// Add adds a file in blocks of some size.
func (k *Kubo) Add(ctx context.Context, file string, block int) (cid string, err error) {
	q := url.Values{"chunker": {fmt.Sprintf("size-%d", block)}, "progress": {"false"}}
	return upload(ctx, k.api+"/api/v0/add?"+q.Encode(), "", file)
}

// Size is the cumulative size of a graph.
func (k *Kubo) Size(ctx context.Context, cid string) (uint64, error) {
	var stat struct{ CumulativeSize uint64 }
	err := k.call(ctx, "files/stat", url.Values{"arg": {"/ipfs/" + cid}}, &stat)
	return stat.CumulativeSize, err
}

// Fetch has the daemon fetch a graph from one source, and no other.
func (k *Kubo) Fetch(ctx context.Context, cid, source string) error {
	if err := k.call(ctx, "swarm/connect", url.Values{"arg": {source}}, nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("kubo does not fetch"))
	defer cancel()
	err := k.call(ctx, "refs", url.Values{"arg": {cid}, "recursive": {"true"}}, nil)
	return errors.Join(err, k.call(context.WithoutCancel(ctx), "swarm/disconnect", url.Values{"arg": {source}}, nil))
}

// Forget removes what is not pinned.
func (k *Kubo) Forget(ctx context.Context) error {
	return k.call(ctx, "repo/gc", url.Values{"silent": {"true"}}, nil)
}

// Leaves are the CIDs that a file's blocks link to.
func (k *Kubo) Leaves(ctx context.Context, cid string) (list []string, err error) {
	body, err := k.post(ctx, "refs", url.Values{"arg": {cid}, "recursive": {"true"}, "unique": {"true"}}, "", nil)
	if err != nil {
		return nil, err
	}
	var line struct{ Ref, Err string }
	for d := json.NewDecoder(body); err == nil; {
		if err = d.Decode(&line); err == nil {
			list = append(list, line.Ref)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return list, errors.Join(err, body.Close())
}
