package keystore

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/crustgo/crust/substrate/crypto"
)

// Alice's keys, as every Substrate chain knows them.
const (
	aliceSr = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
	aliceEd = "88dc3417d5058ec4b4503e0c12ea1a0a89be200fe98922423d4334014fa6b0ee"
)

func public(t testing.TB, s string) (p [32]byte) {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		t.Fatalf("bad key %s", s)
	}
	return [32]byte(b)
}

// stores runs a test on both kinds of store.
func stores(t *testing.T, f func(t *testing.T, s *Store)) {
	t.Run("memory", func(t *testing.T) { f(t, NewMemory()) })
	t.Run("directory", func(t *testing.T) { f(t, open(t, filepath.Join(t.TempDir(), "a", "keystore"))) })
}

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestInsert(t *testing.T) {
	stores(t, func(t *testing.T, s *Store) {
		ed, sr := public(t, aliceEd), public(t, aliceSr)
		for range 2 {
			if err := s.Insert(GRANDPA, "//Alice", ed[:]); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Insert(BABE, "//Alice", sr[:]); err != nil {
			t.Fatal(err)
		}
		if !s.Has(GRANDPA, ed) || !s.Has(BABE, sr) || s.Has(BABE, ed) || s.Has(ImOnline, sr) {
			t.Error("Has is wrong")
		}
		if keys := s.Public(GRANDPA); len(keys) != 1 || keys[0] != ed {
			t.Errorf("keys %x", keys)
		}
		if keys := s.Public(AuthorityDiscovery); len(keys) != 0 {
			t.Errorf("keys %x", keys)
		}
		for kind, key := range map[KeyType][32]byte{GRANDPA: ed, BABE: sr} {
			pair, ok := s.Pair(kind, key)
			if !ok {
				t.Fatalf("no %s pair", kind)
			}
			sig := pair.Sign([]byte("block"), nil)
			if !sig.Verify([]byte("block"), key) {
				t.Errorf("the %s signature does not verify", kind)
			}
		}
		if pair, _ := s.Pair(GRANDPA, ed); pair.Scheme() != crypto.Ed25519 {
			t.Error("grandpa key is not ed25519")
		}
	})
}

func TestInsertRefuses(t *testing.T) {
	sr := public(t, aliceSr)
	secret := "//Alice-which-is-secret"
	for name, c := range map[string]struct {
		kind   KeyType
		suri   string
		public []byte
		want   string
	}{
		"other public": {BABE, secret, sr[:], "the secret belongs to the public key 0x"},
		"short public": {BABE, "//Alice", sr[:31], "the secret belongs to the public key 0x" + aliceSr},
		"no public":    {BABE, "//Alice", nil, "not to 0x"},
		"type":         {"acco", "//Alice", sr[:], `key type "acco" is unknown: use gran, babe, imon or audi`},
		"uri":          {BABE, secret + " words that are no phrase", sr[:], "insert babe key"},
		"soft ed25519": {GRANDPA, "//Alice/soft", sr[:], "insert gran key"},
	} {
		t.Run(name, func(t *testing.T) {
			stores(t, func(t *testing.T, s *Store) {
				err := s.Insert(c.kind, c.suri, c.public)
				if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "which-is-secret") {
					t.Errorf("got %v, want %s", err, c.want)
				}
				if len(s.pairs) != 0 {
					t.Error("the key was kept")
				}
			})
		})
	}
}

func TestGenerate(t *testing.T) {
	stores(t, func(t *testing.T, s *Store) {
		first, err := s.Generate()
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.Generate()
		if err != nil {
			t.Fatal(err)
		}
		for i, kind := range []KeyType{"gran", "babe", "imon", "audi"} {
			a, b := [32]byte(first[i*32:]), [32]byte(second[i*32:])
			if a == b || !s.Has(kind, a) || !s.Has(kind, b) {
				t.Errorf("%s keys %x and %x", kind, a, b)
			}
			keys := s.Public(kind)
			if len(keys) != 2 || bytes.Compare(keys[0][:], keys[1][:]) >= 0 {
				t.Errorf("%s keys %x", kind, keys)
			}
		}
		if ok, err := s.HasSessionKeys(first[:]); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		first[127]++
		if ok, err := s.HasSessionKeys(first[:]); ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
		if _, err := s.HasSessionKeys(first[:127]); err == nil {
			t.Error("short keys were accepted")
		}
	})
}

// The layout is Substrate's, so that files can be copied from and to it.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ed := public(t, aliceEd)
	if err := s.Insert(GRANDPA, "//Alice", ed[:]); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "6772616e"+aliceEd)
	content, err := os.ReadFile(path)
	if err != nil || string(content) != `"//Alice"` {
		t.Fatalf("%s, %v", content, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	generated, err := s.Generate()
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 5 {
		t.Errorf("%v, %v", files, err)
	}
	again := open(t, dir)
	if !again.Has(GRANDPA, ed) || len(again.pairs) != 5 {
		t.Errorf("%d keys", len(again.pairs))
	}
	if ok, err := again.HasSessionKeys(generated[:]); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestOpenReadsWhatOthersWrite(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("62616265"+aliceSr, "\"bottom drive obey lake curtain smoke basket hold race lonely fit walk//Alice\"\n")
	write("61756469"+aliceSr, `"0xe5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a"`)
	write("61636363"+aliceSr, `"a key type that is not ours"`)
	write("README", "no key")
	write("62616265"+strings.ToUpper(aliceSr), "not how Substrate writes names")
	write(newPrefix+"123", `"half a sec`)
	s := open(t, dir)
	if !s.Has(BABE, public(t, aliceSr)) || !s.Has(AuthorityDiscovery, public(t, aliceSr)) || len(s.pairs) != 2 {
		t.Errorf("%d keys", len(s.pairs))
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 5 {
		t.Errorf("%v, %v", files, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"readable":   {`"//Alice"`, 0o644, "mode 0644); make it private with chmod 600"},
		"other key":  {`"//Bob-secret"`, 0o600, "the secret belongs to the public key 0x"},
		"not JSON":   {`//Alice-secret`, 0o600, "must hold a JSON string"},
		"empty":      {``, 0o600, "must hold a JSON string"},
		"no secret":  {`""`, 0o600, "must hold a JSON string"},
		"too long":   {`"` + strings.Repeat("a", maxFileBytes) + `"`, 0o600, "must hold a JSON string"},
		"wrong word": {`"bottom drive secret"`, 0o600, "62616265" + aliceSr},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "62616265"+aliceSr)
			if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "secret\"") {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	t.Run("directory in the place of a key", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "62616265"+aliceSr), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "regular file") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("file in the place of the directory", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "keystore")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil {
			t.Error("opened a file")
		}
	})
}

// What the file could not give back is refused, not stored.
func TestInsertNotText(t *testing.T) {
	const suri = "bottom drive obey lake curtain smoke basket hold race lonely fit walk///\xff"
	pair, err := crypto.ParseURI(suri, crypto.Sr25519)
	if err != nil {
		t.Skip("refused earlier: ", err)
	}
	key := pair.Account()
	s := open(t, t.TempDir())
	if err := s.Insert(BABE, suri, key[:]); err == nil || s.Has(BABE, key) {
		t.Errorf("got %v", err)
	}
}

// A key that cannot be made durable is not handed out.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Generate(); err == nil || len(s.pairs) != 0 {
		t.Errorf("%v, %d keys", err, len(s.pairs))
	}
}

func TestConcurrentUse(t *testing.T) {
	s := open(t, t.TempDir())
	ed := public(t, aliceEd)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := s.Insert(GRANDPA, "//Alice", ed[:]); err != nil {
				t.Error(err)
			}
			if _, err := s.Generate(); err != nil {
				t.Error(err)
			}
			for _, key := range s.Public(GRANDPA) {
				if _, ok := s.Pair(GRANDPA, key); !ok {
					t.Error("a listed key has no pair")
				}
			}
		})
	}
	wg.Wait()
	if keys := s.Public(GRANDPA); len(keys) != 5 {
		t.Errorf("%d keys", len(keys))
	}
}

func FuzzDecodeFile(f *testing.F) {
	key := id{BABE, public(f, aliceSr)}
	f.Add([]byte(`"//Alice"`))
	f.Add([]byte(`"bottom drive obey lake curtain smoke basket hold race lonely fit walk//Alice"`))
	f.Add([]byte(`"0xe5be"`))
	f.Fuzz(func(t *testing.T, content []byte) {
		if pair, err := decodeFile(content, key); err == nil && pair.Account() != key.public {
			t.Error("a wrong key was accepted")
		}
	})
}
