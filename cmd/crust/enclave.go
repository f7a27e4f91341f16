package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/crustgo/crust/mpow/enclave"
	"github.com/crustgo/crust/mpow/trusted"
	"github.com/crustgo/crust/node"
	"github.com/crustgo/crust/node/devnet"
	"github.com/crustgo/crust/runtime"
	"github.com/crustgo/crust/substrate/lifecycle"
	"github.com/crustgo/crust/substrate/light"
	"github.com/crustgo/crust/tee"
	"github.com/crustgo/crust/tee/dev"
)

// enclaveFlags are the flags of `crust enclave`.
type enclaveFlags struct {
	socket, state, platform, chain, account, authority string
}

// newEnclaveCommand is `crust enclave`.
func newEnclaveCommand() *cobra.Command {
	var f enclaveFlags
	cmd := &cobra.Command{
		Use:   "enclave",
		Short: "Run the trusted core of a storage node as its own process",
		Long: `Run the trusted core of a storage node, which makes and checks sealed units and signs reports, as a process of its own that a storage node talks to over a local socket.

This is the development enclave: it does what a hardware enclave does, and its operator can read its memory. The first start with a new --state bears a worker for --account; its keys lie in that file, sealed with the key of --platform. Who loses one of both files has to register anew and loses what is sealed.`,
		Example: "  crust enclave --socket /run/crust/enclave --state worker.state --platform platform.key --account //Alice",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd)
		},
	}
	s := cmd.Flags()
	s.StringVar(&f.socket, "socket", "", "path of the socket to listen on")
	s.StringVar(&f.state, "state", "", "file with the sealed state, written if it does not exist")
	s.StringVar(&f.platform, "platform", "", "file with the development platform's key, written if it does not exist")
	s.StringVar(&f.chain, "chain", "dev", "dev, local, or the path of a chain spec")
	s.StringVar(&f.account, "account", "", "account of the storage node, for a new worker")
	s.StringVar(&f.authority, "dev-ca", "", "file with the seed of the network's development authority; if it is left out, dev-ca beside the chain spec, or the one that everybody knows")
	for _, name := range []string{"socket", "state", "platform"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // only for a flag that does not exist
		}
	}
	return cmd
}

func (f *enclaveFlags) run(cmd *cobra.Command) error {
	platform, err := f.enclave()
	if err != nil {
		return err
	}
	core, err := f.core(platform)
	if err != nil {
		return err
	}
	l, err := enclave.Listen(f.socket)
	if err != nil {
		return err
	}
	id := core.Identity()
	cmd.PrintErrf("enclave 0x%x of account 0x%x listens on %s\n", id.Key, id.Account, f.socket)
	ctx, stop := lifecycle.Signals(cmd.Context(), func(os.Signal) { cmd.PrintErrln("stopping the enclave; once more kills") })
	defer stop()
	return enclave.Serve(ctx, l, &trusted.Server{Core: core, Lock: new(sync.Mutex), Par: lifecycle.Parallel, Quote: func(data [64]byte) ([]byte, error) {
		ev, err := platform.Quote(data)
		return ev.Raw, err
	}})
}

// enclave is the development enclave of the platform whose key the file has, or of a
// new one.
func (f *enclaveFlags) enclave() (*dev.Enclave, error) {
	seed, err := authoritySeed(f.authority, f.chain)
	if err != nil {
		return nil, err
	}
	cfg := dev.Config{CA: dev.NewCA(seed), Kind: tee.SGX, Version: 1, Random: rand.Reader}
	key, err := enclave.Load(f.platform)
	switch {
	case err != nil:
		return nil, err
	case key == nil:
		key = make([]byte, len(cfg.Secret))
		if _, err := rand.Read(key); err != nil {
			return nil, err
		}
		if err := enclave.Save(f.platform, key); err != nil {
			return nil, err
		}
	case len(key) != len(cfg.Secret):
		return nil, fmt.Errorf("%s has %d bytes, a platform's key has %d", f.platform, len(key), len(cfg.Secret))
	}
	copy(cfg.Secret[:], key)
	return dev.NewEnclave(cfg), nil
}

// authoritySeed is the seed in a file; if none is named, in the one beside the chain's
// specification, as a network of crust devnet has it; else the one that everybody knows.
func authoritySeed(path, chain string) ([32]byte, error) {
	if path == "" {
		path = filepath.Join(filepath.Dir(chain), devnet.AuthorityFile)
		_, ships := runtime.Networks()[chain]
		if _, err := os.Stat(path); ships || err != nil {
			return dev.DevelopmentSeed(), nil
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return [32]byte{}, err
	}
	seed, err := dev.ParseSeed(string(text))
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return seed, err
}

// core opens the worker that the files have, or bears one.
func (f *enclaveFlags) core(platform tee.Enclave) (*trusted.Core, error) {
	env := trusted.Env{Rand: rand.Reader}
	var err error
	if env.Sealing, err = platform.DeriveKey(tee.SealThisCode, "crust/mpow/state/v1"); err != nil {
		return nil, err
	}
	state, err := enclave.Load(f.state)
	if err != nil {
		return nil, err
	}
	if state != nil {
		core, err := trusted.Open(state, env)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; is --platform the one that it was made with?", f.state, err)
		}
		return core, f.checkAccount(core)
	}
	birth, err := f.birth()
	if err != nil {
		return nil, err
	}
	core, err := trusted.New(birth, env)
	if err != nil {
		return nil, err
	}
	if state, err = core.State(); err != nil {
		return nil, err
	}
	return core, enclave.Save(f.state, state)
}

// checkAccount refuses a worker of another account than the one that was asked for.
func (f *enclaveFlags) checkAccount(core *trusted.Core) error {
	if f.account == "" {
		return nil
	}
	want, err := accountOf(f.account)
	if err != nil {
		return err
	}
	if got := core.Identity().Account; got != want {
		return fmt.Errorf("%s is a worker of account 0x%x, not of %s; choose another --state for another account", f.state, got, f.account)
	}
	return nil
}

// birth is what a new worker is bound to.
func (f *enclaveFlags) birth() (trusted.Birth, error) {
	if f.account == "" {
		return trusted.Birth{}, fmt.Errorf("%s does not exist; a new worker needs --account", f.state)
	}
	account, err := accountOf(f.account)
	if err != nil {
		return trusted.Birth{}, err
	}
	spec, err := node.LoadSpec(f.chain)
	if err != nil {
		return trusted.Birth{}, err
	}
	rt, spec, err := runtime.Load(spec)
	if err != nil {
		return trusted.Birth{}, err
	}
	header, err := spec.GenesisHeader()
	if err != nil {
		return trusted.Birth{}, err
	}
	entries, err := spec.Entries()
	if err != nil {
		return trusted.Birth{}, err
	}
	voters, err := firstVoters(rt, entries)
	if err != nil {
		return trusted.Birth{}, err
	}
	return trusted.Birth{Account: account, Genesis: header.Hash(), Checkpoint: light.Checkpoint{Header: header, Voters: voters}}, nil
}
