// Package imonline watches over validators: whoever neither made a block nor
// sent a sign of life in a session is reported as unresponsive at its end.
//
// A sign of life is a Heartbeat, signed with the validator's im-online key and
// sent as an unsigned transaction, at most once a session. Who made a block has
// shown already that it is there. The runtime API ImOnlineApi tells a node who is
// silent, so that it can speak up for its own keys; see substrate/reporter. When
// to do it is the node's choice: HeartbeatAfter is half a session after its start.
//
// If few are silent, nothing happens. If k of n are, and k is more than a tenth
// of n and one, each loses 7 % · min(3(k − n/10 − 1)/n, 1): that many cannot all
// have bad luck. Nobody is disabled for silence.
//
// Rules: FRAME's pallet_im_online, whose later form it has: a heartbeat says
// nothing about the node's network. Facts gpos-runtime §1.13 and §3.4. Unlike
// there, heartbeats are made by the node, not by a worker in the runtime.
package imonline
