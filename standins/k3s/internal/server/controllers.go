package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"groundwork/standins/k3s/internal/deploy"
	"groundwork/standins/k3s/internal/servicelb"
)

// RunControllers starts the server's own controllers: packaged manifests, load balancer addresses, node roles and names.
func (s *Server) RunControllers(ctx context.Context) error {
	c := s.Config
	rest, err := clientcmd.BuildConfigFromFlags("", c.Server("cred", "supervisor.kubeconfig"))
	if err != nil {
		return err
	}
	rest.QPS, rest.Burst = 50, 100
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return err
	}
	dyn, err := dynamic.NewForConfig(rest)
	if err != nil {
		return err
	}
	d := &deploy.Controller{Folder: c.Server("manifests"), Dynamic: dyn, Client: client, Log: s.Log}
	go d.Run(ctx)

	f := informers.NewSharedInformerFactory(client, 0)
	nodes := f.Core().V1().Nodes()
	changed := make(chan struct{}, 1)
	seen := map[string]string{}
	_, _ = nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { poke(changed) },
		DeleteFunc: func(o any) {
			poke(changed)
			if n, ok := o.(*corev1.Node); ok && n.Name != c.NodeName {
				go s.forget(ctx, client, n.Name)
			}
		},
		UpdateFunc: func(_, o any) { // a node's heartbeat is no change
			n := o.(*corev1.Node)
			if k := fmt.Sprint(n.Labels, n.Status.Addresses); seen[n.Name] != k {
				seen[n.Name] = k
				poke(changed)
			}
		},
	})
	if !c.Disabled("servicelb") {
		lb := servicelb.Controller{Client: client, Factory: f, Log: s.Log}
		lb.Register()
		go lb.Run(ctx)
	}
	f.Start(ctx.Done())
	go s.nodes(ctx, client, nodes.Lister(), changed)
	go s.snapshots(ctx)
	return nil
}

// forget drops what belonged to a node that was deleted: its password, so that a machine of that name may join anew, and
// its member of etcd, which would count for the quorum for ever.
func (s *Server) forget(ctx context.Context, client kubernetes.Interface, node string) {
	err := client.CoreV1().Secrets("kube-system").Delete(ctx, node+".node-password.k3s", metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		fmt.Fprintf(s.Log, "node %s was deleted, its password not: %v\n", node, err)
	}
	c, err := EtcdClient(s.Config).Dial()
	if err != nil {
		fmt.Fprintf(s.Log, "node %s was deleted, its etcd member not: %v\n", node, err)
		return
	}
	defer c.Close()
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	members, err := c.MemberList(limited)
	if err != nil {
		fmt.Fprintf(s.Log, "node %s was deleted, its etcd member not: %v\n", node, err)
		return
	}
	for _, m := range members.Members {
		if m.Name != node {
			continue
		}
		if _, err := c.MemberRemove(limited, m.ID); err != nil {
			fmt.Fprintf(s.Log, "node %s was deleted, its etcd member not: %v\n", node, err) // another server may have been first
			continue
		}
		fmt.Fprintf(s.Log, "node %s was deleted: removed it from etcd\n", node)
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// nodes labels this server's node with its roles, which the kubelet may not do itself, and keeps CoreDNS's NodeHosts.
func (s *Server) nodes(ctx context.Context, client kubernetes.Interface, lister corelisters.NodeLister, changed <-chan struct{}) {
	for {
		wait := time.Minute
		all, err := lister.List(labels.Everything())
		if err == nil {
			err = s.roles(ctx, client, all)
		}
		if err == nil && !s.Config.Disabled("coredns") {
			err = nodeHosts(ctx, client, all)
		}
		if err != nil {
			wait = time.Second // the ConfigMap may not be there yet
		}
		select {
		case <-changed:
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) roles(ctx context.Context, client kubernetes.Interface, all []*corev1.Node) error {
	for _, n := range all {
		if n.Name != s.Config.NodeName || (n.Labels["node-role.kubernetes.io/control-plane"] == "true" && n.Labels["node-role.kubernetes.io/etcd"] == "true") {
			continue
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": map[string]string{
			"node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/etcd": "true"}}})
		if err != nil {
			return err
		}
		if _, err := client.CoreV1().Nodes().Patch(ctx, n.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// nodeHosts writes every node's name and address into the ConfigMap that CoreDNS reads, as K3s does.
func nodeHosts(ctx context.Context, client kubernetes.Interface, all []*corev1.Node) error {
	var lines []string
	for _, n := range all {
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP && net.ParseIP(a.Address) != nil {
				lines = append(lines, a.Address+" "+n.Name)
			}
		}
	}
	sort.Strings(lines)
	text := strings.Join(lines, "\n") + "\n"
	m, err := client.CoreV1().ConfigMaps("kube-system").Get(ctx, "coredns", metav1.GetOptions{})
	if err != nil || m.Data["NodeHosts"] == text {
		return err
	}
	patch, err := json.Marshal(map[string]any{"data": map[string]string{"NodeHosts": text}})
	if err != nil {
		return err
	}
	_, err = client.CoreV1().ConfigMaps("kube-system").Patch(ctx, "coredns", types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}
