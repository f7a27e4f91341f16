package devnet

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crustgo/crust/tee/dev"
	"github.com/crustgo/crust/test/program"
)

// patience is how long anything in these tests may take before they fail.
const patience = 90 * time.Second

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }

// network is a `crust devnet` that runs.
type network struct {
	*File
	cmd  *exec.Cmd
	done chan error
	out  *bytes.Buffer // to be read after done
}

// run starts `crust devnet` and waits until it is ready.
func run(t *testing.T, dir string, args ...string) *network {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, FileName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	n := &network{cmd: exec.Command(program.Path(), append([]string{"devnet", "-d", dir}, args...)...), done: make(chan error, 1), out: new(bytes.Buffer)}
	n.cmd.Stdout, n.cmd.Stderr = n.out, n.out
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { n.done <- n.cmd.Wait() }()
	t.Cleanup(func() { _ = n.cmd.Process.Kill() })
	for end := time.Now().Add(patience); ; {
		var err error
		if n.File, err = Load(dir); err == nil {
			return n
		}
		select {
		case err := <-n.done:
			t.Fatalf("the network ended: %v\n%s", err, n.out)
		case <-time.After(pollInterval):
		}
		if time.Now().After(end) {
			t.Fatalf("the network is not ready: %v", err)
		}
	}
}

// stop stops the network as Ctrl-C does.
func (n *network) stop(t *testing.T) {
	t.Helper()
	if err := n.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	n.ended(t)
}

func (n *network) ended(t *testing.T) {
	t.Helper()
	select {
	case err := <-n.done:
		if n.cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
			return
		}
		if err != nil {
			t.Fatalf("the network ended with %v\n%s", err, n.out)
		}
	case <-time.After(patience):
		t.Fatal("the network does not stop")
	}
}

// finalAbove waits until all nodes have a final block above a number, and returns
// the lowest that they have.
func (n *network) finalAbove(t *testing.T, number uint32) uint32 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	lowest := ^uint32(0)
	for _, v := range n.Validators {
		for {
			genesis, final, err := probe(ctx, v.RPC)
			if err == nil && genesis != n.GenesisHash {
				t.Fatalf("%s is of the chain %s", v.Name, genesis)
			}
			if err == nil && final > number {
				lowest = min(lowest, final)
				break
			}
			select {
			case <-ctx.Done():
				log, _ := os.ReadFile(v.Log)
				t.Fatalf("%s has the final block %d (%v):\n%s", v.Name, final, err, log[max(0, len(log)-2000):])
			case <-time.After(pollInterval):
			}
		}
	}
	return lowest
}

// goneAfter waits until no process of the network is left.
func (n *network) goneAfter(t *testing.T, what string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(pollInterval) {
		left := ""
		for _, p := range n.processes() {
			if syscall.Kill(p.PID, 0) == nil && !zombie(p.PID) {
				left = p.Name
			}
		}
		if left == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s runs after %s", left, what)
		}
	}
}

// processes are all of the network's.
func (n *network) processes() (all []Process) {
	for _, v := range n.Validators {
		all = append(all, v.Process)
	}
	for _, s := range n.Storage {
		all = append(all, s.Process)
	}
	for _, g := range n.Gateways {
		all = append(all, g.Process)
	}
	return all
}

// zombie reports whether a process has ended and only waits to be noticed.
func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(b), ") Z ")
}

// TestNetwork starts a network, stops it, goes on with it, and lets it die.
func TestNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("runs processes")
	}
	dir := t.TempDir()
	base := fmt.Sprint(program.Ports(t, 6))
	n := run(t, dir, "--validators", "2", "--base-port", base)
	if len(n.Storage) != 2 || len(n.Gateways) != 1 || n.ReportSlotBlocks != 20 {
		t.Errorf("%d storage nodes, not one for each validator, and %d gateways", len(n.Storage), len(n.Gateways))
	}
	if len(n.Validators) != 2 || n.Validators[0].Name != "alice" || n.BlockSeconds != 1 || n.Accounts["user"] != "//User" {
		t.Errorf("%+v", n.File)
	}
	// Its authority is its own, and nobody else's: the storage nodes are registered by it.
	seed, err := os.ReadFile(filepath.Join(dir, AuthorityFile))
	if info, errMode := os.Stat(filepath.Join(dir, AuthorityFile)); err != nil || errMode != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the authority's seed: %v, %v", err, errMode)
	}
	if known := dev.DevelopmentSeed(); strings.TrimSpace(string(seed)) == hex.EncodeToString(known[:]) {
		t.Error("the network has the authority that everybody knows")
	}
	genesis, final := n.GenesisHash, n.finalAbove(t, 3)
	n.stop(t)
	n.goneAfter(t, "Ctrl-C")

	for want, args := range map[string][]string{
		"--storage is 3; each storage node is in the group of a validator": {"--validators", "2", "--storage", "3"},
		"holds a network of 2 storage nodes, not 1; use --storage 2":       {"--validators", "2", "--storage", "1"},
	} {
		out, err := exec.Command(program.Path(), append([]string{"devnet", "-d", dir, "--base-port", base}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	out, err := exec.Command(program.Path(), "devnet", "-d", dir, "--validators", "3", "--base-port", base).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "holds a network of 2 validators, not 3; use --validators 2, or another --base-path") {
		t.Errorf("another number of validators: %v\n%s", err, out)
	}

	n = run(t, dir, "--validators", "2", "--base-port", base)
	if n.GenesisHash != genesis {
		t.Errorf("genesis %s after the restart, %s before", n.GenesisHash, genesis)
	}
	if again := n.finalAbove(t, final); again <= final {
		t.Errorf("final block %d after the restart, %d before", again, final)
	}
	// The program dies; its nodes do not stay behind.
	if err := n.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	n.ended(t)
	n.goneAfter(t, "kill -9 of the program that started it")
}

// TestNodeEnds kills one node: the network says so and goes on.
func TestNodeEnds(t *testing.T) {
	if testing.Short() {
		t.Skip("runs processes")
	}
	n := run(t, t.TempDir(), "--storage", "0", "--gateways", "0", "--base-port", fmt.Sprint(program.Ports(t, 4)))
	final := n.finalAbove(t, 2)
	dead := n.Validators[3]
	if err := syscall.Kill(dead.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	n.Validators = n.Validators[:3]
	n.finalAbove(t, final+5)
	// It is started again by hand, and catches up.
	again := exec.Command(dead.Command[0], dead.Command[1:]...)
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = again.Process.Kill()
		_ = again.Wait()
	})
	n.Validators = append(n.Validators, dead)
	n.finalAbove(t, final+8)
	n.stop(t)
	if !strings.Contains(n.out.String(), "dave has stopped (signal: killed); the others go on.") {
		t.Errorf("the network said\n%s", n.out)
	}
}

// TestPortTaken says at once which process could not start, and why, and leaves none behind.
func TestPortTaken(t *testing.T) {
	if testing.Short() {
		t.Skip("runs processes")
	}
	base := program.Ports(t, 2)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+16)) // the interface of the storage node
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, program.Path(), "devnet", "-d", t.TempDir(), "--validators", "1", "--gateways", "0", "--base-port", fmt.Sprint(base)).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "storage-1 ended at its start") || !strings.Contains(string(out), "--api-port") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestValidate refuses what cannot be.
func TestValidate(t *testing.T) {
	for want, c := range map[string]Config{
		"--validators is 0":      {Validators: 0, BasePath: "x", BasePort: 9940},
		"--validators is 65":     {Validators: 65, BasePath: "x", BasePort: 9940},
		"--base-port 65530":      {Validators: 4, BasePath: "x", BasePort: 65530},
		"--base-port 0 leaves":   {Validators: 4, BasePath: "x"},
		"--storage is 5; each":   {Validators: 4, Storage: 5, BasePath: "x", BasePort: 9940},
		"--gateways is -1":       {Validators: 4, Gateways: -1, BasePath: "x", BasePort: 9940},
		"--base-path is empty; ": {Validators: 4, BasePort: 9940},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, not %q", c, err, want)
		}
	}
	if c := Default(); c.Validate() != nil {
		t.Errorf("the default: %v", c.Validate())
	}
}
