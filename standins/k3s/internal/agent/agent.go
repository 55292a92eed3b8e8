// Package agent is what every node runs: containerd, kubelet, kube-proxy, the pod network and its policies.
package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"groundwork/standins/k3s/internal/config"
	"groundwork/standins/k3s/internal/flannel"
	"groundwork/standins/k3s/internal/images"
	"groundwork/standins/k3s/internal/netpol"
	"groundwork/standins/k3s/internal/pki"
	"groundwork/standins/k3s/internal/supervise"
	"groundwork/standins/k3s/internal/supervisor"
)

// Node is a node's parts in the making.
type Node struct {
	Config *config.Config
	Group  *supervise.Group
	Bin    string // folder with runc, the shim and the CNI plugins
	Log    io.Writer

	// runtimeReady is closed once containerd answers and the archives in agent/images are in.
	runtimeReady chan struct{}
}

// StartRuntime starts containerd and imports images, beside whatever else starts.
func (n *Node) StartRuntime(ctx context.Context) error {
	n.runtimeReady = make(chan struct{})
	if err := n.writeContainerdConfig(); err != nil {
		return err
	}
	n.Group.Start(supervise.Child{
		Name: "containerd", Log: n.Log,
		Args: []string{"containerd", "-c", n.Config.Agent("etc", "containerd", "config.toml"), "--log-level", "warn"},
		Env:  []string{"PATH=" + n.Bin + ":" + os.Getenv("PATH")},
	})
	go func() {
		importer := images.Importer{
			Socket: Socket, Snapshotter: n.Config.Snapshotter,
			Folder: n.Config.Agent("images"), Record: n.Config.Agent("containerd", "imported.json"), Log: n.Log,
		}
		if err := importer.Run(ctx); err != nil && ctx.Err() == nil {
			n.Group.Fail(fmt.Errorf("importing images: %w", err))
			return
		}
		close(n.runtimeReady)
	}()
	return nil
}

// Join gets the node's certificates from the supervisor at c and starts the rest. api is where this node reaches the API.
// It returns when the kubelet has registered the node.
func (n *Node) Join(ctx context.Context, c *Client, api string, cluster supervisor.Cluster) error {
	cfg := n.Config
	if err := retry(ctx, n.Log, "certificates", func() error { return c.certificates(ctx, cfg) }); err != nil {
		return err
	}
	for file, name := range map[string]string{"kubelet": "client-kubelet", "kubeproxy": "client-kube-proxy", "k3scontroller": "client-k3s-controller"} {
		if err := pki.Kubeconfig(cfg.Agent(file+".kubeconfig"), api, cfg.Agent("server-ca.crt"), cfg.Agent(name+".crt"), cfg.Agent(name+".key"), false, 0o600); err != nil {
			return err
		}
	}
	if err := n.writeKubeletConfig(cluster); err != nil {
		return err
	}
	if err := prepareHost(n.Log); err != nil {
		return err
	}
	if !cluster.DisableKubeProxy {
		n.Group.Start(supervise.Child{Name: "kube-proxy", Args: n.kubeProxyArgs(cluster), Log: n.Log})
	}
	select {
	case <-n.runtimeReady:
	case <-ctx.Done():
		return ctx.Err()
	}
	n.Group.Start(supervise.Child{Name: "kubelet", Args: n.kubeletArgs(), Env: []string{"PATH=" + n.Bin + ":" + os.Getenv("PATH")}, Log: n.Log})

	rest, err := clientcmd.BuildConfigFromFlags("", cfg.Agent("k3scontroller.kubeconfig"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return err
	}
	if cluster.FlannelBackend != "none" {
		f := flannel.Controller{
			Client: client, Node: cfg.NodeName, Backend: cluster.FlannelBackend, Interface: cfg.FlannelIface, Address: cfg.NodeIP[0],
			ClusterCIDR: cluster.ClusterCIDR, Conflist: cfg.Agent("etc", "cni", "net.d", "10-flannel.conflist"), Log: n.Log,
		}
		go f.Run(ctx)
	}
	if !cluster.DisableNetPol {
		p := netpol.Controller{Client: client, Node: cfg.NodeName, Log: n.Log}
		go p.Run(ctx)
	}
	return n.awaitRegistered(ctx, client)
}

// awaitRegistered waits for the Node object and notes the node's external address on it, where servicelb looks.
func (n *Node) awaitRegistered(ctx context.Context, client kubernetes.Interface) error {
	for {
		if registered(ctx, client, n.Config.NodeName) {
			if len(n.Config.NodeExternalIP) == 0 {
				return nil
			}
			patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{"k3s.io/external-ip": n.Config.NodeExternalIP[0]}}})
			if err != nil {
				return err
			}
			if _, err = client.CoreV1().Nodes().Patch(ctx, n.Config.NodeName, types.MergePatchType, patch, metav1.PatchOptions{}); err == nil {
				return nil
			}
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// retry repeats f, telling each new reason once, until it works or can't.
func retry(ctx context.Context, log io.Writer, what string, f func() error) error {
	last := ""
	for {
		err := f()
		if err == nil || Permanent(err) {
			return err
		}
		if err.Error() != last {
			last = err.Error()
			fmt.Fprintf(log, "waiting for %s: %v\n", what, err)
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Retry is retry for the server, which joins its own API by the same way.
func Retry(ctx context.Context, log io.Writer, what string, f func() error) error {
	return retry(ctx, log, what, f)
}
