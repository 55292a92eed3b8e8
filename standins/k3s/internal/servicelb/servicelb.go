// Package servicelb gives Services of type LoadBalancer the nodes' addresses, as K3s's servicelb does. kube-proxy serves
// a load balancer's address on every node, so no pod with host ports is needed.
package servicelb

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// enable limits the nodes: as soon as one node has the label, only nodes with it count.
const enable = "svccontroller.k3s.cattle.io/enablelb"

// Controller keeps the status of those Services.
type Controller struct {
	Client  kubernetes.Interface
	Factory informers.SharedInformerFactory
	Log     io.Writer

	changed chan struct{}
}

// Register asks the factory for what the controller needs; before the factory starts.
func (c *Controller) Register() {
	c.changed = make(chan struct{}, 1)
	poke := func() {
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
	ready := map[string]bool{}
	_, _ = c.Factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { poke() }, DeleteFunc: func(any) { poke() },
		UpdateFunc: func(_, o any) {
			n := o.(*corev1.Node)
			if r := usable(n); ready[n.Name] != r {
				ready[n.Name] = r
				poke()
			}
		},
	})
	_, _ = c.Factory.Core().V1().Services().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { poke() }, UpdateFunc: func(any, any) { poke() },
	})
	// Endpoints decide which nodes serve a Service with externalTrafficPolicy Local.
	_, _ = c.Factory.Discovery().V1().EndpointSlices().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { poke() }, UpdateFunc: func(any, any) { poke() }, DeleteFunc: func(any) { poke() },
	})
}

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) {
	c.Factory.WaitForCacheSync(ctx.Done())
	for {
		wait := time.Minute
		if err := c.sync(ctx); err != nil {
			fmt.Fprintf(c.Log, "servicelb: %v\n", err)
			wait = time.Second
		}
		select {
		case <-c.changed:
			time.Sleep(50 * time.Millisecond) // let a burst settle
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

func (c *Controller) sync(ctx context.Context) error {
	services, err := c.Factory.Core().V1().Services().Lister().List(labels.Everything())
	if err != nil {
		return err
	}
	nodes, err := c.Factory.Core().V1().Nodes().Lister().List(labels.Everything())
	if err != nil {
		return err
	}
	for _, s := range services {
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.Spec.LoadBalancerClass != nil || s.DeletionTimestamp != nil {
			continue
		}
		serving := nodes
		if s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
			slices, err := c.Factory.Discovery().V1().EndpointSlices().Lister().EndpointSlices(s.Namespace).List(labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: s.Name}))
			if err != nil {
				return err
			}
			serving = withEndpoints(nodes, slices)
		}
		want := Addresses(serving)
		if slices.EqualFunc(s.Status.LoadBalancer.Ingress, want, func(i corev1.LoadBalancerIngress, ip string) bool { return i.IP == ip }) {
			continue
		}
		ingress := []map[string]string{}
		for _, ip := range want {
			ingress = append(ingress, map[string]string{"ip": ip, "ipMode": "VIP"})
		}
		patch, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": ingress}}})
		if err != nil {
			return err
		}
		if _, err := c.Client.CoreV1().Services(s.Namespace).Patch(ctx, s.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
			return fmt.Errorf("service %s/%s: %w", s.Namespace, s.Name, err)
		}
	}
	return nil
}

func withEndpoints(nodes []*corev1.Node, slices []*discoveryv1.EndpointSlice) []*corev1.Node {
	on := map[string]bool{}
	for _, s := range slices {
		for _, e := range s.Endpoints {
			if e.NodeName != nil && (e.Conditions.Ready == nil || *e.Conditions.Ready) {
				on[*e.NodeName] = true
			}
		}
	}
	var out []*corev1.Node
	for _, n := range nodes {
		if on[n.Name] {
			out = append(out, n)
		}
	}
	return out
}

// Addresses are the usable nodes' addresses, sorted: the external ones where any node has one, else the internal ones.
func Addresses(nodes []*corev1.Node) []string {
	chosen := nodes
	var labelled []*corev1.Node
	for _, n := range nodes {
		if _, ok := n.Labels[enable]; ok {
			labelled = append(labelled, n)
		}
	}
	if len(labelled) > 0 {
		chosen = labelled
	}
	var external, internal []string
	for _, n := range chosen {
		if !usable(n) {
			continue
		}
		if ip := n.Annotations["k3s.io/external-ip"]; net.ParseIP(ip) != nil {
			external = append(external, ip)
		}
		for _, a := range n.Status.Addresses {
			switch a.Type {
			case corev1.NodeExternalIP:
				external = append(external, a.Address)
			case corev1.NodeInternalIP:
				internal = append(internal, a.Address)
			}
		}
	}
	out := external
	if len(out) == 0 {
		out = internal
	}
	sort.Strings(out)
	return slices.Compact(out)
}

func usable(n *corev1.Node) bool {
	if _, no := n.Labels[corev1.LabelNodeExcludeBalancers]; no || n.DeletionTimestamp != nil {
		return false
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
