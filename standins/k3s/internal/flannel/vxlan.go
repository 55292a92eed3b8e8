package flannel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// flannel's own numbers, which firewalls in front of K3s nodes already know.
const (
	device   = "flannel.1"
	vni      = 1
	port     = 8472
	overhead = 50 // outer Ethernet, IPv4, UDP and VXLAN headers, in bytes
)

// probeVXLAN tells whether the kernel can make a vxlan device.
func probeVXLAN() error {
	if _, err := netlink.LinkByName(device); err == nil {
		return nil
	}
	l := &netlink.Vxlan{LinkAttrs: netlink.LinkAttrs{Name: "vxlanprobe0"}, VxlanId: 4095, Port: port + 1}
	if err := netlink.LinkAdd(l); err != nil {
		return err
	}
	return netlink.LinkDel(l)
}

// vxlan makes this node's end and announces its hardware address. It returns the MTU for pods.
func (c *Controller) vxlan(ctx context.Context, own *corev1.Node) (int, error) {
	outer, err := c.outer()
	if err != nil {
		return 0, err
	}
	mtu := outer.Attrs().MTU - overhead
	link, err := netlink.LinkByName(device)
	if err != nil {
		want := &netlink.Vxlan{
			LinkAttrs: netlink.LinkAttrs{Name: device, MTU: mtu}, VxlanId: vni, Port: port, Learning: false,
			VtepDevIndex: outer.Attrs().Index, SrcAddr: net.ParseIP(c.Address),
		}
		if err := netlink.LinkAdd(want); err != nil {
			return 0, fmt.Errorf("%s: %w", device, err)
		}
		if link, err = netlink.LinkByName(device); err != nil {
			return 0, err
		}
	}
	ip, _, err := net.ParseCIDR(own.Spec.PodCIDR)
	if err != nil {
		return 0, err
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: ip, Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrReplace(link, addr); err != nil {
		return 0, err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return 0, err
	}
	data := fmt.Sprintf(`{"VNI":%d,"VtepMAC":%q}`, vni, link.Attrs().HardwareAddr.String())
	if own.Annotations[macAnnotation] == data {
		return mtu, nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		macAnnotation:                                  data,
		"flannel.alpha.coreos.com/backend-type":        "vxlan",
		"flannel.alpha.coreos.com/public-ip":           c.Address,
		"flannel.alpha.coreos.com/kube-subnet-manager": "true",
	}}})
	if err != nil {
		return 0, err
	}
	_, err = c.Client.CoreV1().Nodes().Patch(ctx, c.Node, types.MergePatchType, patch, metav1.PatchOptions{})
	return mtu, err
}

// outer is the link that carries the node's address.
func (c *Controller) outer() (netlink.Link, error) {
	if c.Interface != "" {
		return netlink.LinkByName(c.Interface)
	}
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		addrs, err := netlink.AddrList(l, netlink.FAMILY_V4)
		if err != nil {
			return nil, err
		}
		for _, a := range addrs {
			if a.IP.String() == c.Address {
				return l, nil
			}
		}
	}
	return nil, fmt.Errorf("no interface has the node's address %s", c.Address)
}

// vxlanPeer makes another node's subnet reachable through its end of the tunnel.
func (c *Controller) vxlanPeer(n *corev1.Node, ip string) error {
	var data struct {
		VtepMAC string `json:"VtepMAC"`
	}
	if err := json.Unmarshal([]byte(n.Annotations[macAnnotation]), &data); err != nil {
		return errors.New("it has not announced its end yet")
	}
	mac, err := net.ParseMAC(data.VtepMAC)
	if err != nil {
		return err
	}
	link, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	gateway, dst, err := net.ParseCIDR(n.Spec.PodCIDR)
	if err != nil {
		return err
	}
	index := link.Attrs().Index
	if err := netlink.NeighSet(&netlink.Neigh{LinkIndex: index, State: netlink.NUD_PERMANENT, Type: unix.RTN_UNICAST, IP: gateway, HardwareAddr: mac}); err != nil {
		return err
	}
	if err := netlink.NeighSet(&netlink.Neigh{LinkIndex: index, State: netlink.NUD_PERMANENT, Family: unix.AF_BRIDGE, Flags: netlink.NTF_SELF,
		IP: net.ParseIP(ip), HardwareAddr: mac}); err != nil {
		return err
	}
	return netlink.RouteReplace(&netlink.Route{LinkIndex: index, Dst: dst, Gw: gateway, Flags: int(netlink.FLAG_ONLINK), Protocol: routeProtocol})
}
