// Package slots decides what a storage worker has to say to the chain, and when.
// It is a machine without clock or network: it is told each new best block, what the
// chain's state there says of the worker, and what the worker itself knows to be
// final; it answers what is to be done now (docs/protocol/mpow.md §5, §6, §12).
//
//	m := slots.New(config)
//	todo := m.Head(&view, &own)
//	if todo.Heartbeat { …; m.Signed(&view) }
//
// A heartbeat is sent at a block of the slot's window that the lineage draws, so that
// all workers of a network do not report in the same one. It is signed again when what it names
// is not the chain's any more, as after a re-org, and sent again when it is not in the
// chain after a few blocks. An open audit comes first: the chain takes no heartbeat
// before it is answered. File reports may come at any time; a loss is declared only when
// no challenge of the slot can be meant.
//
// The package signs and sends nothing, and it forgets everything at a restart: all
// that it needs is in the chain's state.
package slots
