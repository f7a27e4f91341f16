// Package client is the Go SDK: it connects to a node, reads the chain's state,
// builds, signs and submits transactions, and follows them to finality. It
// learns calls and types from the node's metadata (package metadata), so it works
// with any Substrate chain that describes itself in V14 or V15.
//
//	c, err := client.Dial(ctx, "ws://127.0.0.1:9944", client.Config{})
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//
//	account, err := c.Query(ctx, client.Best, "System", "Account", "//Alice")
//	free, _ := metadata.Get(account, "data", "free")
//
//	tx := client.Tx{Pallet: "Balances", Call: "transfer_keep_alive", Args: []any{"//Bob", "1.5CRU"}}
//	xt, err := c.Sign(ctx, tx, pair, client.SignOptions{})
//	done, err := c.SubmitAndWait(ctx, xt, client.Finalized, nil)
//	if err == nil && done.Err != nil {
//		// the transaction is in the chain and its fee is paid, but the call failed
//	}
//
// A Client may be used by any number of goroutines. When the runtime is upgraded,
// the next query or signature reads the new metadata.
//
// Transactions are mortal: a signature holds for 64 blocks unless SignOptions
// say otherwise. [SignCall] signs without a node.
//
// What it does not do: it trusts the node it is connected to (package light
// verifies), and it keeps no keys.
package client
