// Command livenessprobe stands in for Kubernetes' sidecar of that name: a driver's health over HTTP.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"k8s.io/klog/v2"

	"groundwork/standins/cloud-controllers/internal/socket"
)

func main() {
	address := flag.String("csi-address", "/run/csi/socket", "socket of the driver")
	port := flag.Int("health-port", 9808, "TCP port of /healthz")
	flag.Parse()
	connection, err := socket.Dial(*address)
	if err != nil {
		klog.ErrorS(err, "no way to the driver")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
	identity := csi.NewIdentityClient(connection)
	klog.Info("stand-in of livenessprobe")
	socket.ServeHealth(fmt.Sprintf(":%d", *port), "/healthz", func(ctx context.Context) error {
		answer, err := identity.Probe(ctx, &csi.ProbeRequest{})
		if err == nil && answer.GetReady() != nil && !answer.GetReady().GetValue() {
			err = errors.New("the driver is not ready yet")
		}
		return err
	})
}
