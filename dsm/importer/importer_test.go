package importer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/blockstore"
	"golang.org/x/crypto/chacha20"

	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

func openVault(t testing.TB) *vault.DB {
	t.Helper()
	db, err := vault.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func begin(t testing.TB, db *vault.DB) *vault.Import {
	t.Helper()
	i, err := db.Import(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return i
}

var plenty = Limits{Bytes: 1 << 40}

// random is the stream of bytes that kubo's tests make of a seed.
func random(seed string, n int64) io.Reader {
	key := sha256.Sum256([]byte(seed))
	c, err := chacha20.NewUnauthenticatedCipher(key[:], make([]byte, chacha20.NonceSize))
	if err != nil {
		panic(err)
	}
	return io.LimitReader(stream{c}, n)
}

type stream struct{ c *chacha20.Cipher }

func (s stream) Read(p []byte) (int, error) {
	clear(p)
	s.c.XORKeyStream(p, p)
	return len(p), nil
}

// The CIDs are those of kubo 0.43, test/cli/cid_profiles_test.go: at every length at
// which something changes, and one byte above it.
func TestFilesAsKubo(t *testing.T) {
	const k, m = 1 << 10, 1 << 20
	cases := []struct {
		profile Profile
		seed    string
		size    int64
		want    string
	}{
		{Kubo, "chunk-v0-seed", 256 * k, "QmWmRj3dFDZdb6ABvbmKhEL6TmPbAfBZ1t5BxsEyJrcZhE"},
		{Kubo, "chunk-v0-seed", 256*k + 1, "QmYyLxtzZyW22zpoVAtKANLRHpDjZtNeDjQdJrcQNWoRkJ"},
		{Kubo, "v0-seed", 174 * 256 * k, "QmUbBALi174SnogsUzLpYbD4xPiBSFANF4iztWCsHbMKh2"},
		{Kubo, "v0-seed", 174*256*k + 1, "QmV81WL765sC8DXsRhE5fJv2rwhS4icHRaf3J9Zk5FdRnW"},
		{UnixFS2025, "chunk-v1-seed", m, "bafkreiacndfy443ter6qr2tmbbdhadvxxheowwf75s6zehscklu6ezxmta"},
		{UnixFS2025, "chunk-v1-seed", m + 1, "bafybeigmix7t42i6jacydtquhet7srwvgpizfg7gjbq7627d35mjomtu64"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.seed, " ", c.size), func(t *testing.T) {
			db := openVault(t)
			into := begin(t, db)
			i := New(into, c.profile, plenty)
			e, err := i.File(t.Context(), "file", random(c.seed, c.size))
			if err != nil || e.Text != c.want {
				t.Fatalf("got %s, %v; want %s", e.Text, err, c.want)
			}
			if _, err := i.Finish(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			if size, err := into.Finish(t.Context(), e.CID, 1<<40); err != nil || size > e.Size || size < uint64(c.size) {
				t.Errorf("size %d of %d, %v", size, e.Size, err)
			}
		})
	}
}

// What --cid-version=1 makes, from kubo's test/sharness/t0040-add-and-cat.sh.
func TestVersion1AsKubo(t *testing.T) {
	i := New(begin(t, openVault(t)), KuboV1, plenty)
	for name, text := range map[string]string{"planets/mars.txt": "Hello Mars!\n", "planets/venus.txt": "Hello Venus!\n"} {
		if _, err := i.File(t.Context(), name, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := i.Finish(t.Context(), false)
	if err != nil || all[2].Text != "bafybeih7e5dmkyk25up5vxug4q3hrg2fxbzf23dfrac2fns5h7z4aa7ioi" || all[0].Text != "bafkreibmlvvgdyihetgocpof6xk64kjjzdeq2e4c7hqs3krdheosk4tgj4" {
		t.Errorf("got %+v, %v", all, err)
	}
}

// As above, from 1024 leaves of a MiB on.
func TestLongFilesAsKubo(t *testing.T) {
	skipUnlessLong(t)
	for size, want := range map[int64]string{
		1024 << 20:   "bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm",
		1024<<20 + 1: "bafybeibdsi225ugbkmpbdohnxioyab6jsqrmkts3twhpvfnzp77xtzpyhe",
	} {
		i := New(begin(t, openVault(t)), UnixFS2025, plenty)
		if e, err := i.File(t.Context(), "file", random("v1-2025-seed", size)); err != nil || e.Text != want {
			t.Errorf("got %s, %v; want %s", e.Text, err, want)
		}
	}
}

// Directories of the length at which they are sharded, and above it, from the same
// test of kubo's.
func TestDirectoriesAsKubo(t *testing.T) {
	cases := []struct {
		profile           Profile
		seed              string
		files, name, last int
		want              string
	}{
		{Kubo, "hamt-unixfs-v0-2015", 4096, 30, 30, "QmX5GtRk3TSSEHtdrykgqm4eqMEn3n2XhfkFAis5fjyZmN"},
		{Kubo, "hamt-unixfs-v0-2015", 4033, 31, 31, "QmeMiJzmhpJAUgynAcxTQYek5PPKgdv3qEvFsdV3XpVnvP"},
		{UnixFS2025, "hamt-unixfs-v1-2025", 4766, 11, 21, "bafybeic3h7rwruealwxkacabdy45jivq2crwz6bufb5ljwupn36gicplx4"},
		{UnixFS2025, "hamt-unixfs-v1-2025", 4766, 11, 22, "bafybeiegvuterwurhdtkikfhbxcldohmxp566vpjdofhzmnhv6o4freidu"},
	}
	const alphabet = "abcdefghijklmnopqrstuvwxyz01234567890-_"
	for _, c := range cases {
		t.Run(c.want, func(t *testing.T) {
			into := begin(t, openVault(t))
			i := New(into, c.profile, plenty)
			names := random(c.seed, 1<<20)
			for n := range c.files {
				name := make([]byte, c.name)
				if n == c.files-1 {
					name = make([]byte, c.last)
				}
				if _, err := io.ReadFull(names, name); err != nil {
					t.Fatal(err)
				}
				for k, b := range name {
					name[k] = alphabet[int(b)%len(alphabet)]
				}
				if _, err := i.File(t.Context(), "d/"+string(name), strings.NewReader("x")); err != nil {
					t.Fatal(err)
				}
			}
			all, err := i.Finish(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			d := all[len(all)-1]
			if d.Path != "d" || !d.Dir || d.Text != c.want || len(all) != c.files+1 {
				t.Fatalf("got %+v, want %s", d, c.want)
			}
			if _, err := into.Finish(t.Context(), d.CID, 1<<30); err != nil {
				t.Error(err)
			}
		})
	}
}

// A tree from kubo 0.43, test/sharness/t0040-add-and-cat.sh, in the order of its output.
func TestTreeAsKubo(t *testing.T) {
	add := func(p Profile) []string {
		i := New(begin(t, openVault(t)), p, plenty)
		for path, text := range map[string]string{"moons/jupiter/europa.txt": "Hello Europa!\n", "moons/saturn/titan.txt": "Hello Titan!\n",
			"moons/mercury.txt": "hey you are no moon!\n"} {
			if _, err := i.File(t.Context(), path, iotest.OneByteReader(strings.NewReader(text))); err != nil {
				t.Fatal(err)
			}
		}
		all, err := i.Finish(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, e := range all {
			lines = append(lines, e.Text+" "+e.Path)
		}
		return lines
	}
	want := []string{
		"Qmbjg7zWdqdMaK2BucPncJQDxiALExph5k3NkQv5RHpccu moons/jupiter/europa.txt",
		"QmS5mZddhFPLWFX3w6FzAy9QxyYkaxvUpsWCtZ3r7jub9J moons/jupiter",
		"QmRsTB5CpEUvDUpDgHCzb3VftZ139zrk9zs5ZcgYh9TMPJ moons/mercury.txt",
		"QmZzppb9WHn552rmRqpPfgU5FEiHH6gDwi3MrB9cTdPwdb moons/saturn/titan.txt",
		"QmaMagZT4rTE7Nonw8KGSK4oe1bh533yhZrCo1HihSG8FK moons/saturn",
		"QmbGoaQZm8kjYfCiN1aBsgwhqfUBGDYTrDb91Mz7Dvq81B moons",
	}
	if diff := cmp.Diff(want, add(Kubo)); diff != "" {
		t.Error(diff)
	}
	i := New(begin(t, openVault(t)), Kubo, plenty)
	if e, err := i.File(t.Context(), "f", strings.NewReader("")); err != nil || e.Text != "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH" {
		t.Errorf("the empty file is %s, %v", e.Text, err)
	}
	if err := i.Dir("e"); err != nil {
		t.Fatal(err)
	}
	all, err := i.Finish(t.Context(), true)
	if err != nil || len(all) != 3 || all[0].Text != "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn" || all[2].Path != "" {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestRefusals(t *testing.T) {
	ctx := t.Context()
	bad := []string{"", ".", "..", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\x00b", "a\xff", strings.Repeat("n", 256),
		strings.Repeat("d/", 65) + "f", strings.Repeat(strings.Repeat("n", 250)+"/", 17) + "f"}
	i := New(begin(t, openVault(t)), Kubo, plenty)
	for _, path := range bad {
		if _, err := i.File(ctx, path, strings.NewReader("x")); !errors.Is(err, ErrName) {
			t.Errorf("%.80q: %v", path, err)
		}
	}
	if _, err := i.File(ctx, "a/b", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"a/b", "a", "a/b/c"} {
		if _, err := i.File(ctx, path, strings.NewReader("x")); !errors.Is(err, ErrName) {
			t.Errorf("%q again: %v", path, err)
		}
	}
	i = New(begin(t, openVault(t)), Kubo, Limits{Bytes: 1 << 20})
	if _, err := i.File(ctx, "endless", zeros{}); !errors.Is(err, ErrTooMuch) {
		t.Errorf("an endless file: %v", err)
	}
	i = New(begin(t, openVault(t)), Kubo, Limits{Bytes: 1 << 20, Entries: 3})
	if _, err := i.File(ctx, "1/2/3/4", zeros{}); !errors.Is(err, ErrTooMuch) {
		t.Errorf("too many entries: %v", err)
	}
	i = New(begin(t, openVault(t)), Kubo, plenty)
	broken := errors.New("the line broke")
	if _, err := i.File(ctx, "f", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a broken stream: %v", err)
	}
	if _, err := i.File(ctx, "cut", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrUnexpectedEOF))); !errors.Is(err, ErrCut) {
		t.Errorf("a stream that was cut off: %v", err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := i.File(stopped, "g", counted(10<<20)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// zeros is an endless file that differs in each block.
type zeros struct{}

var nonce byte

func (zeros) Read(p []byte) (int, error) {
	nonce++
	for i := range p {
		p[i] = nonce
	}
	return len(p), nil
}

func counted(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

// archive makes a CAR.
func archive(t testing.TB, v2 bool, roots []cid.Cid, list ...blocks.Block) []byte {
	t.Helper()
	path := t.TempDir() + "/x.car"
	b, err := blockstore.OpenReadWrite(path, roots, blockstore.WriteAsCarV1(!v2))
	if err == nil {
		err = b.PutMany(t.Context(), list)
	}
	if err == nil {
		err = b.Finalize()
	}
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	r, err := car.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	data, err := r.DataReader()
	if err != nil {
		t.Fatal(err)
	}
	if v2 {
		return readFile(t, path)
	}
	_, _ = io.Copy(&out, data)
	return out.Bytes()
}

func rawBlock(t testing.TB, text string, prefix cid.Prefix) blocks.Block {
	t.Helper()
	c, err := prefix.Sum([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	b, err := blocks.NewBlockWithCid([]byte(text), c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var raw = cid.Prefix{Version: 1, Codec: cid.Raw, MhType: 0x12, MhLength: -1}

func TestCAR(t *testing.T) {
	ctx := t.Context()
	a, b := rawBlock(t, "a", raw), rawBlock(t, "b", raw)
	link := append([]byte{0x82}, cborLink(a.Cid())...)
	link = append(link, cborLink(b.Cid())...)
	parent := rawBlock(t, string(link), cid.Prefix{Version: 1, Codec: cid.DagCBOR, MhType: 0x12, MhLength: -1})
	for _, v2 := range []bool{false, true} {
		db := openVault(t)
		into := begin(t, db)
		roots, err := CAR(ctx, into, bytes.NewReader(archive(t, v2, []cid.Cid{parent.Cid()}, b, parent, a, rawBlock(t, "spare", raw))), plenty)
		if err != nil || len(roots) != 1 {
			t.Fatalf("%v, %v", roots, err)
		}
		if size, err := into.Finish(ctx, roots[0], 1<<20); err != nil || size != uint64(len(link)+2) {
			t.Errorf("size %d, %v", size, err)
		}
	}
}

func cborLink(c cid.Cid) []byte {
	b := append([]byte{0}, c.Bytes()...)
	return append([]byte{0xd8, 42, 0x58, byte(len(b))}, b...)
}

func TestCARRefused(t *testing.T) {
	a := rawBlock(t, strings.Repeat("a", 1000), raw)
	good := archive(t, false, []cid.Cid{a.Cid()}, a)
	forged := bytes.Replace(good, []byte("aaaa"), []byte("aaab"), 1)
	json := rawBlock(t, "{}", cid.Prefix{Version: 1, Codec: cid.DagJSON, MhType: 0x12, MhLength: -1})
	sha1 := rawBlock(t, "{}", cid.Prefix{Version: 1, Codec: cid.Raw, MhType: 0x11, MhLength: -1})
	large := rawBlock(t, strings.Repeat("x", dag.MaxBlock+1), raw)
	huge := append(bytes.Clone(good), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)
	cases := map[string]struct {
		data []byte
		want error
	}{
		"nothing":                   {nil, ErrCAR},
		"no archive":                {[]byte("hello world, this is no archive"), ErrCAR},
		"a header of 2^62 bytes":    {[]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f}, ErrCAR},
		"a section of 2^48 bytes":   {huge, ErrCAR},
		"cut off in a block":        {good[:len(good)-10], ErrCAR},
		"cut off in the header":     {good[:20], ErrCAR},
		"another block than said":   {forged, dag.ErrMismatch},
		"no root":                   {archive(t, false, nil, a), ErrCAR},
		"a root that is not stored": {archive(t, false, []cid.Cid{json.Cid()}, a), ErrCAR},
		"a codec that is not":       {archive(t, false, []cid.Cid{a.Cid()}, json), ErrCAR},
		"a hash that is not":        {archive(t, false, []cid.Cid{a.Cid()}, sha1), ErrCAR},
		"a block that is too large": {archive(t, false, []cid.Cid{a.Cid()}, large), dag.ErrLimit},
		"more than allowed":         {archive(t, false, []cid.Cid{a.Cid()}, a, rawBlock(t, strings.Repeat("b", 10_000), raw)), ErrTooMuch},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			limits := plenty
			if errors.Is(c.want, ErrTooMuch) {
				limits.Bytes = 5000
			}
			if _, err := CAR(t.Context(), begin(t, openVault(t)), bytes.NewReader(c.data), limits); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func FuzzCAR(f *testing.F) {
	a := rawBlock(f, "a", raw)
	f.Add(archive(f, false, []cid.Cid{a.Cid()}, a))
	f.Add(archive(f, true, []cid.Cid{a.Cid()}, a))
	db := openVault(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		into, err := db.Import(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = into.Close(context.WithoutCancel(t.Context())) }()
		roots, err := CAR(t.Context(), into, bytes.NewReader(b), Limits{Bytes: 1 << 20})
		if err != nil {
			return
		}
		for _, r := range roots {
			_, _ = into.Finish(t.Context(), r, 1<<20)
		}
	})
}

func BenchmarkFile(b *testing.B) {
	into := begin(b, openVault(b))
	data := make([]byte, 64<<20)
	_, _ = io.ReadFull(random("bench", int64(len(data))), data)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(into, Kubo, plenty).File(b.Context(), "f", bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkUpload imports a file of 128 MiB and waits until it is durable.
func BenchmarkUpload(b *testing.B) {
	db := openVault(b)
	data := make([]byte, 128<<20)
	_, _ = io.ReadFull(random("bench", int64(len(data))), data)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for n := byte(0); b.Loop(); n++ {
		for at := 0; at < len(data); at += 100 << 10 {
			data[at] = n // another file
		}
		into := begin(b, db)
		i := New(into, Kubo, plenty)
		_, err := i.File(b.Context(), "f", bytes.NewReader(data))
		if err != nil {
			b.Fatal(err)
		}
		all, err := i.Finish(b.Context(), false)
		if err != nil {
			b.Fatal(err)
		}
		if _, err = into.Finish(b.Context(), all[0].CID, plenty.Bytes); err == nil {
			err = into.Close(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
