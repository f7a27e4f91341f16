package routing

import (
	"context"
	"iter"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/crustgo/crust/mpow/dag"
)

// Sources is where a node looks for files of which nobody is known to have them.
type Sources struct {
	Delegates *Delegates // nil without any
	Directory *Directory // nil without one
}

// Finder is a search for a fetch of a file: the servers first, which answer at once; nil if
// there is nobody to ask.
func (s Sources) Finder(root dag.CID, most int) func(context.Context) iter.Seq[peer.AddrInfo] {
	if s.Delegates == nil && s.Directory == nil {
		return nil
	}
	return func(ctx context.Context) iter.Seq[peer.AddrInfo] {
		return func(yield func(peer.AddrInfo) bool) {
			if s.Delegates != nil {
				for p := range s.Delegates.Find(ctx, root, most) {
					if !yield(p) {
						return
					}
				}
			}
			if s.Directory != nil && ctx.Err() == nil {
				s.Directory.Find(ctx, root, most)(yield)
			}
		}
	}
}
