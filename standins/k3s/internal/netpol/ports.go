package netpol

import (
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
)

// portMatches adds each port to an address match. No ports at all means every port; a name that the pod at has not means
// none.
func portMatches(address string, ports []netv1.NetworkPolicyPort, at *corev1.Pod) []string {
	if len(ports) == 0 {
		return []string{address}
	}
	var out []string
	for _, p := range ports {
		protocol := "tcp"
		if p.Protocol != nil {
			protocol = strings.ToLower(string(*p.Protocol))
		}
		m := address + " -p " + protocol
		if p.Port != nil {
			number := p.Port.IntVal
			if p.Port.StrVal != "" {
				if number = namedPort(at, p.Port.StrVal, protocol); number == 0 {
					continue
				}
			}
			m += fmt.Sprintf(" -m %s --dport %d", protocol, number)
			if p.EndPort != nil {
				m += fmt.Sprintf(":%d", *p.EndPort)
			}
		}
		out = append(out, m)
	}
	return out
}

// namedPort is the number of a pod's container port, 0 when it has none of that name and protocol. Init containers that
// go on running (sidecars) count too.
func namedPort(p *corev1.Pod, name, protocol string) int32 {
	if p == nil {
		return 0
	}
	for _, c := range append(append([]corev1.Container{}, p.Spec.Containers...), p.Spec.InitContainers...) {
		for _, cp := range c.Ports {
			own := strings.ToLower(string(cp.Protocol))
			if own == "" {
				own = "tcp"
			}
			if cp.Name == name && own == protocol {
				return cp.ContainerPort
			}
		}
	}
	return 0
}

// subtract is cidr without except, as the fewest prefixes. What is not IPv4 matches nothing here.
func subtract(cidr string, except []string) []string {
	p, err := netip.ParsePrefix(cidr)
	if err != nil || !p.Addr().Is4() {
		return nil
	}
	p = p.Masked()
	for i, e := range except {
		x, err := netip.ParsePrefix(e)
		if err != nil || !x.Overlaps(p) {
			continue
		}
		if x.Bits() <= p.Bits() {
			return nil // it covers all of p
		}
		low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
		high := netip.PrefixFrom(flip(p.Addr(), p.Bits()), p.Bits()+1)
		return append(subtract(low.String(), except[i:]), subtract(high.String(), except[i:])...)
	}
	return []string{p.String()}
}

// flip sets the bit after the first n of a.
func flip(a netip.Addr, n int) netip.Addr {
	b := a.As4()
	b[n/8] |= 0x80 >> (n % 8)
	return netip.AddrFrom4(b)
}
