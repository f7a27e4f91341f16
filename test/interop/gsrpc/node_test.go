package gsrpc

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	gsrpc "github.com/centrifuge/go-substrate-rpc-client/v4"
)

// logBuffer keeps the end of a process's output for the report of a failure.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const maxLog = 32 << 10

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	if extra := l.buf.Len() - maxLog; extra > 0 {
		l.buf.Next(extra)
	}
	return len(p), nil
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// startNode runs a development chain for the length of the test and connects.
func startNode(t *testing.T) *gsrpc.SubstrateAPI {
	t.Helper()
	bin := os.Getenv("CRUST_BIN")
	if bin == "" {
		bin = filepath.Join("..", "..", "..", "bin", "crust")
	}
	port := freePort(t)
	ctx, cancel := context.WithCancel(context.Background())
	log := &logBuffer{}
	cmd := exec.CommandContext(ctx, bin, "node", "--dev", "--tmp", "--rpc-port", fmt.Sprint(port), "--prometheus-port", "0")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = time.Minute
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-ended
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("the node stopped with status %d", code)
		}
		if t.Failed() {
			t.Logf("log of the node:\n%s", log)
		}
	})
	return connect(t, fmt.Sprintf("ws://127.0.0.1:%d", port), ended)
}

func connect(t *testing.T, url string, ended chan error) *gsrpc.SubstrateAPI {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		api, err := gsrpc.NewSubstrateAPI(url)
		if err == nil {
			t.Cleanup(api.Client.Close)
			return api
		}
		select {
		case exit := <-ended:
			ended <- exit
			t.Fatalf("the node ended: %v", exit)
		case <-time.After(200 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("connect to %s: %v", url, err)
		}
	}
}

// freePort finds a port below those that the system gives to connections. As in test/program, the
// last of its ten stays taken until the test ends, and whoever asks there gets others.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 10_000 + 10*rand.IntN(2200)
		held, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+9))
		if err != nil {
			continue
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			_ = held.Close()
			continue
		}
		_ = l.Close()
		t.Cleanup(func() { _ = held.Close() })
		return port
	}
	t.Fatal("there is no free port")
	return 0
}
