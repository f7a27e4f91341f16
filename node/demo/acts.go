package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/crustgo/crust/node/devnet"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/ss58"
	"github.com/crustgo/crust/substrate/types"
)

// Who is who. The faucet is the guarantor: its coins are not needed otherwise.
const (
	user      = "//User"
	guarantor = "//Faucet"
	validator = "//Alice//stash"
)

// wanted is how many nodes have to have proven a file.
const wanted = 2

// start waits for the network.
func (s *show) start(ctx context.Context) error {
	s.say("starting a network: 4 validators, 3 storage nodes and a gateway, a process each")
	err := until(ctx, func(context.Context) (bool, error) {
		var err error
		s.net, err = devnet.Load(filepath.Join(s.cfg.BasePath, "network"))
		return err == nil, err
	})
	if err != nil {
		return err
	}
	s.claim(true, "a network runs on this machine", "%d validators, %d storage nodes, %d gateway; genesis %.10s…", len(s.net.Validators), len(s.net.Storage), len(s.net.Gateways), s.net.GenesisHash)
	return nil
}

// guarantee has somebody stake behind a validator; the reward comes later.
func (s *show) guarantee(ctx context.Context) error {
	for _, step := range [][]string{
		{"validator", "bond", guarantor, "10000CRU", "--suri", guarantor},
		{"guarantor", "guarantee", validator, "5000CRU", "--suri", guarantor},
	} {
		if err := s.crust(ctx, nil, append(step, "--wait", "inblock", "--yes")...); err != nil {
			return err
		}
	}
	s.say("%s guarantees for %s with 5000CRU", guarantor, validator)
	return nil
}

// upload gives a file to the gateway, as somebody without a node does.
func (s *show) upload(ctx context.Context) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "note.txt")
	if err != nil {
		return err
	}
	fmt.Fprintf(part, "stored through a gateway, %s", s.began)
	if err := form.Close(); err != nil {
		return err
	}
	var added struct{ Hash string }
	if err := s.gateway(ctx, http.MethodPost, "/api/v0/add", form.FormDataContentType(), &body, &added); err != nil {
		return err
	}
	pin, err := json.Marshal(map[string]string{"cid": added.Hash, "name": "note.txt"})
	if err != nil {
		return err
	}
	return s.gateway(ctx, http.MethodPost, "/psa/pins", "application/json", bytes.NewReader(pin), nil)
}

// gateway asks the gateway as the user.
func (s *show) gateway(ctx context.Context, method, path, kind string, body io.Reader, into any) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	g := s.net.Gateways[0]
	req, err := http.NewRequestWithContext(ctx, method, g.HTTP+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+g.Token)
	req.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s %s: %s: %.200s", method, path, resp.Status, b)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(b, into)
}

// store orders every file, one order after the other, and serves all until the network has them.
func (s *show) store(ctx context.Context) error {
	s.report.Files = make([]File, len(s.cfg.Files))
	g := lifecycle.NewGroup(ctx, lifecycle.DefaultGrace)
	failed := make([]error, len(s.cfg.Files))
	for i, path := range s.cfg.Files {
		ordered, once := make(chan struct{}), sync.Once{}
		begun := func() { once.Do(func() { close(ordered) }) } // or over
		g.Go("add", func(ctx context.Context) error {
			defer begun()
			failed[i] = s.add(ctx, path, &s.report.Files[i], begun)
			return nil
		})
		select {
		case <-ordered:
		case <-ctx.Done():
		}
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var all error
	size := uint64(0)
	for i := range failed {
		if failed[i] != nil {
			all = errors.Join(all, fmt.Errorf("%s: %w", filepath.Base(s.cfg.Files[i]), failed[i]))
		}
		size += s.report.Files[i].Size
	}
	s.judge(all, "files are stored, and proven by several nodes", "%d orders, %.1f MiB, each proven by at least %d of %d nodes", len(failed), float64(size)/(1<<20), wanted, len(s.net.Storage))
	if all != nil {
		return errors.New("without the files there is nothing more to show")
	}
	return s.awaitFinal(ctx)
}

// add runs crust file add, and calls ordered once the order is in the chain.
func (s *show) add(ctx context.Context, path string, f *File, ordered func()) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := s.command(ctx, "file", "add", path, "--suri", user, "--yes", "--wait", "inblock", "--replicas", fmt.Sprint(wanted), "--json")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	f.Path = path
	for d := json.NewDecoder(out); ; {
		var line struct {
			CID, Stage string
			Size       uint64
			Live       int
		}
		if d.Decode(&line) != nil {
			break
		}
		ordered()
		if line.CID == "" {
			continue
		}
		if f.CID == "" {
			s.say("%s is ordered as %s", filepath.Base(path), line.CID)
		}
		f.CID, f.Size = line.CID, line.Size
		if strings.HasPrefix(line.Stage, "reported") || strings.HasPrefix(line.Stage, "live") {
			s.say("%s: %s, %d proven", filepath.Base(path), line.Stage, line.Live)
		}
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, lastLine(errs.String()))
	}
	return nil
}

// awaitFinal waits until all nodes have finalised what the first says of the files.
func (s *show) awaitFinal(ctx context.Context) error {
	number, err := s.number(ctx, 0, "chain_getHeader")
	if err != nil {
		return err
	}
	for i := range s.net.Validators {
		if err := s.finalAbove(ctx, i, number); err != nil {
			s.claim(false, "every validator has it final", "%s: %v", s.net.Validators[i].Name, err)
			return nil
		}
	}
	s.claim(true, "every validator has it final", "block %d on all %d", number, len(s.net.Validators))
	return nil
}

// finalAbove waits until a validator has a block final.
func (s *show) finalAbove(ctx context.Context, i int, number uint64) error {
	return until(ctx, func(ctx context.Context) (bool, error) {
		n, err := s.number(ctx, i, "chain_getFinalizedHead")
		return n >= number, err
	})
}

// number is that of the best block of a validator, or of its last final one.
func (s *show) number(ctx context.Context, i int, method string) (uint64, error) {
	url := "http" + strings.TrimPrefix(s.net.Validators[i].RPC, "ws")
	var hash string
	var header struct{ Number string }
	params := "[]"
	if method == "chain_getFinalizedHead" {
		if err := rpc(ctx, url, method, params, &hash); err != nil {
			return 0, err
		}
		params = fmt.Sprintf("[%q]", hash)
	}
	if err := rpc(ctx, url, "chain_getHeader", params, &header); err != nil {
		return 0, err
	}
	var n uint64
	_, err := fmt.Sscanf(header.Number, "0x%x", &n)
	return n, err
}

func rpc(ctx context.Context, url, method, params string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer := struct{ Result any }{into}
	return json.NewDecoder(resp.Body).Decode(&answer)
}

// provenSpace is less than what a storage node of the network proves when its free space
// counts, which it does from its third slot on; a small file may count before.
const provenSpace = 64 << 20

// limits looks at what stake the proven storage allows.
func (s *show) limits(ctx context.Context) error {
	for i := range s.net.Storage {
		owner := s.net.Storage[i].Owner
		var limit struct {
			Workload     string `json:"workload"`
			FromWorkload string `json:"from_workload"`
		}
		err := until(ctx, func(ctx context.Context) (bool, error) {
			err := s.crust(ctx, &limit, "call", "StakingApi", "stake_limit", address(owner))
			n, _ := strconv.ParseUint(limit.Workload, 10, 64) // none before the first recount
			return n >= provenSpace && len(limit.FromWorkload) > 1, err
		})
		s.judge(err, "the owner of "+s.net.Storage[i].Name+" may stake by what it proves", "%s bytes proven allow %s plancks of stake; none did at genesis", limit.Workload, limit.FromWorkload)
	}
	return nil
}

func address(a types.AccountID) string { return ss58.Encode(ss58.CrustPrefix, a) }

// fetch fetches every file from every storage node, one way and the other, and compares.
func (s *show) fetch(ctx context.Context) error {
	for _, way := range []string{"Bitswap", "HTTP"} {
		var failed error
		n := 0
		for i, f := range s.report.Files {
			node := s.net.Storage[(i+1)%len(s.net.Storage)]
			args := []string{"--from", node.Swarm[0]}
			if way == "HTTP" {
				args = []string{"--gateway", node.Gateway}
			}
			if err := s.get(ctx, f, fmt.Sprintf("%s-%d", way, i), args...); err != nil {
				failed = errors.Join(failed, fmt.Errorf("%s from %s: %w", filepath.Base(f.Path), node.Name, err))
				continue
			}
			n++
		}
		s.judge(failed, "files come back by "+way+" from nodes that hold them, the same to the byte", "%d fetched and compared", n)
	}
	return nil
}

// get fetches a file and compares it with what was stored.
func (s *show) get(ctx context.Context, f File, name string, args ...string) error {
	out := filepath.Join(s.cfg.BasePath, "fetched", name)
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	if err := s.crust(ctx, nil, append([]string{"file", "get", f.CID, "-o", out}, args...)...); err != nil {
		return err
	}
	if err := same(f.Path, out); err != nil {
		return err
	}
	return os.RemoveAll(out)
}

// prove exports a proof of each order and checks it without the network.
func (s *show) prove(ctx context.Context) error {
	var failed error
	var size int64
	least := uint64(1 << 32)
	for i, f := range s.report.Files {
		path := filepath.Join(s.cfg.BasePath, fmt.Sprintf("file-%d.proof", i))
		err := s.crust(ctx, nil, "file", "proof", f.CID, "-o", path, "--chain", s.net.ChainSpec)
		var said struct {
			Live uint64 `json:"live"`
		}
		if err == nil {
			err = s.crust(ctx, &said, "file", "verify-proof", path, "--chain", s.net.ChainSpec)
		}
		if err == nil {
			err = tampered(ctx, s, path)
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", filepath.Base(f.Path), err))
			continue
		}
		if info, err := os.Stat(path); err == nil {
			size = max(size, info.Size())
		}
		least = min(least, said.Live)
	}
	s.judge(failed, "anybody can check offline that the files are held", "%d proofs of at most %d bytes, at least %d live replicas; one flipped bit is refused", len(s.report.Files), size, least)
	return nil
}

// tampered checks that a proof of which one bit was flipped is refused.
func tampered(ctx context.Context, s *show, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	bad := path + ".bad"
	if err := os.WriteFile(bad, b, 0o644); err != nil {
		return err
	}
	defer os.Remove(bad)
	if s.crust(ctx, nil, "file", "verify-proof", bad, "--chain", s.net.ChainSpec) == nil {
		return errors.New("a proof with a flipped bit was taken")
	}
	return nil
}

// pay waits for the rewards of everybody.
func (s *show) pay(ctx context.Context) error {
	s.say("waiting for rewards: those who store are paid when their group is 120 blocks old, those who stake after two eras")
	var failed error
	var earned []string
	for i := range s.net.Storage {
		var m struct{ Unpaid string }
		err := until(ctx, func(ctx context.Context) (bool, error) {
			err := s.crust(ctx, &m, "merchant", "income", address(s.net.Storage[i].Owner))
			return m.Unpaid != "0" && m.Unpaid != "", err
		})
		failed = errors.Join(failed, err)
		earned = append(earned, m.Unpaid)
	}
	s.judge(failed, "those who store are paid", "%s plancks booked to the owners of the storage nodes", strings.Join(earned, ", "))

	paid := map[string]bool{}
	err := until(ctx, func(ctx context.Context) (bool, error) {
		var outcome struct {
			Events []struct {
				Event  string
				Fields json.RawMessage
			}
		}
		if err := s.crust(ctx, &outcome, "validator", "payout", validator, "--suri", user, "--wait", "inblock", "--yes"); err != nil {
			return false, err
		}
		for _, e := range outcome.Events {
			if e.Event != "Staking.Reward" {
				continue
			}
			for _, who := range []string{validator, guarantor} {
				if account, err := devnet.AccountOf(who); err == nil && bytes.Contains(e.Fields, []byte(address(account))) {
					paid[who] = true
				}
			}
		}
		return len(paid) == 2, nil
	})
	s.judge(err, "validator and guarantor are paid", "%s and its guarantor %s", validator, guarantor)
	return nil
}

// pinned waits until what the gateway was given is pinned, and reads it there.
func (s *show) pinned(ctx context.Context) error {
	err := until(ctx, func(ctx context.Context) (bool, error) {
		var list struct{ Count int }
		err := s.gateway(ctx, http.MethodGet, "/psa/pins?status=pinned", "", nil, &list)
		return list.Count > 0, err
	})
	s.judge(err, "a user without a node pins through the gateway", "queued, pinning, pinned by %s", s.net.Gateways[0].PSA)
	return nil
}

// kill kills a storage node and a validator, and looks whether anything is missed.
func (s *show) kill(ctx context.Context) error {
	dead, other := &s.net.Storage[len(s.net.Storage)-1], &s.net.Validators[len(s.net.Validators)-1]
	for _, p := range []*devnet.Process{&dead.Process, &other.Process} {
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	s.say("killed %s and %s", dead.Name, other.Name)
	before, err := s.number(ctx, 0, "chain_getFinalizedHead")
	if err != nil {
		return err
	}
	err = s.finalAbove(ctx, 0, before+5)
	s.judge(err, "finality goes on without "+other.Name, "block %d is final, %d was when it was killed", before+5, before)
	var failed error
	for i, f := range s.report.Files {
		if err := s.get(ctx, f, fmt.Sprintf("after-%d", i)); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", filepath.Base(f.Path), err))
		}
	}
	s.judge(failed, "every file still comes back without "+dead.Name, "%d fetched from the nodes that the chain names, and compared", len(s.report.Files))
	return nil
}
