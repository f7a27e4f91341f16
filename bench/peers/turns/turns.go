package turns

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"
)

// Ready is the first line: what the program was built from.
type Ready struct {
	Module  string `json:"module"`
	Version string `json:"version"`
}

// Turn is what one turn did and took.
type Turn struct {
	Work  int       `json:"work"` // transactions or blocks
	CPU   float64   `json:"cpuSeconds"`
	Wall  float64   `json:"wallSeconds"`
	Disk  int64     `json:"diskBytes,omitempty"`
	Times []float64 `json:"times,omitempty"` // seconds, of single pieces of the work
}

// Serve says that the program is ready, with the version of the module that it
// measures, and takes turns until its input ends.
func Serve(module string, turn func() (Turn, error)) error {
	ready := Ready{Module: module}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				ready.Version = m.Version
			}
		}
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(ready); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		t, err := turn()
		if err != nil {
			return err
		}
		if err := out.Encode(t); err != nil {
			return err
		}
	}
	return nil
}

// Measure is what f takes.
func Measure(f func() error) (Turn, error) {
	wall, cpu := time.Now(), CPU()
	err := f()
	return Turn{CPU: (CPU() - cpu).Seconds(), Wall: time.Since(wall).Seconds()}, err
}

// CPU is the CPU time that this process has used.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it takes no argument that could be wrong
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// DirBytes is what the files below a folder take.
func DirBytes(dir string) (sum int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // deleted meanwhile by a compaction
		}
		if info, err := d.Info(); err == nil {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// Exit ends the program, with the error's text if there is one.
func Exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
