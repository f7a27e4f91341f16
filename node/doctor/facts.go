package doctor

import (
	"io/fs"
	"math/big"
	"time"

	"github.com/crustgo/crust/client/metadata"
)

// Role is a kind of node.
type Role string

// The roles, as the command line names them.
const (
	ChainNode   Role = "node"
	StorageNode Role = "storage"
	Gateway     Role = "gateway"
	Validator   Role = "validator"
)

// Facts are what was found. A nil part was not looked at.
type Facts struct {
	Now       time.Time
	Node      *NodeFacts
	Folders   []Folder
	Secrets   []Secret
	Ports     []Port // of what does not run
	Accounts  []Account
	Storage   *StorageFacts
	Worker    *WorkerFacts
	Gateway   *GatewayFacts
	Validator *ValidatorFacts
}

// NodeFacts is what a chain node says.
type NodeFacts struct {
	URL                 string
	Error               string // why it could not be asked; nothing below is known then
	Chain, Kind         string // Kind is Development, Local or Live
	Version             string
	Authority           bool // it makes blocks if it is elected
	Peers               int
	WantsPeers, Syncing bool
	Halted              string // why import is halted
	Best, Final, Target uint32 // Target is the best block of its peers
	BestTime            time.Time
	Slot                time.Duration // between blocks
	Format              metadata.Format
}

// Folder is a directory that a node writes to.
type Folder struct {
	Path    string
	Disk    bool   // for sealed data; otherwise a base path
	Free    uint64 // bytes
	Reserve uint64 // bytes that stay free, of a disk
	Error   string // why it cannot be written to
	Failed  string // what the storage node says is wrong with it
}

// Secret is a file that holds a key.
type Secret struct {
	Path string
	Mode fs.FileMode
}

// Port is a port that a node is about to listen on.
type Port struct {
	Number uint16
	What   string // and by which flag it is changed
	Error  string // why it cannot be had
}

// Account is what an account has to pay with. Amounts are plancks.
type Account struct {
	Role    Role
	Address string
	Error   string
	Free    *big.Int
	Deposit *big.Int // below which the account is removed
	Fee     *big.Int // of a small transaction; nil if the chain does not tell
}

// StorageFacts is what a storage node says itself.
type StorageFacts struct {
	URL                      string
	Error                    string // why it could not be asked
	Trouble                  string // what went wrong in the latest block
	Target, Complete, Proven uint64 // bytes of free space
	Free                     uint64 // bytes that the disks still take
	Best                     uint32 // block that it has followed the chain to
}

// WorkerFacts is how the chain sees a storage node's worker.
type WorkerFacts struct {
	Account            string
	Error              string
	Registered, Failed bool // Failed: an audit was not answered
	Group              string
	Reported           uint32   // slot of its latest heartbeat; 0 before the first
	Slot               uint32   // first block of the current slot
	SlotBlocks, Took   uint32   // blocks of a slot; blocks in which heartbeats are taken
	Number             uint32   // best block
	Missed             uint32   // slots
	Audit              uint32   // slot of an audit that waits for its answer; 0 for none
	Endpoint           []string // multiaddresses that are published
	Dialled            int      // those over TCP, which were dialled
	Reachable          []string // those that answered
}

// GatewayFacts is what a gateway says.
type GatewayFacts struct {
	URL       string
	Error     string
	Chain     string
	Finalized string
	Peers     int
}

// ValidatorFacts is how a stash stands. Whoever knows the staking state fills it in.
type ValidatorFacts struct {
	Stash               string
	Error               string
	Candidate, Elected  bool // Elected: an election now would choose it
	Validating          bool // in this session
	Keys                bool // session keys are filed
	NodeSays, NodeHas   bool // the node says whether it holds them; it does
	Limit, Effective    bool // its stake limit is above zero; so is its effective stake
	Slashes             int  // punishments that are due
	Payable             int  // eras whose rewards are not paid out
	PayUntil            uint32
	GuaranteesForOthers bool
}
