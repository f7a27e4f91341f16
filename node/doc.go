// Package node is the composition root: it puts the parts of a chain node
// together, starts them, and stops them in order.
//
//	cfg := node.Default()
//	cfg.Chain, cfg.Tmp = "dev", true
//	err := node.Run(ctx, cfg)
//
// Every part is built by a plain constructor and started as one member of a
// lifecycle group; the first that fails stops the others. The database is closed
// last. What the parts do is in their packages; here is only who gets what.
package node
