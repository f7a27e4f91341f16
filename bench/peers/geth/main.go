package main

import (
	"errors"
	"flag"
	"os"

	"github.com/crustgo/crust/bench/peers/turns"
)

const module = "github.com/ethereum/go-ethereum"

func main() {
	flags := flag.NewFlagSet("geth", flag.ExitOnError)
	accounts := flags.Int("accounts", 20_000, "accounts that have money")
	keys := flags.Int("keys", 100_000, "keys of the state")
	blocks := flags.Int("blocks", 50, "blocks in a turn")
	txs := flags.Int("txs", 1000, "transfers in a block")
	persist := flags.Bool("persist", false, "write the state of every block to disk, instead of when buffers are full")
	if len(os.Args) < 2 {
		turns.Exit(errors.New("import or state?"))
	}
	_ = flags.Parse(os.Args[2:]) // it ends the program by itself
	switch os.Args[1] {
	case "import":
		m, err := newImport(*accounts, *blocks, *txs)
		if err != nil {
			turns.Exit(err)
		}
		turns.Exit(turns.Serve(module, m.turn))
	case "state":
		m, err := newState(*keys, *blocks, *persist)
		if err != nil {
			turns.Exit(err)
		}
		turns.Exit(errors.Join(turns.Serve(module, m.turn), m.close()))
	}
	turns.Exit(errors.New("import or state?"))
}
