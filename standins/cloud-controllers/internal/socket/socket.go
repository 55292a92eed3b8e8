// Package socket joins the programs of a CSI driver's pod: they meet at a Unix socket.
package socket

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"k8s.io/klog/v2"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

// Dial connects to a driver, which may start later than its sidecars.
func Dial(path string) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// DriverName asks a driver for its name until it answers.
func DriverName(ctx context.Context, connection *grpc.ClientConn) (string, error) {
	identity := csi.NewIdentityClient(connection)
	for {
		info, err := identity.GetPluginInfo(ctx, &csi.GetPluginInfoRequest{})
		if err == nil {
			return info.GetName(), nil
		}
		klog.InfoS("the driver does not answer yet", "reason", err)
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// ServeHealth answers a path over HTTP with 200, or with 500 and the reason why not.
func ServeHealth(address, path string, check func(context.Context) error) {
	mux := http.NewServeMux()
	mux.HandleFunc(path, func(response http.ResponseWriter, request *http.Request) {
		ctx, cancel := context.WithTimeout(request.Context(), time.Second)
		defer cancel()
		if err := check(ctx); err != nil {
			http.Error(response, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(response, "ok")
	})
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	if err := server.ListenAndServe(); err != nil {
		klog.ErrorS(err, "health can't be served", "address", address)
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
}
