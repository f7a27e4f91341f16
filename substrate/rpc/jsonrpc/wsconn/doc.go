// Package wsconn is a WebSocket connection for many small messages, used by the
// JSON-RPC server and by the Go client. It adds to coder/websocket what a busy
// RPC connection needs:
//
//   - one writer goroutine behind a queue that is bounded by bytes and by
//     count. Send blocks until its message is queued or its context ends, so a
//     slow peer slows down only those who talk to it;
//   - coalesced writes: messages queued together leave in one system call;
//   - a Slot, in which a newer message replaces an older one that has not been
//     written yet, for followers that only care about the latest state;
//   - limits in time: a started message must arrive within ReadTimeout, every
//     64 KiB must leave within WriteTimeout, and a silent peer is pinged;
//   - a close that keeps its reason: Fail records the first cause, Close sends
//     what is still queued, then the close frame.
//
// A connection is used like this:
//
//	c, err := wsconn.Dial(ctx, "ws://127.0.0.1:9944", nil, wsconn.Config{})
//	if err != nil {
//		return err
//	}
//	c.Start()
//	defer c.Close(wsconn.CodeNormal, "done")
//	buf := wire.GetBuffer()
//	buf.B = append(buf.B, `{"jsonrpc":"2.0","id":1,"method":"system_name"}`...)
//	if err := c.Send(ctx, buf); err != nil {
//		return err
//	}
//	reply, err := c.Read(nil)
//
// What it does not do: it knows nothing of JSON, it does not compress and it
// does not reconnect.
package wsconn
