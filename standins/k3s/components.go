package main

import (
	"fmt"
	"os"
	"strings"
	"unsafe"

	_ "github.com/containerd/containerd/v2/cmd/containerd/builtins"
	containerd "github.com/containerd/containerd/v2/cmd/containerd/command"
	ctr "github.com/containerd/containerd/v2/cmd/ctr/app"
	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// cobraMain runs an upstream command with args (argv, the name first).
func cobraMain(c *cobra.Command, args []string) int {
	os.Args = args
	c.SetArgs(args[1:])
	return cli.Run(c)
}

func runControllerManager(args []string) int {
	return cobraMain(controllers.NewControllerManagerCommand(), args)
}
func runScheduler(args []string) int { return cobraMain(scheduler.NewSchedulerCommand(), args) }
func runKubeProxy(args []string) int { return cobraMain(proxy.NewProxyCommand(), args) }

func runEtcd(args []string) int {
	etcdmain.Main(args)
	return 0
}

func runContainerd(args []string) int {
	if err := containerd.App().Run(args); err != nil {
		fmt.Fprintf(os.Stderr, "containerd: %v\n", err)
		return 1
	}
	return 0
}

// runKubectl uses the node's own kubeconfig unless the caller chose one.
func runKubectl(args []string) int {
	if os.Getenv("KUBECONFIG") == "" {
		for _, f := range []string{"/etc/rancher/k3s/k3s.yaml"} {
			if _, err := os.Stat(f); err == nil {
				os.Setenv("KUBECONFIG", f)
			}
		}
	}
	os.Args = append([]string{"kubectl"}, args[1:]...)
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
		return 1
	}
	return 0
}

// runCtr speaks to the node's containerd, in the namespace of the CRI.
func runCtr(args []string) int {
	for name, value := range map[string]string{"CONTAINERD_ADDRESS": containerdSocket, "CONTAINERD_NAMESPACE": "k8s.io"} {
		if os.Getenv(name) == "" {
			os.Setenv(name, value)
		}
	}
	if err := ctr.New().Run(append([]string{"ctr"}, args[1:]...)); err != nil {
		fmt.Fprintf(os.Stderr, "ctr: %v\n", err)
		return 1
	}
	return 0
}

const containerdSocket = "/run/k3s/containerd/containerd.sock"

// unsafePointer is the address of a NUL-ended copy of s, for prctl.
func unsafePointer(s string) unsafe.Pointer {
	b := append([]byte(strings.Clone(s)), 0)
	return unsafe.Pointer(&b[0])
}
