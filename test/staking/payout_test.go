package staking

import (
	"bytes"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crustgo/crust/client/metadata"
	"github.com/crustgo/crust/substrate/types"
	"github.com/crustgo/crust/test/program"
	"github.com/crustgo/crust/test/testnet"
)

// Each era is paid once when it has ended, by a command that nobody looks after; while its
// node is away it waits, and then pays what has gathered.
func TestAutomaticPayout(t *testing.T) {
	w := newWorld(t, network(1), testnet.Config{Others: 1})
	const alice, node = 0, 1
	url, err := w.Door(node)
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	cmd := exec.Command(program.Path(), "validator", "payout", "//Alice//stash", "--auto", "--suri-file", "-", "--url", url)
	cmd.Stdin = strings.NewReader("//User") // which can be read once
	out := &log{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			t.Logf("crust validator payout --auto:\n%s", out)
		}
	}()
	r := w.read(alice)
	// paid waits until this era is paid.
	paid := func(era types.EraIndex) {
		t.Helper()
		r.until(fmt.Sprintf("era %d to be paid", era), func(b *block) bool {
			select {
			case <-ended:
				t.Fatal("the command has ended")
			default:
			}
			return slices.Contains(w.claimed(r, b.Hash), era)
		})
	}
	paid(1)
	paid(2)
	if err := w.Nodes[node].Kill(); err != nil {
		t.Fatal(err)
	}
	out.await(t, "tries again")
	away := types.EraIndex(r.era(r.last.Hash))
	r.until("an era to end without the node", func(b *block) bool { return types.EraIndex(r.era(b.Hash)) > away })
	w.start(node)
	paid(away)
	paid(away + 1)
	claimed := w.claimed(r, r.last.Hash)
	for i, era := range claimed {
		if era != claimed[0]+types.EraIndex(i) {
			t.Errorf("paid eras %v", claimed)
		}
	}
	if n := w.nonce(r, "//User"); n == 0 || n > uint64(len(claimed)) {
		t.Errorf("%d transactions for eras %v", n, claimed)
	}
}

// claimed are the eras that Alice was paid for, at a block.
func (w *world) claimed(r *chainReader, at types.Hash) (eras []types.EraIndex) {
	w.t.Helper()
	list, _ := metadata.Get(r.value(at, "Staking", "Ledger", account(w.t, "//Alice")), "claimed_rewards")
	all, ok := list.(metadata.List)
	if !ok {
		w.t.Fatalf("claimed rewards: %v", list)
	}
	for _, v := range all {
		n, _ := v.(uint64)
		eras = append(eras, types.EraIndex(n))
	}
	return eras
}

// nonce is how many transactions an account has made.
func (w *world) nonce(r *chainReader, uri string) uint64 {
	w.t.Helper()
	v, _ := metadata.Get(r.value(r.last.Hash, "System", "Account", account(w.t, uri)), "nonce")
	n, _ := v.(uint64)
	return n
}

// log is what a process has written.
type log struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write adds to it.
func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String is all of it.
func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await waits until it says something.
func (l *log) await(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(l.String(), text); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not say %q:\n%s", text, l)
		}
	}
}
