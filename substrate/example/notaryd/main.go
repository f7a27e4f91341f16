package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/crustgo/crust/substrate/example"
	"github.com/crustgo/crust/substrate/lifecycle"
)

func main() {
	o := example.Options{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flag.StringVar(&o.Dir, "dir", "", "directory of the database; in memory if empty")
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:9944", "address of the RPC server")
	flag.StringVar(&o.Keys, "keys", "//Alice", "secret URI of the validator's keys; empty to make no blocks")
	flag.Parse()
	o.Ready = func(url string) { fmt.Println("listening on", url) }
	ctx, stop := lifecycle.Signals(context.Background(), nil)
	defer stop()
	var signal *lifecycle.SignalError
	if err := example.Run(ctx, o); err != nil && !errors.As(err, &signal) {
		fmt.Fprintln(os.Stderr, "notaryd:", err)
		os.Exit(1)
	}
}
