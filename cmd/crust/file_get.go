package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/dsm/engine"
	"github.com/crustgo/crust/dsm/importer"
	"github.com/crustgo/crust/dsm/vault"
	"github.com/crustgo/crust/mpow/dag"
)

// getFlags are the flags of `crust file get`.
type getFlags struct {
	out      string
	from     []string
	gateways []string
	timeout  time.Duration
}

// newFileGetCommand is `crust file get`.
func newFileGetCommand(g *globals) *cobra.Command {
	var f getFlags
	cmd := &cobra.Command{
		Use:   "get CID",
		Short: "Fetch a file or directory from the nodes that hold it, and check it",
		Long: `Fetch a file or directory, and check every block of it against the CID.

The chain tells which nodes hold the file and where they are; they are asked together, and whoever is nearest answers most. With --gateway the file comes over HTTP instead, from a gateway that need not be trusted; with --from, by Bitswap from a node that is named, and no chain is asked.`,
		Example: "  crust file get bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi -o photo.jpg\n  crust file get QmZ4tDuvesekSs4qM5ZBKpXiZGun7S2CYtEZRB3DYXkjGx --gateway http://127.0.0.1:8080",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.out == "" {
				f.out = args[0]
			}
			if _, err := os.Lstat(f.out); err == nil {
				return fmt.Errorf("%s is there already; name another file with -o", f.out)
			}
			return f.run(cmd, g, args[0])
		},
	}
	s := cmd.Flags()
	s.StringVarP(&f.out, "output", "o", "", "file or directory to write (default the CID)")
	s.StringArrayVar(&f.gateways, "gateway", nil, "HTTP gateway to fetch from; may be given several times, and then the next is asked if one fails")
	s.StringArrayVar(&f.from, "from", nil, "multiaddress of a node to fetch from, ending with /p2p/ and its peer id; may be given several times")
	s.DurationVar(&f.timeout, "timeout", 10*time.Minute, "how long it may take")
	return cmd
}

// fetched is what get tells.
type fetched struct {
	CID     string   `json:"cid"`
	Path    string   `json:"path"`
	Size    uint64   `json:"size"` // of the blocks, in bytes
	Seconds float64  `json:"seconds"`
	Sources []string `json:"sources"`
}

func (f *getFlags) run(cmd *cobra.Command, g *globals, text string) error {
	key, err := parseCID(text)
	if err != nil {
		return err
	}
	root, err := dag.Parse(key)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(cmd, "stopping; once more kills")
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	// Beside the output, so that large files meet the disk that they are for.
	dir, err := os.MkdirTemp(filepath.Dir(f.out), ".crust-get-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db, err := vault.Open(filepath.Join(dir, "blocks"))
	if err != nil {
		return err
	}
	defer db.Close()
	got := fetched{CID: text, Path: f.out}
	begin := time.Now()
	switch {
	case len(f.gateways) > 0:
		err = f.byHTTP(ctx, db, key, root, &got)
	case len(f.from) > 0:
		err = f.byBitswap(ctx, db, root, maxImport, f.from, &got)
	default:
		err = g.browse(cmd, func(_ context.Context, t *trader) error { return f.fromHolders(ctx, t, db, key, root, &got) })
	}
	if err != nil {
		return err
	}
	got.Seconds = time.Since(begin).Seconds()
	whole := filepath.Join(dir, "whole")
	if err := importer.Export(ctx, db, root, whole); err != nil {
		return err
	}
	if err := os.Rename(whole, f.out); err != nil {
		return err
	}
	if g.json {
		return g.print(cmd, got)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s in %.1f s, checked block by block, from %s\n", f.out, size(got.Size), got.Seconds, strings.Join(got.Sources, ", "))
	return nil
}

// fromHolders fetches from the nodes that the chain names.
func (f *getFlags) fromHolders(ctx context.Context, t *trader, db *vault.DB, key string, root dag.CID, got *fetched) error {
	file, err := t.known(ctx, key)
	if err != nil {
		return err
	}
	replicas, err := t.market.Replicas(ctx, key)
	if err != nil {
		return err
	}
	var addresses []string
	for _, r := range replicas {
		if r.Live {
			addresses = slices.Concat(dialable(&r), addresses) // what is proven first
		} else {
			addresses = append(addresses, dialable(&r)...)
		}
	}
	if len(addresses) == 0 {
		return fmt.Errorf("no node that holds %s says where it is; the file is %s. Name a node with --from, or a gateway with --gateway", key, file.Stage)
	}
	return f.byBitswap(ctx, db, root, file.Size, addresses[:min(len(addresses), engine.MaxOrigins)], got)
}

// byBitswap fetches from nodes.
func (f *getFlags) byBitswap(ctx context.Context, db *vault.DB, root dag.CID, limit uint64, addresses []string, got *fetched) error {
	origins, err := engine.Origins(addresses)
	if err != nil {
		return err
	}
	cfg := engine.Config{Store: db, Agent: "crust/" + version, Log: slog.New(slog.DiscardHandler)}
	if _, err := rand.Read(cfg.Key[:]); err != nil {
		return err
	}
	e, err := engine.Open(cfg)
	if err != nil {
		return err
	}
	defer e.Close()
	got.Sources = addresses
	got.Size, err = e.Fetch(ctx, engine.Job{Root: root, Limit: limit, Into: db, Origins: origins})
	return err
}

// byHTTP fetches an archive from the first gateway that gives one, and checks it.
func (f *getFlags) byHTTP(ctx context.Context, db *vault.DB, key string, root dag.CID, got *fetched) error {
	var failed error
	for _, gateway := range f.gateways {
		n, err := fromGateway(ctx, db, gateway, key, root)
		if err == nil {
			got.Size, got.Sources = n, []string{gateway}
			return nil
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", gateway, err))
	}
	return failed
}

func fromGateway(ctx context.Context, db *vault.DB, gateway, key string, root dag.CID) (n uint64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(gateway, "/")+"/ipfs/"+key+"?format=car", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept", "application/vnd.ipld.car; version=1; dups=n")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		why, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return 0, fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(why)))
	}
	into, err := db.Import(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, into.Close(context.WithoutCancel(ctx))) }()
	_, err = importer.CAR(ctx, into, resp.Body, importer.Limits{Bytes: maxImport})
	if errors.Is(err, importer.ErrCAR) {
		// Gateways begin to answer before they know whether they have every block.
		return 0, fmt.Errorf("the gateway does not have the whole file, or sends something else; try another one: %w", err)
	}
	if err != nil {
		return 0, err
	}
	return into.Finish(ctx, root, maxImport)
}
