package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// dir is where the program is built; empty until then.
var dir string

// Path is where the program is. It panics if the program does not build: no test
// that needs it can go on.
var Path = sync.OnceValue(func() string {
	if name := os.Getenv("CRUST_BIN"); name != "" {
		return name
	}
	var err error
	if dir, err = os.MkdirTemp("", "crust-program-"); err != nil {
		panic(err)
	}
	name := filepath.Join(dir, "crust")
	if out, err := exec.Command("go", "build", "-o", name, "github.com/crustgo/crust/cmd/crust").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v\n%s", err, out))
	}
	return name
})

// Long skips a test that takes long, unless CRUST_LONG is set.
func Long(t testing.TB) {
	t.Helper()
	if os.Getenv("CRUST_LONG") == "" {
		t.Skip("CRUST_LONG is not set")
	}
}

// Main runs the tests of a package and removes the program after them.
func Main(m *testing.M) int {
	defer func() { _ = os.RemoveAll(dir) }() // nothing if dir is empty
	return m.Run()
}
