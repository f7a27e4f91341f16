package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/mpow/worker/disk"
	"github.com/crustgo/crust/node/storage"
)

// storageFlags are the flags of `crust storage`.
type storageFlags struct {
	secret              secretFlags
	nodeURL, basePath   string
	chain, srd, ca, log string
	tee, reserve        string
	name, owner         string
	disks               []string
	api, prometheus     uint16
	replace, withStdin  bool
	ipfs                ipfsFlags
}

// newStorageCommand is `crust storage`.
func newStorageCommand(g *globals) *cobra.Command {
	var f storageFlags
	cmd := &cobra.Command{
		Use:   "storage",
		Short: "Run a storage node",
		Long: `Run a storage node: it fills free space with sealed data, proves in every slot that the space is there, and seals files in its place.

It needs a chain node to talk to, and an account of its own with some money for fees. The first start registers the account's worker; to count for an owner, it joins the owner's group: with --owner, or later with ` + "`crust group join`" + `.

The base path holds the worker's keys and its index. Losing it loses all that is sealed; it belongs on a disk that can be trusted. Disks may be added at any start. A disk that is left out is lost: what it held is declared so.`,
		Example: `  crust storage --suri //Bob --srd 1GiB
  crust storage --suri-file member.key --base-path /var/lib/crust-storage --disk /mnt/a:3.5TiB --disk /mnt/b --srd 6TiB`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.nodeURL == "" {
				f.nodeURL = g.address()
			}
			return f.run(cmd)
		},
	}
	f.secret.add(cmd)
	s := cmd.Flags()
	s.StringVar(&f.nodeURL, "node-url", "", "address of the chain node's RPC; the same as --url")
	s.StringVarP(&f.basePath, "base-path", "d", "", "where the node keeps its keys and its index (default crust-storage in the user's data directory)")
	s.StringVar(&f.name, "name", "", "what the node calls itself in its log")
	s.StringVar(&f.owner, "owner", "", "account whose group to join, which it has allowed")
	s.StringVar(&f.chain, "chain", "dev", "dev, local, or the path of a chain spec: what a new worker is born for")
	s.StringArrayVar(&f.disks, "disk", nil, "directory for sealed data, and how much of it may be used: DIR or DIR:SIZE; may be given several times (default sealed in the base path)")
	s.StringVar(&f.reserve, "reserve", "1GiB", "how much of each file system stays free")
	s.StringVar(&f.srd, "srd", "0", "free space to prove, such as 500GiB; as far as the disks have it")
	s.Uint16Var(&f.api, "api-port", 12222, "port of the local interface, which tells what the node has; 0 picks a free one")
	s.Uint16Var(&f.prometheus, "prometheus-port", 9616, "port of metrics; 0 picks a free one")
	f.ipfs.add(cmd)
	s.StringVar(&f.tee, "tee", "dev", "kind of enclave; this version has dev, which proves nothing to a production network")
	s.StringVar(&f.ca, "dev-ca", "", "file with the seed of the network's development authority; if it is left out, dev-ca beside the chain spec, or the one that everybody knows")
	s.BoolVar(&f.replace, "replace", false, "take the place of another worker of the account, which drops all that it has proved")
	s.BoolVar(&f.withStdin, "stop-with-stdin", false, "stop when standard input ends, as it does when the program that started the node is gone")
	s.StringVarP(&f.log, "log", "l", "info", "debug, info, warn or error")
	return cmd
}

func (f *storageFlags) run(cmd *cobra.Command) error {
	cfg, err := f.config(cmd)
	if err != nil {
		return err
	}
	ctx, stop := serving(cmd, cfg.Log, f.withStdin)
	defer stop()
	return storage.Run(ctx, cfg)
}

// config reads the flags.
func (f *storageFlags) config(cmd *cobra.Command) (cfg storage.Config, err error) {
	if f.tee != "dev" {
		return cfg, fmt.Errorf("--tee is %q; this version has dev", f.tee)
	}
	if cfg.Log, err = newLogger(cmd.ErrOrStderr(), f.log); err != nil {
		return cfg, err
	}
	if cfg.Pair, err = f.secret.pair(cmd, ""); err != nil {
		return cfg, err
	}
	if cfg.BasePath, err = basePath(f.basePath, "crust-storage"); err != nil {
		return cfg, err
	}
	if cfg.Filler, err = sizeOf("--srd", f.srd); err != nil {
		return cfg, err
	}
	reserve, err := sizeOf("--reserve", f.reserve)
	if err != nil {
		return cfg, err
	}
	for _, text := range f.disks {
		d, err := parseDisk(text)
		if err != nil {
			return cfg, err
		}
		cfg.Disks = append(cfg.Disks, d)
	}
	if len(cfg.Disks) == 0 {
		cfg.Disks = []disk.Config{{Dir: filepath.Join(cfg.BasePath, "sealed")}}
	}
	for i := range cfg.Disks {
		cfg.Disks[i].Reserve = reserve
	}
	if f.owner != "" {
		if cfg.Owner, err = accountOf(f.owner); err != nil {
			return cfg, fmt.Errorf("--owner: %w", err)
		}
	}
	cfg.Name = f.name
	if cfg.Engine, err = f.ipfs.engine(cfg.BasePath, cfg.Log); err != nil {
		return cfg, err
	}
	self, err := os.Executable()
	if err != nil {
		return cfg, err
	}
	account := cfg.Pair.Account()
	cfg.Enclave = []string{self, "enclave", "--platform", filepath.Join(cfg.BasePath, "platform.key"), "--chain", f.chain, "--account", fmt.Sprintf("0x%x", account)}
	if f.ca != "" {
		cfg.Enclave = append(cfg.Enclave, "--dev-ca", f.ca)
	}
	cfg.NodeURL, cfg.APIPort, cfg.PrometheusPort, cfg.Replace = f.nodeURL, f.api, f.prometheus, f.replace
	return cfg, nil
}

// basePath is what the flag says, or a folder of the user's data directory.
func basePath(given, folder string) (string, error) {
	if given != "" {
		return filepath.Abs(given)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("%w; name a --base-path", err)
	}
	return filepath.Join(home, ".local", "share", folder), nil
}

// parseDisk reads DIR or DIR:SIZE.
func parseDisk(text string) (d disk.Config, err error) {
	d.Dir = text
	if at := strings.LastIndexByte(text, ':'); at >= 0 {
		d.Dir = text[:at]
		if d.Limit, err = sizeOf("--disk "+d.Dir, text[at+1:]); err != nil {
			return d, err
		}
		if d.Limit == 0 {
			return d, fmt.Errorf("--disk %s may use nothing; leave the size out to use all of it", d.Dir)
		}
	}
	if d.Dir == "" {
		return d, fmt.Errorf("--disk %q names no directory", text)
	}
	return d, nil
}

// sizeOf reads the size that a flag has.
func sizeOf(flag, text string) (uint64, error) {
	n, err := parseSize(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", flag, err)
	}
	return n, err
}
