package bench

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/crustgo/crust/substrate/hash"
)

// CPU is the CPU time that this process has used, over all threads.
func CPU() time.Duration { return usage(syscall.RUSAGE_SELF) }

// familyCPU is that of this process and of its children that have ended.
func familyCPU() time.Duration { return usage(syscall.RUSAGE_SELF) + usage(syscall.RUSAGE_CHILDREN) }

func usage(who int) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
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

// cpuUncollected is the same without Go's collector: whether one of its runs falls into a
// short f is chance, and it may take as long as f.
func cpuUncollected(f func() error) (time.Duration, error) {
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	return cpuOf(f)
}

// machineTime is what all processors did since the machine started.
type machineTime struct {
	busy   time.Duration
	stolen time.Duration // by other guests of the same host
}

// readMachineTime reads it; nothing where the kernel does not tell.
func readMachineTime() (t machineTime) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return t
	}
	line, _, _ := strings.Cut(string(b), "\n")
	const user, idle, iowait, steal = 1, 4, 5, 8 // fields of the line
	for i, f := range strings.Fields(line) {
		ticks, _ := strconv.ParseInt(f, 10, 64) // the first field is a name
		switch d := time.Duration(ticks) * userTick; {
		case i == steal:
			t.stolen = d
		case i >= user && i < steal && i != idle && i != iowait:
			t.busy += d
		}
	}
	return t
}

// userTick is the unit of the kernel's times: USER_HZ is 100 on Linux.
const userTick = 10 * time.Millisecond

// hashSpeed is how many nanoseconds of CPU a BLAKE2b-256 of 500 bytes takes, to
// see whether a machine changed its speed meanwhile. It is the best of some rounds.
func hashSpeed() float64 {
	data := make([]byte, 500)
	const n = 20_000
	least := time.Duration(1<<63 - 1)
	for range 5 {
		start := CPU()
		for i := range n {
			data[0] = byte(i)
			hash.Blake2b256(data)
		}
		least = min(least, CPU()-start)
	}
	return float64(least) / n
}
