// Package flannel is the pod network between nodes, as K3s's embedded flannel makes it: each node's pod subnet comes from
// its Node object; the back end says how packets get there.
package flannel

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// Controller keeps routes, the CNI configuration and the masquerading rules of one node.
type Controller struct {
	Client      kubernetes.Interface
	Node        string
	Backend     string // vxlan or host-gw
	Interface   string // flannel-iface, may be empty
	Address     string // the node's own
	ClusterCIDR string
	Conflist    string // file to write once the pod subnet is known
	Log         io.Writer
}

// Run works until ctx ends. Besides changes it looks again every 15 s: other programs may remove routes or rules.
func (c *Controller) Run(ctx context.Context) {
	if c.Backend == "vxlan" {
		if err := probeVXLAN(); err != nil {
			fmt.Fprintf(c.Log, "flannel: this kernel has no vxlan (%v); using host-gw, which needs all nodes on one link\n", err)
			c.Backend = "host-gw"
		}
	}
	f := informers.NewSharedInformerFactory(c.Client, 0)
	nodes := f.Core().V1().Nodes()
	changed := make(chan struct{}, 1)
	poke := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	seen := map[string]string{}
	_, _ = nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { poke() }, DeleteFunc: func(any) { poke() },
		UpdateFunc: func(_, o any) { // nodes report every few seconds; only what routes depend on counts
			n := o.(*corev1.Node)
			key := n.Spec.PodCIDR + " " + internalIP(n) + " " + n.Annotations[macAnnotation]
			if seen[n.Name] != key {
				seen[n.Name] = key
				poke()
			}
		},
	})
	f.Start(ctx.Done())
	f.WaitForCacheSync(ctx.Done())
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	last := ""
	for {
		list, err := nodes.Lister().List(labels.Everything())
		if err == nil {
			err = c.sync(ctx, list)
		}
		if err != nil && err.Error() != last {
			last = err.Error()
			fmt.Fprintf(c.Log, "flannel: %v\n", err)
		}
		wait := tick.C
		if err != nil {
			wait = time.After(time.Second)
		}
		select {
		case <-changed:
		case <-wait:
		case <-ctx.Done():
			return
		}
	}
}

const macAnnotation = "flannel.alpha.coreos.com/backend-data"

func internalIP(n *corev1.Node) string {
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP && net.ParseIP(a.Address).To4() != nil {
			return a.Address
		}
	}
	return ""
}

func (c *Controller) sync(ctx context.Context, nodes []*corev1.Node) error {
	var own *corev1.Node
	for _, n := range nodes {
		if n.Name == c.Node {
			own = n
		}
	}
	if own == nil || own.Spec.PodCIDR == "" {
		return nil // not registered, or no subnet given yet: an event will follow
	}
	mtu := 0
	if c.Backend == "vxlan" {
		m, err := c.vxlan(ctx, own)
		if err != nil {
			return err
		}
		mtu = m
	}
	if err := c.masquerade(); err != nil {
		return err
	}
	if err := c.routes(nodes); err != nil {
		return err
	}
	return c.writeConflist(own.Spec.PodCIDR, mtu)
}

// routes gives every other node's subnet its way, and takes away those of nodes that went.
func (c *Controller) routes(nodes []*corev1.Node) error {
	want := map[string]bool{}
	var firstErr error
	for _, n := range nodes {
		ip := internalIP(n)
		if n.Name == c.Node || n.Spec.PodCIDR == "" || ip == "" {
			continue
		}
		want[n.Spec.PodCIDR] = true
		var err error
		if c.Backend == "vxlan" {
			err = c.vxlanPeer(n, ip)
		} else {
			err = c.direct(n.Spec.PodCIDR, ip)
		}
		if err != nil && firstErr == nil {
			firstErr = fmt.Errorf("route to %s: %w", n.Name, err)
		}
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	_, cluster, err := net.ParseCIDR(c.ClusterCIDR)
	if err != nil {
		return err
	}
	for _, r := range routes {
		if r.Dst == nil || r.Gw == nil || r.Protocol != routeProtocol || !cluster.Contains(r.Dst.IP) || want[r.Dst.String()] {
			continue
		}
		_ = netlink.RouteDel(&r)
	}
	return firstErr
}

// routeProtocol marks this program's routes, so that it removes no other's.
const routeProtocol = netlink.RouteProtocol(70)

func (c *Controller) direct(subnet, via string) error {
	_, dst, err := net.ParseCIDR(subnet)
	if err != nil {
		return err
	}
	gateway := net.ParseIP(via)
	reach, err := netlink.RouteGet(gateway)
	if err != nil {
		return err
	}
	if len(reach) == 0 || reach[0].Gw != nil {
		return fmt.Errorf("%s is not on a link of this machine; host-gw needs that", via)
	}
	return netlink.RouteReplace(&netlink.Route{Dst: dst, Gw: gateway, LinkIndex: reach[0].LinkIndex, Protocol: routeProtocol})
}

// masquerade hides pod addresses from what is outside the cluster, and from nothing inside it: policies on other nodes
// see the pod's own address.
func (c *Controller) masquerade() error {
	rules := [][]string{
		{"nat", "FLANNEL-POSTRTG", "-s", c.ClusterCIDR, "-d", c.ClusterCIDR, "-j", "RETURN"},
		{"nat", "FLANNEL-POSTRTG", "-s", c.ClusterCIDR, "!", "-d", "224.0.0.0/4", "-j", "MASQUERADE", "--random-fully"},
		{"filter", "FLANNEL-FWD", "-s", c.ClusterCIDR, "-j", "ACCEPT"},
		{"filter", "FLANNEL-FWD", "-d", c.ClusterCIDR, "-j", "ACCEPT"},
	}
	for _, chain := range [][3]string{{"nat", "FLANNEL-POSTRTG", "POSTROUTING"}, {"filter", "FLANNEL-FWD", "FORWARD"}} {
		_ = iptables("-t", chain[0], "-N", chain[1])
		jump := []string{"-t", chain[0], "-C", chain[2], "-m", "comment", "--comment", "flanneld", "-j", chain[1]}
		if iptables(jump...) != nil {
			jump[2] = "-A"
			if err := iptables(jump...); err != nil {
				return err
			}
		}
	}
	for _, r := range rules {
		if iptables(append([]string{"-t", r[0], "-C"}, r[1:]...)...) == nil {
			continue
		}
		if err := iptables(append([]string{"-t", r[0], "-A"}, r[1:]...)...); err != nil {
			return err
		}
	}
	return nil
}

func iptables(args ...string) error {
	out, err := exec.Command("iptables", append([]string{"-w", "5"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("iptables %s: %v: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// writeConflist tells containerd how to wire pods; the node becomes Ready by it. The file is written in place: containerd
// takes no notice of one that is moved in.
func (c *Controller) writeConflist(subnet string, mtu int) error {
	text := conflist(subnet, mtu)
	if now, err := os.ReadFile(c.Conflist); err == nil && string(now) == text {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(c.Conflist), 0o700); err != nil {
		return err
	}
	return os.WriteFile(c.Conflist, []byte(text), 0o600)
}

func conflist(subnet string, mtu int) string {
	bridge := fmt.Sprintf(`{"type": "bridge", "bridge": "cni0", "isGateway": true, "isDefaultGateway": true, "ipMasq": false, "hairpinMode": true, "forceAddress": true, "mtu": %d,
    "ipam": {"type": "host-local", "dataDir": "/var/lib/cni/networks", "ranges": [[{"subnet": %q}]]}}`, mtu, subnet)
	return fmt.Sprintf(`{"cniVersion": "1.0.0", "name": "cbr0", "plugins": [
  %s,
  {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}
]}
`, bridge)
}
