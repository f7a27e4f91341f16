package enclave

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// memfdCreate is the number of the system call, which package syscall does not know.
var memfdCreate = map[string]uintptr{"386": 356, "amd64": 319, "arm": 385, "arm64": 279, "loong64": 279, "ppc64le": 360, "riscv64": 279, "s390x": 350}[runtime.GOARCH]

const (
	memfdCloseExec    = 1
	memfdAllowSealing = 2
	addSeals          = 1033      // of fcntl
	sealSize          = 1 | 2 | 4 // no more seals, no smaller, no larger: whoever touches it later does not find it gone
)

// offerMemory makes memory and sends it to the other end; where the system has none, it says so.
func offerMemory(conn *net.UnixConn) (m memory, err error) {
	var rights []byte
	if f, err := newMemory(); err == nil {
		defer f.Close()
		if m, err = mapMemory(f); err != nil {
			return m, err
		}
		rights = syscall.UnixRights(int(f.Fd()))
	}
	_, _, err = conn.WriteMsgUnix([]byte{0, 0, 0, inMemory >> 24}, rights, nil)
	return m, err
}

func newMemory() (*os.File, error) {
	if memfdCreate == 0 {
		return nil, errors.ErrUnsupported
	}
	name := []byte("crust-enclave\x00")
	fd, _, no := syscall.Syscall(memfdCreate, uintptr(unsafe.Pointer(&name[0])), memfdCloseExec|memfdAllowSealing, 0)
	if no != 0 {
		return nil, no
	}
	f := os.NewFile(fd, "shared memory")
	if err := f.Truncate(memorySize); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, _, no := syscall.Syscall(syscall.SYS_FCNTL, fd, addSeals, sealSize); no != 0 {
		return nil, errors.Join(no, f.Close())
	}
	return f, nil
}

func mapMemory(f *os.File) (memory, error) {
	b, err := syscall.Mmap(int(f.Fd()), 0, memorySize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	return memory{b}, err
}

// askMemory asks the other end for memory; there may be none.
func askMemory(conn *net.UnixConn) (m memory, err error) {
	if err := writeHead(conn, 0); err != nil {
		return m, err
	}
	var head [headSize]byte
	oob := make([]byte, syscall.CmsgSpace(4))
	n, oobn, _, _, err := conn.ReadMsgUnix(head[:], oob)
	if err != nil {
		return m, err
	}
	if n != headSize || head != [headSize]byte{3: inMemory >> 24} {
		return m, fmt.Errorf("%w: % x where memory was asked for", errFrame, head[:n])
	}
	messages, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) == 0 {
		return m, err
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return m, fmt.Errorf("%w: %d files where memory was asked for", errFrame, len(fds))
	}
	f := os.NewFile(uintptr(fds[0]), "shared memory")
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() != memorySize {
		return m, fmt.Errorf("enclave: shared memory of another size, %w", err)
	}
	return mapMemory(f)
}

// free gives the memory back: nobody may touch it any more.
func (m *memory) free() {
	if m.b != nil {
		_ = syscall.Munmap(m.b) // it fails for what is not mapped
		m.b = nil
	}
}
