// Command notaryd runs the tutorial's chain (package example) as a development
// node with one validator, //Alice.
//
//	go run ./substrate/example/notaryd            # RPC on 127.0.0.1:9944, chain in memory
//	go run ./substrate/example/notaryd -dir ./db  # keep the chain
//
// Point any Substrate client at ws://127.0.0.1:9944. The node stops at the first
// interrupt.
package main
