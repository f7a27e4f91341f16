package arch

import "strings"

// kind says which rules a package lives under.
type kind int

const (
	pure  kind = iota // values in, values out
	shell             // owns goroutines, clocks, disks and sockets
	tool              // tests, tools and checkers: free but for size and form
)

// rule is one line of the architecture's table.
type rule struct {
	prefix string   // package path, and everything below it
	kind   kind     // pure, shell or tool
	ours   []string // prefixes of our packages it may import, beside its own subtree
	thirds []string // third-party modules it may import
	// siblings: packages directly below prefix may import each other.
	siblings bool
}

// Groups of packages that appear in several lines.
var (
	base    = []string{"substrate/scale", "substrate/hash", "substrate/fixed", "substrate/ss58", "substrate/crypto", "substrate/types", "substrate/trie"}
	engines = []string{"substrate/protocol", "substrate/blocktree", "substrate/babe", "substrate/grandpa", "substrate/light", "substrate/txpool", "substrate/sync", "substrate/state", "substrate/chainspec"}
	shells  = []string{"substrate/chain", "substrate/store", "substrate/mempool", "substrate/p2p", "substrate/network", "substrate/author", "substrate/reporter", "substrate/voter", "substrate/rpc", "substrate/keystore", "substrate/lifecycle"}

	ipfs          = []string{"github.com/ipfs", "github.com/ipld", "github.com/libp2p", "github.com/multiformats"}
	observability = []string{"github.com/prometheus/client_golang", "golang.org/x/sync"}
)

// forShell returns what a shell package of substrate may import: anything of
// substrate but pallets, the framework's binding excepted.
func forShell() []string { return join(base, engines, shells, []string{"substrate/frame"}) }

// rules is the table. The longest matching prefix applies.
var rules = []rule{
	{prefix: "substrate/scale"},
	{prefix: "substrate/hash", thirds: []string{"github.com/cespare/xxhash/v2", "golang.org/x/crypto", "golang.org/x/sys"}},
	{prefix: "substrate/fixed", ours: []string{"substrate/scale"}},
	{prefix: "substrate/ss58", ours: []string{"substrate/hash"}, thirds: []string{"github.com/mr-tron/base58"}},
	{prefix: "substrate/crypto", siblings: true, ours: []string{"substrate/scale", "substrate/hash", "substrate/fixed", "substrate/ss58"},
		thirds: []string{"github.com/oasisprotocol/curve25519-voi", "github.com/decred/dcrd/dcrec/secp256k1/v4", "golang.org/x/crypto"}},
	{prefix: "substrate/types", ours: []string{"substrate/scale", "substrate/hash", "substrate/fixed", "substrate/ss58", "substrate/crypto"}},
	{prefix: "substrate/trie", ours: []string{"substrate/scale", "substrate/hash", "substrate/types"}},
	{prefix: "substrate/frame", ours: join(base, []string{"substrate/state"})},
	{prefix: "substrate/frame/frametest", kind: tool, ours: []string{"substrate"}, thirds: []string{"pgregory.net/rapid", "github.com/google/go-cmp"}},
	{prefix: "substrate/pallets", siblings: true, ours: join(base, engines, []string{"substrate/frame"})},
	{prefix: "substrate/protocol", ours: base, thirds: []string{"google.golang.org/protobuf"}},
	{prefix: "substrate/blocktree", ours: base},
	{prefix: "substrate/babe", ours: base},
	{prefix: "substrate/grandpa", ours: join(base, []string{"substrate/blocktree"})},
	{prefix: "substrate/light", ours: join(base, engines)},
	{prefix: "substrate/txpool", ours: join(base, engines)},
	{prefix: "substrate/sync", ours: join(base, engines)},
	{prefix: "substrate/state", ours: base},
	{prefix: "substrate/chainspec", ours: join(base, engines)},

	{prefix: "substrate/scenario", kind: tool},

	{prefix: "substrate/lifecycle", kind: shell, thirds: observability},
	{prefix: "substrate/keystore", kind: shell, ours: join(base, []string{"substrate/lifecycle"}), thirds: []string{"golang.org/x/crypto"}},
	{prefix: "substrate/store", kind: shell, ours: join(base, engines, []string{"substrate/lifecycle"}), thirds: join(observability, []string{"github.com/cockroachdb/pebble/v2"})},
	{prefix: "substrate/chain", kind: shell, ours: forShell(), thirds: observability},
	{prefix: "substrate/mempool", kind: shell, ours: forShell(), thirds: observability},
	{prefix: "substrate/p2p", kind: shell, ours: forShell(), thirds: join(observability, []string{"github.com/libp2p", "github.com/multiformats"})},
	{prefix: "substrate/network", kind: shell, ours: forShell(), thirds: observability},
	{prefix: "substrate/author", kind: shell, ours: forShell(), thirds: observability},
	{prefix: "substrate/reporter", kind: shell, ours: forShell(), thirds: observability},
	{prefix: "substrate/voter", kind: shell, ours: forShell(), thirds: observability},
	{prefix: "substrate/rpc", kind: shell, ours: forShell(), thirds: join(observability, []string{"github.com/coder/websocket"})},
	{prefix: "substrate/example/notary", ours: join(base, []string{"substrate/frame"})},
	{prefix: "substrate/example", kind: shell, ours: []string{"substrate"}, thirds: observability},

	{prefix: "tee", siblings: true, ours: base},
	{prefix: "tee/teetest", kind: tool, ours: []string{"tee"}},
	{prefix: "mpow", siblings: true, ours: []string{"substrate", "tee"}},
	{prefix: "mpow/enclave", kind: shell, ours: []string{"substrate", "mpow/trusted"}},
	{prefix: "mpow/worker", kind: shell, ours: []string{"substrate", "mpow", "client"}, thirds: join(observability, []string{"github.com/cockroachdb/pebble/v2"})},
	{prefix: "mpow/worker/slots", ours: []string{"substrate", "mpow/proof"}},
	{prefix: "mpow/prooftest", kind: tool, ours: []string{"substrate", "mpow/proof"}},
	{prefix: "gpos", siblings: true, ours: []string{"substrate"}},
	{prefix: "dsm", siblings: true, ours: []string{"substrate", "mpow/dag"}}, // what names a file is the same to all
	{prefix: "dsm/indexer", kind: shell, ours: []string{"substrate", "client"}, thirds: []string{"github.com/cockroachdb/pebble/v2"}},
	{prefix: "dsm/vault", kind: shell, ours: []string{"substrate", "mpow/dag"}, thirds: []string{"github.com/cockroachdb/pebble/v2"}},
	{prefix: "dsm/engine", kind: shell, ours: []string{"substrate", "mpow/dag", "dsm/vault"}, thirds: join(observability, ipfs, []string{"golang.org/x/time", "github.com/quic-go/quic-go", "google.golang.org/protobuf"})},
	{prefix: "dsm/routing", kind: shell, ours: []string{"substrate", "mpow/dag"}, thirds: join(observability, ipfs, []string{"github.com/cockroachdb/pebble/v2"})},
	{prefix: "dsm/importer", kind: shell, ours: []string{"substrate", "mpow/dag", "dsm/vault", "dsm/engine"}, thirds: ipfs},
	{prefix: "dsm/pinning", kind: shell, ours: []string{"substrate", "mpow/dag", "dsm", "client"}, thirds: join(observability, ipfs, []string{"github.com/cockroachdb/pebble/v2"})},
	{prefix: "dsm/gateway", kind: shell, ours: []string{"substrate", "mpow/dag", "dsm"}, thirds: join(observability, ipfs)},
	{prefix: "substrate/queryview", siblings: true, ours: base},
	{prefix: "substrate/queryview/queryviewtest", kind: tool, ours: []string{"substrate"}, thirds: []string{"github.com/tetratelabs/wazero", "pgregory.net/rapid", "github.com/google/go-cmp"}},
	{prefix: "runtime", ours: join(base, engines, []string{"substrate/frame", "substrate/pallets", "substrate/queryview", "tee", "mpow", "gpos", "dsm"})},
	{prefix: "client", kind: shell, siblings: true, ours: join(base, engines, []string{"substrate/frame/metadata", "substrate/lifecycle", "substrate/rpc/jsonrpc/wire", "substrate/rpc/jsonrpc/wsconn"}), thirds: join(observability, []string{"github.com/coder/websocket"})},
	{prefix: "node", kind: shell, siblings: true, ours: []string{"substrate", "runtime", "client", "tee", "mpow", "gpos", "dsm", "console"},
		thirds: join(observability, []string{"github.com/pelletier/go-toml/v2", "github.com/lmittmann/tint", "github.com/pbnjay/memory"})},
	{prefix: "cmd", kind: shell, ours: []string{"node", "substrate", "runtime", "client", "tee", "mpow", "gpos", "dsm", "internal"},
		thirds: join(observability, []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/lmittmann/tint", "github.com/pelletier/go-toml/v2", "github.com/vbauerster/mpb/v8", "golang.org/x/term"})},
	{prefix: "internal", kind: tool, ours: []string{"."}, thirds: []string{"pgregory.net/rapid", "github.com/google/go-cmp"}},
	{prefix: "test", kind: tool, ours: []string{"."}, thirds: []string{"github.com/coder/websocket", "github.com/libp2p", "github.com/prometheus/client_golang"}},
	{prefix: "bench", kind: tool, ours: []string{"."}, thirds: []string{"github.com/oasisprotocol/curve25519-voi"}},
}

// testThirds is what test files may import beside what their package may.
var testThirds = []string{"pgregory.net/rapid", "github.com/google/go-cmp", "github.com/rogpeppe/go-internal", "github.com/tetratelabs/wazero", "golang.org/x/crypto"}

// mayReflect lists the pure packages that describe or bind Go types once, at start.
// Others only name types to them, with reflect.TypeFor.
var mayReflect = []string{"substrate/scale", "substrate/fixed", "substrate/frame"}

// mayAtomic lists the pure packages whose immutable values are shared by threads
// and keep what they loaded or computed: a cache that no result depends on.
var mayAtomic = []string{"substrate/trie"}

// mayFloat lists the files of pure code that compute in float64: the threshold
// below which a slot claim wins is defined so.
var mayFloat = []string{"substrate/babe/threshold.go", "substrate/babe/pow.go"}

// mayGo lists the packages that own goroutines: everybody else asks them.
var mayGo = []string{"substrate/lifecycle"}

// mayRest lists packages that are for others to import: the public library, the
// verification that needs no node, and the example that shows how.
var mayRest = []string{"client", "substrate/light", "substrate/example"}

// pureStd lists the packages of the standard library that pure code may import;
// an entry covers the packages below it only when it ends in a slash.
var pureStd = []string{
	"bytes", "cmp", "container/", "embed", "encoding", "encoding/", "errors", "fmt", "hash", "hash/",
	"io", "iter", "maps", "math", "math/big", "math/bits", "slices", "sort", "strconv", "strings",
	"unicode", "unicode/", "unsafe",
	"crypto", "crypto/aes", "crypto/cipher", "crypto/ecdsa", "crypto/ed25519", "crypto/elliptic",
	"crypto/hkdf", "crypto/hmac", "crypto/pbkdf2", "crypto/sha256", "crypto/sha3", "crypto/sha512", "crypto/subtle",
}

// Size budgets, in lines.
const (
	maxFileLines    = 800
	maxFuncLines    = 70
	maxPackageLines = 5000
)

// find returns the line of the table for a package.
func find(table []rule, path string) (rule, bool) {
	var best rule
	found := false
	for _, r := range table {
		if under(path, r.prefix) && (!found || len(r.prefix) > len(best.prefix)) {
			best, found = r, true
		}
	}
	return best, found
}

// under reports whether path is prefix or lies below it; "." covers everything.
func under(path, prefix string) bool {
	return prefix == "." || path == prefix || strings.HasPrefix(path, prefix+"/")
}

func underAny(path string, prefixes []string) bool {
	for _, p := range prefixes {
		if under(path, p) {
			return true
		}
	}
	return false
}

func join(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
