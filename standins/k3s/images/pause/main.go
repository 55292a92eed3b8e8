// Command pause is the process of a pod's sandbox container: it holds the pod's namespaces until it is told to
// stop, and reaps what is orphaned to it where the pod shares one process namespace.
package main

import (
	"os/signal"
	"syscall"

	"os"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for s := range signals {
		if s != syscall.SIGCHLD {
			return
		}
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if err != nil || pid <= 0 {
				break
			}
		}
	}
}
