package storage

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the system kill the child when this process is gone, and keeps
// signals of the terminal from it: it is stopped last.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
