// Command groundwork-testsshd is an SSH server on the loopback interface for tests. It prints one JSON line {port, privateKey,
// hostKey} and runs until its standard input ends. An argument is the port to listen on; further ones name variables to accept.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"groundwork.dev/standins/engine/internal/testssh"
)

func main() {
	port := 0
	if len(os.Args) > 1 {
		var err error
		if port, err = strconv.Atoi(os.Args[1]); err != nil {
			fail(err)
		}
	}
	s, err := testssh.Start(port)
	if err != nil {
		fail(err)
	}
	s.AcceptEnv = map[string]bool{}
	for i := 2; i < len(os.Args); i++ {
		s.AcceptEnv[os.Args[i]] = true
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"port": s.Port, "privateKey": s.PrivateKey, "hostKey": s.HostKey}); err != nil {
		fail(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	s.Close()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
