package provider

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// watchParent calls gone when the process that started this one has ended. Pdeathsig alone would not do: it follows the
// parent's thread, and Go's runtime ends threads as it likes.
func watchParent(parent int, gone func()) {
	if fd, err := unix.PidfdOpen(parent, 0); err == nil {
		defer unix.Close(fd)
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
			if n > 0 || (err != nil && err != unix.EINTR) {
				break
			}
		}
		gone()
		return
	}
	for os.Getppid() == parent {
		time.Sleep(time.Second)
	}
	gone()
}
