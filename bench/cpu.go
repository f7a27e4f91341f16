package bench

import (
	"syscall"
	"time"
)

// CPU is the CPU time that this process has used, over all threads.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it takes no argument that could be wrong
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuOf is the CPU time that f takes.
func cpuOf(f func() error) (time.Duration, error) {
	start := CPU()
	err := f()
	return CPU() - start, err
}
