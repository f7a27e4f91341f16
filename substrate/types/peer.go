package types

// PeerID identifies a node of the network: the bytes of its libp2p peer identity.
type PeerID string

// Role is what a node says that it is; the values are wire tags.
type Role uint8

// The roles.
const (
	RoleFull      Role = 1
	RoleLight     Role = 2
	RoleAuthority Role = 4
)
