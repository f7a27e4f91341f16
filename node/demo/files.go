package demo

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// ownFiles makes the files that are stored if the user names none: nothing, one byte, a few
// megabytes, a large one that is mostly holes, and a directory of many.
func ownFiles(dir string) ([]string, error) {
	random := rand.NewChaCha8([32]byte{'d', 'e', 'm', 'o'})
	noise := func(n int) []byte {
		b := make([]byte, n)
		_, _ = random.Read(b) // never fails
		return b
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.MkdirAll(path("album"), 0o755); err != nil {
		return nil, err
	}
	for name, b := range map[string][]byte{"empty": nil, "one-byte": {'x'}, "five-megabytes": noise(5 << 20)} {
		if err := os.WriteFile(path(name), b, 0o644); err != nil {
			return nil, err
		}
	}
	for i := range 200 {
		if err := os.WriteFile(filepath.Join(path("album"), fmt.Sprintf("picture %03d.jpg", i)), noise(320<<10), 0o644); err != nil {
			return nil, err
		}
	}
	f, err := os.Create(path("sparse"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(256 << 20); err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(noise(1<<20), 100<<20); err != nil {
		return nil, err
	}
	return []string{path("empty"), path("one-byte"), path("five-megabytes"), path("sparse"), path("album")}, nil
}

// same reports how two files or directories differ; nil if they do not. Symbolic links of
// the first are left out, as they are when it is stored.
func same(a, b string) error {
	return filepath.WalkDir(a, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(a, at)
		if err != nil {
			return err
		}
		other := filepath.Join(b, rel)
		switch {
		case d.IsDir():
			info, err := os.Stat(other)
			if err == nil && !info.IsDir() {
				err = fmt.Errorf("%s is no directory", other)
			}
			return err
		case !d.Type().IsRegular():
			return nil
		}
		return sameBytes(at, other)
	})
}

func sameBytes(a, b string) error {
	x, err := os.Open(a)
	if err != nil {
		return err
	}
	defer x.Close()
	y, err := os.Open(b)
	if err != nil {
		return err
	}
	defer y.Close()
	const chunk = 1 << 20
	p, q := make([]byte, chunk), make([]byte, chunk)
	for {
		n, err1 := io.ReadFull(x, p)
		m, err2 := io.ReadFull(y, q)
		if n != m || !bytes.Equal(p[:n], q[:m]) {
			return fmt.Errorf("%s differs from what was stored", b)
		}
		if err1 != nil || err2 != nil {
			if err1 == io.EOF || err1 == io.ErrUnexpectedEOF {
				return nil
			}
			return err1
		}
	}
}
