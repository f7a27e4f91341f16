// Package testnet runs networks of the real program, one process a node, whose
// links can be cut, delayed and healed, and watches what the nodes say is final.
//
//	net, err := testnet.New(testnet.Config{Program: crust, Dir: dir, Validators: 7, Linked: true})
//	err = net.Start(ctx)
//	net.Split([]int{0, 1, 2}, []int{3, 4, 5, 6})
//	err = net.Await(ctx, "blocks", func(s []testnet.State) bool { return s[0].Best > 10 })
//	err = errors.Join(net.Check(ctx), net.Close())
//
// With Config.Linked every connection from one node to another goes through a
// proxy of that pair: a node knows others by their proxies only, has only reserved
// peers, and dials no address that others tell. Otherwise nodes find each other by
// bootnodes.
//
// AddStorage puts storage nodes beside them.
//
// All the time, every running node is asked for its best and its last final block,
// and for the hash at each height that became final. Two nodes that differ in one,
// or a node whose finality goes back, end whatever waits with an error that shows
// where every node is and the end of its log.
package testnet
