package provider

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// Main serves a provider as a plugin process: it prints the port that it listens on and runs until the engine ends it.
// The engine's address, when given, is the last argument.
func Main(def *Definition, args []string) int {
	server := NewServer(def)
	defer server.Close()
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			server.host.connect(a)
		}
	}
	return Serve(func(s *grpc.Server) { rpc.RegisterResourceProviderServer(s, server) }, server.Close)
}

// stopLimit is how long requests that are under way may take to end once the engine has asked the plugin to end.
const stopLimit = 2 * time.Second

// Serve runs a gRPC plugin. The engine gives each plugin a process group of its own, so Ctrl-C in a terminal does not reach it:
// an interrupt is the engine's way of saying that it is done. Before the server ends, stopping is called to end what runs.
func Serve(register func(*grpc.Server), stopping func()) int {
	cancel := make(chan bool)
	OnEnd(func() {
		stopping()
		close(cancel)
	})
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel:  cancel,
		Init:    func(s *grpc.Server) error { register(s); return nil },
		Options: rpcutil.OpenTracingServerInterceptorOptions(nil),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(handle.Port)
	if err := <-handle.Done; err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// OnEnd calls stopping once when this process is asked to end, or when the engine that started it was killed and can't ask, and
// ends the process if it is still there after a while.
func OnEnd(stopping func()) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	go watchParent(os.Getppid(), func() { asked <- syscall.SIGTERM })
	go func() {
		<-asked
		stopping()
		time.Sleep(stopLimit)
		os.Exit(1)
	}()
}
