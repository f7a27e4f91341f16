package keystore

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/crustgo/crust/substrate/crypto"
)

const (
	// maxFileBytes bounds a key file: 24 words, a path and a password fit well.
	maxFileBytes = 4096
	// newPrefix begins the names of files that are being written.
	newPrefix = ".new-"
)

// Open returns the store in a directory, which it makes if there is none. Files
// whose names are not those of session keys are left alone.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open keystore: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open keystore: %w", err)
	}
	s := NewMemory()
	s.dir = dir
	for _, f := range files {
		path := filepath.Join(dir, f.Name())
		if strings.HasPrefix(f.Name(), newPrefix) {
			// A crash left it; the secret was never handed out.
			if err := os.Remove(path); err != nil {
				return nil, fmt.Errorf("open keystore: %w", err)
			}
			continue
		}
		key, ok := parseName(f.Name())
		if !ok {
			continue
		}
		if s.pairs[key], err = readFile(path, key); err != nil {
			return nil, fmt.Errorf("open keystore: %s: %w", path, err)
		}
	}
	return s, nil
}

// fileName is the hexadecimal key type and public key.
func fileName(key id) string {
	return hex.EncodeToString([]byte(key.kind)) + hex.EncodeToString(key.public[:])
}

// parseName reads a file name. ok is false if it names no session key.
func parseName(name string) (key id, ok bool) {
	b, err := hex.DecodeString(name)
	if err != nil || len(b) != 4+PublicSize {
		return id{}, false
	}
	key = id{KeyType(b[:4]), [PublicSize]byte(b[4:])}
	_, err = key.kind.Scheme()
	return key, err == nil && fileName(key) == name
}

func readFile(path string, key id) (crypto.Pair, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := info.Mode(); !mode.IsRegular() {
		return nil, fmt.Errorf("it is not a regular file")
	} else if mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("other users may access the secret (mode %#o); make it private with chmod 600", mode.Perm())
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	return decodeFile(content, key)
}

// decodeFile returns the key pair of a file's content, checked against its name.
func decodeFile(content []byte, key id) (crypto.Pair, error) {
	var suri string
	if len(content) > maxFileBytes || json.Unmarshal(content, &suri) != nil || suri == "" {
		return nil, fmt.Errorf("the file must hold a JSON string with the secret, at most %d bytes", maxFileBytes)
	}
	pair, err := derive(key.kind, suri)
	if err != nil {
		return nil, err
	}
	if own := pair.Account(); own != key.public {
		return nil, fmt.Errorf("the secret belongs to the public key 0x%x, not to the one that names the file", own)
	}
	return pair, nil
}

// writeFile makes a key durable: it is complete under its name, or not there.
func writeFile(dir string, key id, suri string) (err error) {
	content, err := encodeFile(suri)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, newPrefix+"*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, fileName(key))); err != nil {
		return err
	}
	return errors.Join(f.Close(), syncDir(dir))
}

// encodeFile is the content of a file: a JSON string without escapes for HTML.
func encodeFile(suri string) ([]byte, error) {
	if !utf8.ValidString(suri) {
		return nil, errors.New("the secret is not UTF-8 text, which a JSON file cannot hold")
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(suri); err != nil {
		return nil, err
	}
	content := []byte(strings.TrimSuffix(b.String(), "\n"))
	if len(content) > maxFileBytes {
		return nil, fmt.Errorf("the secret takes more than %d bytes", maxFileBytes)
	}
	return content, nil
}

// syncDir makes a rename in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
