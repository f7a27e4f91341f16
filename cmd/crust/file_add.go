package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/client/market"
	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/importer"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
	"github.com/crustgo/crust/substrate/lifecycle"
)

// addFlags are the flags of `crust file add`.
type addFlags struct {
	roleFlags
	tips     string
	swarm    []string
	public   []string
	basePath string
	replicas uint32
	only     bool
	cidV1    bool
}

// newFileAddCommand is `crust file add`.
func newFileAddCommand(g *globals) *cobra.Command {
	var f addFlags
	cmd := &cobra.Command{
		Use:   "add PATH",
		Short: "Store a file or directory: order it, and serve it until the network has it",
		Long: `Store a file or directory: its CID is made as kubo makes it, the price is said and, with --yes, the order placed. Then the command serves the file itself, until as many storage nodes as --replicas have proven that they hold it.

Other nodes fetch the file from --swarm-addr, which the order names. On a machine behind a router that takes an address that is reachable, and --public-addr if it is not the same.

The command may be stopped and begun again: what it has done is found again. A directory is stored with its hidden files, and without symbolic links, sockets and the like, which it says.`,
		Example: "  crust file add photo.jpg --suri-file key.txt --yes\n  crust file add ./site --replicas 3 --suri //User --yes\n  crust file add photo.jpg --only-hash",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, g, args[0])
		},
	}
	f.add(cmd)
	s := cmd.Flags()
	s.StringVar(&f.tips, "tips", "0", "amount given to those who store the file, on top of the price")
	s.StringArrayVar(&f.swarm, "swarm-addr", []string{"/ip4/127.0.0.1/tcp/0"}, "multiaddress to serve the file on; may be given several times")
	s.StringArrayVar(&f.public, "public-addr", nil, "multiaddress by which others reach this machine, if it is another; may be given several times")
	s.StringVarP(&f.basePath, "base-path", "d", "", "where the file's blocks are kept meanwhile (default a temporary directory)")
	s.Uint32Var(&f.replicas, "replicas", 1, "how many nodes have to have proven the file before this ends")
	s.BoolVar(&f.only, "only-hash", false, "say the CID and the size, and order nothing")
	s.BoolVar(&f.cidV1, "unixfs-2025", false, "make the CID by the profile unixfs-v1-2025 of other implementations, not by kubo's")
	return cmd
}

func (f *addFlags) run(cmd *cobra.Command, g *globals, path string) error {
	ctx, stop := untilSignal(cmd, "stopping; once more kills")
	defer stop()
	dir, cleanUp, err := workDir(f.basePath)
	if err != nil {
		return err
	}
	defer cleanUp()
	db, err := vault.Open(filepath.Join(dir, "blocks"))
	if err != nil {
		return err
	}
	defer db.Close()
	profile := importer.Kubo
	if f.cidV1 {
		profile = importer.UnixFS2025
	}
	added, err := importPath(ctx, cmd, db, profile, path)
	if err != nil {
		return err
	}
	if f.only {
		if g.json {
			return g.print(cmd, map[string]any{"cid": added.text, "size": added.size})
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s  %s (%d bytes)\n", added.text, size(added.size), added.size)
		return nil
	}
	err = g.trade(cmd, &f.roleFlags, func(ctx context.Context, t *trader) error {
		return f.store(ctx, t, db, added)
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("stopped; an order that was placed stands, and the same command serves %s again", added.text)
	}
	return err
}

// untilSignal has a command end in order when the user stops it, with what it made
// for a while removed.
func untilSignal(cmd *cobra.Command, say string) (context.Context, func()) {
	ctx, stop := lifecycle.Signals(cmd.Context(), func(os.Signal) { cmd.PrintErrln(say) })
	cmd.SetContext(ctx)
	return ctx, stop
}

// store orders what was imported and serves it until it is live.
func (f *addFlags) store(ctx context.Context, t *trader, db *vault.DB, a imported) error {
	key, err := parseCID(a.text)
	if err != nil {
		return err
	}
	if file, ok, err := t.market.File(ctx, key); err != nil || ok && file.Live >= max(f.replicas, 1) {
		if err == nil {
			t.say("%s is stored already: %s, %d live", a.text, file.Stage, file.Live)
		}
		return err
	}
	tips, err := t.tips(f.tips)
	if err != nil {
		return err
	}
	cfg := engine.Config{Listen: f.swarm, Public: f.public, Store: db, Agent: "crust/" + version, Log: slog.New(slog.DiscardHandler)}
	if _, err := rand.Read(cfg.Key[:]); err != nil {
		return err
	}
	e, err := engine.Open(cfg)
	if err != nil {
		return fmt.Errorf("%w; choose other addresses with --swarm-addr", err)
	}
	defer e.Close()
	memo := strings.Join(e.Addresses(), " ")
	if len(memo) > maxMemo {
		return fmt.Errorf("the node's addresses have %d bytes, an order has room for %d: give fewer with --swarm-addr", len(memo), maxMemo)
	}
	if err := t.order(ctx, key, a.size, tips, []byte(memo), market.Balance{}); err != nil {
		return err
	}
	t.say("Serving %s on %s until %s; keep this running.", a.text, strings.Join(e.Addresses(), ", "), counted(f.replicas, "replica is live", "replicas are live"))
	if err := t.watch(ctx, key, max(f.replicas, 1)); err != nil {
		return err
	}
	t.say("Stored. Fetch it with `crust file get %s -o FILE`, or any IPFS node.", a.text)
	return nil
}

// imported is a graph in a vault.
type imported struct {
	root dag.CID
	text string
	size uint64 // of its blocks, which is what an order needs
}

// maxImport bounds what is read of a path: what the market takes at most.
const maxImport = 8 << 30

// importPath imports a file or directory.
func importPath(ctx context.Context, cmd *cobra.Command, db *vault.DB, p importer.Profile, path string) (a imported, err error) {
	into, err := db.Import(ctx)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, into.Close(context.WithoutCancel(ctx))) }()
	i := importer.New(into, p, importer.Limits{Bytes: maxImport, Entries: 1 << 20})
	top := filepath.Base(filepath.Clean(path))
	if top == "." || top == ".." || top == string(filepath.Separator) {
		top = "files"
	}
	err = filepath.WalkDir(path, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(path, at)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(filepath.Join(top, rel))
		switch {
		case d.IsDir():
			return i.Dir(name)
		case !d.Type().IsRegular():
			cmd.PrintErrf("%s is no file and left out\n", at)
			return nil
		}
		file, err := os.Open(at)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = i.File(ctx, name, file)
		return err
	})
	if err != nil {
		return a, err
	}
	entries, err := i.Finish(ctx, false)
	if err != nil {
		return a, err
	}
	if len(entries) == 0 {
		return a, fmt.Errorf("%s is neither a file nor a directory", path)
	}
	last := entries[len(entries)-1]
	a.root, a.text = last.CID, last.Text
	a.size, err = into.Finish(ctx, a.root, maxImport)
	return a, err
}

// workDir is the directory that was named, or a temporary one that is removed in the end.
func workDir(named string) (dir string, cleanUp func(), err error) {
	if named != "" {
		return named, func() {}, os.MkdirAll(named, 0o700)
	}
	dir, err = os.MkdirTemp("", "crust-file-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// counted writes a number of things.
func counted(n uint32, one, many string) string {
	if n <= 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
