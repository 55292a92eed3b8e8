// Command hcloud-cloud-controller-manager stands in for Hetzner's program of that name where its image can't be had. The node
// controllers are Kubernetes' own (k8s.io/cloud-provider), as upstream's are; only what they ask of the cloud is ours.
package main

import (
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/util/wait"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/app"
	"k8s.io/cloud-provider/app/config"
	"k8s.io/cloud-provider/names"
	"k8s.io/cloud-provider/options"
	"k8s.io/component-base/cli"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/klog/v2"

	"groundwork/standins/cloud-controllers/internal/nodes"
)

func main() {
	settings, err := options.NewCloudControllerManagerOptions()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	command := app.NewCloudControllerManagerCommand(settings, open, app.DefaultInitFuncConstructors,
		names.CCMControllerAliases(), cliflag.NamedFlagSets{}, wait.NeverStop)
	os.Exit(cli.Run(command))
}

func open(*config.CompletedConfig) cloudprovider.Interface {
	provider, err := nodes.Open()
	if err != nil {
		klog.ErrorS(err, "the cloud can't be used")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
	klog.Info("stand-in of hcloud-cloud-controller-manager: nodes only, no load balancers and no routes")
	return provider
}
