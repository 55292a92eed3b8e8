// Command pulumi-resource-kubernetes stands in for the official Pulumi Kubernetes provider where that cannot be
// downloaded. It speaks the same gRPC protocol (pulumirpc.ResourceProvider) and keeps the same state shape, so that a
// stack made with one can be taken over by the other.
package main

import (
	"fmt"
	"net"
	"os"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"

	"groundwork.dev/standins/kubernetes/internal/engine"
	"groundwork.dev/standins/kubernetes/internal/provider"
)

// version is the release of the official provider that this one stands in for; set by the linker.
var version = "4.34.2"

// maxMessage is the size of the largest message, as the engine sets it for its own side.
const maxMessage = 400 << 20

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-resource-kubernetes (stand-in):", err)
		os.Exit(1)
	}
}

// run serves until the engine ends the process. The first line on standard output is the port, as the protocol asks.
func run(args []string) error {
	if len(args) == 1 && args[0] == "--version" {
		fmt.Println(version)
		return nil
	}
	log := &engine.Log{}
	if address := engineAddress(args); address != "" {
		if err := log.Connect(address); err != nil {
			return err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go endWithParent()
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
	pulumirpc.RegisterResourceProviderServer(server, provider.New(version, log))
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(listener)
}

// endWithParent ends the process once the engine is gone, which may have been killed before it could end its plugins.
func endWithParent() {
	for parent := os.Getppid(); os.Getppid() == parent; {
		time.Sleep(time.Second)
	}
	os.Exit(1)
}

// engineAddress finds the engine's address: the first argument that is not an option. Newer engines pass logging
// options before it.
func engineAddress(args []string) string {
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-v", "--v", "-tracing", "--tracing":
			i++
		default:
			if args[i] != "" && args[i][0] != '-' {
				return args[i]
			}
		}
	}
	return ""
}
