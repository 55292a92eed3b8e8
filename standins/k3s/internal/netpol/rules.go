// Package netpol enforces NetworkPolicy v1 (IPv4) for the pods of one node with iptables.
package netpol

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Chain names. Every isolated pod has one chain a direction; the hooks jump into them.
const (
	hookForward = "GW-NETPOL-FWD" // between pods, and between pods and what is outside
	hookInput   = "GW-NETPOL-IN"  // from pods to the node itself
	podPrefix   = "GW-POD-"
)

// State is everything that the rules depend on.
type State struct {
	Node       string
	Pods       []*corev1.Pod
	Namespaces map[string]labels.Set
	Policies   []*netv1.NetworkPolicy
}

// Rules is the filter table's part as iptables-restore input. One transaction replaces all of it, so there is no moment
// with half of the rules. What a pod may do is a run of RETURNs in its chain, ended by a REJECT.
func Rules(s State) string {
	pods := make([]*corev1.Pod, 0, len(s.Pods))
	for _, p := range s.Pods {
		if hasAddress(p) {
			pods = append(pods, p)
		}
	}
	sort.Slice(pods, func(i, j int) bool { return pods[i].Namespace+"/"+pods[i].Name < pods[j].Namespace+"/"+pods[j].Name })
	policies := append([]*netv1.NetworkPolicy{}, s.Policies...)
	sort.Slice(policies, func(i, j int) bool {
		return policies[i].Namespace+"/"+policies[i].Name < policies[j].Namespace+"/"+policies[j].Name
	})
	w := &writer{pods: pods, namespaces: s.Namespaces}
	for _, p := range pods {
		if p.Spec.NodeName == s.Node {
			w.pod(p, policies)
		}
	}
	var out strings.Builder
	out.WriteString("*filter\n")
	for _, c := range append([]string{hookForward, hookInput}, w.chains...) {
		fmt.Fprintf(&out, ":%s - [0:0]\n", c)
	}
	for _, h := range []string{hookForward, hookInput} {
		fmt.Fprintf(&out, "-A %s -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN\n", h)
	}
	out.WriteString(w.hooks.String())
	out.WriteString(w.body.String())
	out.WriteString("COMMIT\n")
	return out.String()
}

// hasAddress tells whether a pod is to be seen under an address of its own.
func hasAddress(p *corev1.Pod) bool {
	if p.Spec.HostNetwork || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return false
	}
	a, err := netip.ParseAddr(p.Status.PodIP)
	return err == nil && a.Is4()
}

type writer struct {
	pods        []*corev1.Pod
	namespaces  map[string]labels.Set
	chains      []string
	hooks, body strings.Builder
}

// pod writes the chains of one pod of this node.
func (w *writer) pod(p *corev1.Pod, policies []*netv1.NetworkPolicy) {
	ip := p.Status.PodIP
	egress, isolatedOut := w.direction(p, policies, netv1.PolicyTypeEgress)
	ingress, isolatedIn := w.direction(p, policies, netv1.PolicyTypeIngress)
	if isolatedOut || isolatedIn {
		// A pod always reaches itself, also by way of its own Service.
		fmt.Fprintf(&w.hooks, "-A %s -s %s -d %s -j RETURN\n", hookForward, ip, ip)
	}
	if isolatedOut {
		c := w.chain(p, "E", egress)
		fmt.Fprintf(&w.hooks, "-A %s -s %s -j %s\n", hookForward, ip, c)
		fmt.Fprintf(&w.hooks, "-A %s -s %s -j %s\n", hookInput, ip, c)
	}
	if isolatedIn {
		fmt.Fprintf(&w.hooks, "-A %s -d %s -j %s\n", hookForward, ip, w.chain(p, "I", ingress))
	}
}

func (w *writer) chain(p *corev1.Pod, side string, allow []string) string {
	sum := sha256.Sum256([]byte(string(p.UID) + p.Namespace + "/" + p.Name))
	name := podPrefix + side + "-" + hex.EncodeToString(sum[:6])
	w.chains = append(w.chains, name)
	for _, a := range dedupe(allow) {
		fmt.Fprintf(&w.body, "-A %s%s -j RETURN\n", name, a)
	}
	fmt.Fprintf(&w.body, "-A %s -m comment --comment %q -j REJECT --reject-with icmp-port-unreachable\n", name, p.Namespace+"/"+p.Name)
	return name
}

func dedupe(in []string) []string {
	seen := map[string]bool{}
	out := in[:0]
	for _, s := range in {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// direction collects the matches that p's policies allow in one direction, and whether any policy selects p at all.
func (w *writer) direction(p *corev1.Pod, policies []*netv1.NetworkPolicy, dir netv1.PolicyType) (allow []string, isolated bool) {
	for _, np := range policies {
		if np.Namespace != p.Namespace || !concerns(np, dir) || !selects(&np.Spec.PodSelector, p.Labels) {
			continue
		}
		isolated = true
		if dir == netv1.PolicyTypeIngress {
			for _, r := range np.Spec.Ingress {
				allow = append(allow, w.matches(np.Namespace, "-s", r.From, r.Ports, p)...)
			}
			continue
		}
		for _, r := range np.Spec.Egress {
			allow = append(allow, w.matches(np.Namespace, "-d", r.To, r.Ports, nil)...)
		}
	}
	return allow, isolated
}

func concerns(np *netv1.NetworkPolicy, dir netv1.PolicyType) bool {
	for _, t := range np.Spec.PolicyTypes { // the API server fills them in
		if t == dir {
			return true
		}
	}
	return false
}

func selects(selector *metav1.LabelSelector, l map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(l))
}

// matches are the iptables matches of one rule. receiver is the pod at which a named port is looked up: the selected pod
// for ingress; for egress (nil) each peer pod's own.
func (w *writer) matches(namespace, side string, peers []netv1.NetworkPolicyPeer, ports []netv1.NetworkPolicyPort, receiver *corev1.Pod) []string {
	var out []string
	if len(peers) == 0 {
		out = append(out, portMatches("", ports, receiver)...)
		if names := namedOnly(ports); receiver == nil && len(names) > 0 { // any destination, but a name means something at pods only
			for _, q := range w.pods {
				out = append(out, portMatches(" -d "+q.Status.PodIP, names, q)...)
			}
		}
		return out
	}
	for _, peer := range peers {
		if b := peer.IPBlock; b != nil {
			for _, n := range subtract(b.CIDR, b.Except) {
				out = append(out, portMatches(" "+side+" "+n, ports, receiver)...)
			}
			continue
		}
		for _, q := range w.pods {
			if !w.isPeer(namespace, peer, q) {
				continue
			}
			at := receiver
			if at == nil {
				at = q
			}
			out = append(out, portMatches(" "+side+" "+q.Status.PodIP, ports, at)...)
		}
	}
	return out
}

// namedOnly are the ports given by name.
func namedOnly(ports []netv1.NetworkPolicyPort) []netv1.NetworkPolicyPort {
	var out []netv1.NetworkPolicyPort
	for _, p := range ports {
		if p.Port != nil && p.Port.StrVal != "" {
			out = append(out, p)
		}
	}
	return out
}

func (w *writer) isPeer(namespace string, peer netv1.NetworkPolicyPeer, q *corev1.Pod) bool {
	if peer.NamespaceSelector == nil {
		if q.Namespace != namespace {
			return false
		}
	} else if ns, ok := w.namespaces[q.Namespace]; !ok || !selects(peer.NamespaceSelector, ns) {
		return false
	}
	return peer.PodSelector == nil || selects(peer.PodSelector, q.Labels)
}
