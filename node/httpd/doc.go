// Package httpd is a port of a node at which HTTP is answered: figures for Prometheus,
// the interface of a storage node, the files and pins of a gateway. JSON-RPC has a server
// of its own (package jsonrpc), which takes its port from here.
//
//	l, err := httpd.Listen(httpd.Local(9615), "metrics", "--prometheus-port")
//	group.Go("metrics", func(ctx context.Context) error { return httpd.Serve(ctx, l, httpd.Metrics(registry), httpd.Limits{Answer: time.Minute}) })
//
// A port is taken before a node starts to work, so that one that is taken already is an
// error at once, which names the flag that chooses another.
package httpd
