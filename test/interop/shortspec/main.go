package main

import (
	"fmt"
	"os"

	"github.com/crustgo/crust/runtime"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "shortspec:", err)
		os.Exit(1)
	}
}

func run() error {
	n := runtime.Devnet(4)
	n.Preset.SlotDuration, n.Preset.EpochLength = 500, 8
	s := &n.Preset.Staking
	s.SessionsPerEra, s.BondingDuration, s.SlashDeferDuration = 2, 3, 1
	spec, err := n.Spec()
	if err != nil {
		return err
	}
	b, err := spec.Encode()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(b)
	return err
}
