package devnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/crustgo/crust/substrate/lifecycle"
)

// process is a running node.
type process struct {
	node *Process
	cmd  *exec.Cmd
	// life is the node's standard input: when it closes, because this process ends in
	// whatever way, the node stops by itself.
	life io.Closer
	log  *os.File
}

// start starts a node; its output is added to its log.
func start(n *Process) (*process, error) {
	if err := os.MkdirAll(filepath.Dir(n.Log), 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(n.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(n.Command[0], append(n.Command[1:len(n.Command):len(n.Command)], "--stop-with-stdin")...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C is for this process, which stops the nodes in order
	life, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", n.Name, err), log.Close())
	}
	n.PID = cmd.Process.Pid
	return &process{node: n, cmd: cmd, life: life, log: log}, nil
}

// watch waits for the node to end, and stops it when ctx ends.
func (p *process) watch(ctx context.Context) error {
	ended := make(chan error, 1)
	g := lifecycle.NewGroup(context.WithoutCancel(ctx), 0)
	g.Go("wait", func(context.Context) error {
		ended <- p.cmd.Wait()
		return nil
	})
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = p.stop(ended)
	}
	return errors.Join(err, g.Wait(), p.log.Close())
}

// stop asks the node to stop, and kills it if it does not.
func (p *process) stop(ended <-chan error) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended just now
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		_ = p.cmd.Process.Kill()
		<-ended
		return fmt.Errorf("%s did not stop within %v and was killed", p.node.Name, stopTimeout)
	}
}
