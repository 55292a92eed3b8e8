// Command csi-node-driver-registrar stands in for Kubernetes' sidecar of that name: it tells the kubelet of a driver, by the
// kubelet's documented way for plugins, a socket of its own in the folder that the kubelet watches.
package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
	"k8s.io/klog/v2"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"

	"groundwork/standins/cloud-controllers/internal/socket"
)

type registrar struct {
	registration.UnimplementedRegistrationServer
	name, endpoint string
	failed         chan error
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: r.name, Endpoint: r.endpoint, SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (r *registrar) NotifyRegistrationStatus(_ context.Context, status *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	klog.InfoS("the kubelet has answered", "registered", status.GetPluginRegistered(), "reason", status.GetError())
	if !status.GetPluginRegistered() {
		// The end of the program is another try: its container starts anew.
		r.failed <- errors.New("the kubelet has not taken the driver: " + status.GetError())
	}
	return &registration.RegistrationStatusResponse{}, nil
}

func main() {
	address := flag.String("csi-address", "/run/csi/socket", "socket of the driver, as seen here")
	endpoint := flag.String("kubelet-registration-path", "", "socket of the driver, as the kubelet sees it")
	folder := flag.String("plugin-registration-path", "/registration", "folder that the kubelet watches")
	health := flag.String("http-endpoint", "", "address of /healthz")
	flag.Parse()
	klog.Info("stand-in of csi-node-driver-registrar")
	err := run(*address, *endpoint, *folder, *health)
	klog.ErrorS(err, "not registered any more")
	klog.FlushAndExit(klog.ExitFlushTimeout, 1)
}

func run(address, endpoint, folder, health string) error {
	if endpoint == "" {
		return errors.New("--kubelet-registration-path is missing")
	}
	connection, err := socket.Dial(address)
	if err != nil {
		return err
	}
	name, err := socket.DriverName(context.Background(), connection)
	if err != nil {
		return err
	}
	path := filepath.Join(folder, name+"-reg.sock")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	if health != "" {
		go socket.ServeHealth(health, "/healthz", func(context.Context) error {
			_, err := os.Stat(path)
			return err
		})
	}
	server := grpc.NewServer()
	r := &registrar{name: name, endpoint: endpoint, failed: make(chan error, 1)}
	registration.RegisterRegistrationServer(server, r)
	go func() { r.failed <- server.Serve(listener) }()
	return <-r.failed
}
