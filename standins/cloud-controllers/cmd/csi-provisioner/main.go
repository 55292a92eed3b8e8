// Command csi-provisioner stands in for Kubernetes' sidecar of that name, over the same library for provisioners: a claim
// becomes a call to the driver, and its answer a PersistentVolume.
package main

import (
	"context"
	"flag"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"

	"groundwork/standins/cloud-controllers/internal/socket"
)

func main() {
	address := flag.String("csi-address", "/run/csi/socket", "socket of the driver")
	kubeconfig := flag.String("kubeconfig", "", "where the API server is; the pod's own account if empty")
	health := flag.String("http-endpoint", "", "address of /metrics, which says only that it runs")
	format := flag.String("default-fstype", "", "file system of volumes whose class names none")
	// Taken as upstream's flags are; what they ask for is how this one always works.
	flag.Bool("extra-create-metadata", true, "tell the driver the claim's name")
	flag.Bool("strict-topology", true, "ask for the place of the chosen node only")
	flag.String("feature-gates", "", "ignored")
	flag.Parse()
	klog.Info("stand-in of csi-provisioner")
	if err := run(*address, *kubeconfig, *health, *format); err != nil {
		klog.ErrorS(err, "volumes can't be provisioned")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
}

func run(address, kubeconfig, health, format string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	connection, err := socket.Dial(address)
	if err != nil {
		return err
	}
	if health != "" {
		go socket.ServeHealth(health, "/metrics", func(context.Context) error { return nil })
	}
	ctx := context.Background()
	name, err := socket.DriverName(ctx, connection)
	if err != nil {
		return err
	}
	controller.NewProvisionController(ctx, client, name, newProvisioner(client, connection, name, format),
		controller.LeaderElection(false),
		// A volume of the cloud is not forgotten when somebody deletes its object first.
		controller.AddFinalizer(true),
		controller.ProvisionTimeout(2*time.Minute),
		controller.DeletionTimeout(2*time.Minute),
	).Run(ctx)
	return nil
}
