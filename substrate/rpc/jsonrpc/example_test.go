package jsonrpc_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/crustgo/crust/substrate/rpc/jsonrpc"
)

// chain stands for a namespace: the methods of one part of the node.
type chain struct{ hashes []jsonrpc.Hex }

func (c *chain) blockHash(_ context.Context, number *uint32) (jsonrpc.Hex, error) {
	at := uint32(len(c.hashes) - 1)
	if number != nil {
		at = *number
	}
	if int(at) >= len(c.hashes) {
		return nil, &jsonrpc.Error{Code: 4001, Message: "no such block"}
	}
	return c.hashes[at], nil
}

func Example() {
	c := &chain{hashes: []jsonrpc.Hex{bytes.Repeat([]byte{1}, 4), bytes.Repeat([]byte{2}, 4)}}
	table, err := jsonrpc.NewTable(
		jsonrpc.Fn1("chain_getBlockHash", c.blockHash, jsonrpc.Alias("chain_getHead")),
	)
	if err != nil {
		panic(err)
	}
	server, err := jsonrpc.NewServer(jsonrpc.Config{}, table)
	if err != nil {
		panic(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- server.Serve(ctx, ln) }()

	for _, params := range []string{`[]`, `[0]`, `[7]`} {
		request := `{"jsonrpc":"2.0","id":1,"method":"chain_getBlockHash","params":` + params + `}`
		resp, err := http.Post("http://"+ln.Addr().String(), "application/json", strings.NewReader(request))
		if err != nil {
			panic(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		fmt.Println(string(body))
	}
	cancel()
	if err := <-done; err != nil {
		panic(err)
	}
	// Output:
	// {"jsonrpc":"2.0","id":1,"result":"0x02020202"}
	// {"jsonrpc":"2.0","id":1,"result":"0x01010101"}
	// {"jsonrpc":"2.0","id":1,"error":{"code":4001,"message":"no such block"}}
}
