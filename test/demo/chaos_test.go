package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crustgo/crust/node/devnet"
	"github.com/crustgo/crust/test/program"
)

// chaos is a network whose processes are killed and started again.
type chaos struct {
	t       *testing.T
	net     *devnet.File
	random  *rand.Rand
	started []*exec.Cmd // by hand, to be stopped in the end

	mu     sync.Mutex        // guards orders
	orders map[string]string // CID of what was acknowledged, and the file
}

// minutes is for how long: CRUST_CHAOS, or one.
func minutes(t *testing.T) time.Duration {
	text := os.Getenv("CRUST_CHAOS")
	if text == "" {
		return time.Minute
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("CRUST_CHAOS is %q, not a number of minutes", text)
	}
	return time.Duration(n) * time.Minute
}

// TestLongChaos kills processes of a network at random, again and again, while files are
// ordered and fetched and validators are elected. What was acknowledged has to be there in the
// end: every order, with replicas, and every byte of every file.
func TestLongChaos(t *testing.T) {
	program.Long(t)
	seed, _ := strconv.ParseUint(os.Getenv("SEED"), 10, 64)
	life := minutes(t)
	ctx, cancel := context.WithTimeout(t.Context(), life+12*time.Minute)
	defer cancel()
	dir := t.TempDir()
	network := exec.CommandContext(ctx, program.Path(), "devnet", "-d", dir, "--base-port", fmt.Sprint(program.Ports(t, 8)))
	network.Cancel = func() error { return network.Process.Signal(os.Interrupt) }
	network.WaitDelay = 30 * time.Second
	if err := network.Start(); err != nil {
		t.Fatal(err)
	}
	c := &chaos{t: t, random: rand.New(rand.NewPCG(seed, 1)), orders: map[string]string{}}
	t.Cleanup(func() {
		if t.Failed() {
			logs(t, dir)
		}
		for _, cmd := range c.started {
			_ = cmd.Process.Kill() // it may be dead
			_ = cmd.Wait()
		}
		cancel()
		_ = network.Wait() // killed processes are its news, not its failure
	})
	c.poll(ctx, "the network", func() (err error) {
		c.net, err = devnet.Load(dir)
		return err
	})

	end := time.Now().Add(life)
	var users sync.WaitGroup
	for i, user := range []string{"//User", "//Faucet"} {
		users.Add(1)
		go func() {
			defer users.Done()
			for n := 0; time.Now().Before(end) && ctx.Err() == nil; n++ {
				c.use(ctx, user, filepath.Join(dir, fmt.Sprintf("file-%d-%d", i, n)), byte(i), n)
			}
		}()
	}
	kills := 0
	for time.Now().Before(end) {
		c.kill(ctx)
		kills++
	}
	users.Wait()
	t.Logf("%d kills, %d orders acknowledged", kills, len(c.orders))
	if len(c.orders) == 0 {
		t.Fatal("no order was acknowledged: the test shows nothing")
	}
	c.settle(ctx)
}

// processes are all that may be killed. The first validator answers the users, whose
// commands would only fail without it.
func (c *chaos) processes() (all []*devnet.Process) {
	for i := range c.net.Validators[1:] {
		all = append(all, &c.net.Validators[i+1].Process)
	}
	for i := range c.net.Storage {
		all = append(all, &c.net.Storage[i].Process)
	}
	for i := range c.net.Gateways {
		all = append(all, &c.net.Gateways[i].Process)
	}
	return all
}

// kill kills a process, lets the others go on without it for a moment, and starts it again.
func (c *chaos) kill(ctx context.Context) {
	all := c.processes()
	p := all[c.random.IntN(len(all))]
	_ = syscall.Kill(p.PID, syscall.SIGKILL) // it may be dead already
	c.sleep(ctx, time.Duration(500+c.random.IntN(4000))*time.Millisecond)
	cmd := exec.Command(p.Command[0], p.Command[1:]...)
	log, err := os.OpenFile(p.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close() // the process has its own
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.started = append(c.started, cmd)
	p.PID = cmd.Process.Pid
	c.sleep(ctx, time.Duration(500+c.random.IntN(3000))*time.Millisecond)
}

func (c *chaos) sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// crust runs a command against the first validator.
func (c *chaos) crust(ctx context.Context, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program.Path(), args...)
	cmd.Env = append(os.Environ(), "CRUST_URL="+c.net.Validators[0].RPC)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("crust %s: %w: %s", strings.Join(args, " "), err, &errs)
	}
	return out, err
}

// use stores a file. Orders and fetches may fail while processes are dead; what was said
// to be stored is remembered.
func (c *chaos) use(ctx context.Context, user, path string, salt byte, n int) {
	content := make([]byte, 50_000+n*7919)
	r := rand.NewChaCha8([32]byte{salt, byte(n), byte(n >> 8)})
	_, _ = r.Read(content) // never fails
	if err := os.WriteFile(path, content, 0o644); err != nil {
		c.t.Error(err)
		return
	}
	out, err := c.crust(ctx, "file", "add", path, "--suri", user, "--yes", "--wait", "inblock", "--json")
	if err != nil {
		c.t.Log(err)
		c.sleep(ctx, time.Second)
		return
	}
	var last struct{ CID string }
	for d := json.NewDecoder(bytes.NewReader(out)); d.Decode(&last) == nil; {
	}
	if last.CID == "" {
		c.t.Errorf("no CID in what file add said: %s", out)
		return
	}
	c.mu.Lock()
	c.orders[last.CID] = path
	c.mu.Unlock()
}

// settle lets everything run again and looks whether all that was acknowledged is there.
func (c *chaos) settle(ctx context.Context) {
	var before uint64
	c.poll(ctx, "finality", func() error {
		out, err := c.crust(ctx, "query", "system", "number", "--json")
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(string(out)), `"`), 10, 64)
		switch {
		case err != nil:
			return err
		case before == 0:
			before = n
			return errors.New("the first look")
		case n < before+20:
			return fmt.Errorf("block %d after %d", n, before)
		}
		return nil
	})
	for cid, path := range c.orders {
		c.poll(ctx, "live replicas of "+cid, func() error {
			out, err := c.crust(ctx, "file", "status", cid, "--json")
			if err != nil {
				return err
			}
			var v struct{ Live int }
			if err := json.Unmarshal(out, &v); err != nil {
				return err
			}
			if v.Live == 0 {
				return fmt.Errorf("none is live: %s", out)
			}
			return nil
		})
		out := path + ".back"
		c.poll(ctx, "the bytes of "+cid, func() error {
			_ = os.Remove(out) // of an attempt before
			if _, err := c.crust(ctx, "file", "get", cid, "-o", out); err != nil {
				return err
			}
			a, errA := os.ReadFile(path)
			b, errB := os.ReadFile(out)
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				return fmt.Errorf("%v, %v, the same: %v", errA, errB, bytes.Equal(a, b))
			}
			return nil
		})
	}
}

// poll asks until there is no error any more.
func (c *chaos) poll(ctx context.Context, what string, ask func() error) {
	c.t.Helper()
	for end := time.Now().Add(4 * time.Minute); ; {
		err := ask()
		if err == nil {
			return
		}
		if ctx.Err() != nil || time.Now().After(end) {
			c.t.Fatalf("%s: %v", what, err)
		}
		c.sleep(ctx, 500*time.Millisecond)
	}
}
