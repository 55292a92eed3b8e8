package netpol

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func pod(ns, name, ip string, ports ...corev1.ContainerPort) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{NodeName: "here", Containers: []corev1.Container{{Name: "c", Ports: ports}}},
		Status:     corev1.PodStatus{PodIP: ip, Phase: corev1.PodRunning},
	}
}

func policy(ns string, selected map[string]string, types []netv1.PolicyType, in []netv1.NetworkPolicyIngressRule, out []netv1.NetworkPolicyEgressRule) *netv1.NetworkPolicy {
	return &netv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "p"},
		Spec:       netv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: selected}, PolicyTypes: types, Ingress: in, Egress: out},
	}
}

func port(v any, end int32, protocol corev1.Protocol) netv1.NetworkPolicyPort {
	p := netv1.NetworkPolicyPort{Protocol: &protocol}
	switch v := v.(type) {
	case int:
		x := intstr.FromInt32(int32(v))
		p.Port = &x
	case string:
		x := intstr.FromString(v)
		p.Port = &x
	}
	if end != 0 {
		p.EndPort = &end
	}
	return p
}

var (
	both    = []netv1.PolicyType{netv1.PolicyTypeIngress, netv1.PolicyTypeEgress}
	ingress = both[:1]
	egress  = both[1:]
	web     = pod("app", "web", "10.42.0.5", corev1.ContainerPort{Name: "http", ContainerPort: 8080})
	db      = pod("data", "db", "10.42.1.7", corev1.ContainerPort{Name: "sql", ContainerPort: 5432}, corev1.ContainerPort{Name: "sql", ContainerPort: 5433, Protocol: corev1.ProtocolUDP})
)

func state(policies ...*netv1.NetworkPolicy) State {
	return State{Node: "here", Pods: []*corev1.Pod{web, db}, Policies: policies,
		Namespaces: map[string]labels.Set{"app": {"tier": "app"}, "data": {"tier": "data"}}}
}

// allowed are the matches that a pod's chain lets through, in order.
func allowed(t *testing.T, rules, side string) []string {
	t.Helper()
	var out []string
	for _, l := range strings.Split(rules, "\n") {
		if strings.HasPrefix(l, "-A "+podPrefix+side+"-") && strings.HasSuffix(l, " -j RETURN") {
			_, m, _ := strings.Cut(strings.TrimPrefix(l, "-A "), " ")
			out = append(out, strings.TrimSuffix(m, "-j RETURN"))
		}
	}
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}

func TestNoPolicyNoRule(t *testing.T) {
	if r := Rules(state()); strings.Contains(r, podPrefix) {
		t.Fatalf("pods without a policy must not be touched:\n%s", r)
	}
}

func TestDefaultDenyClosesBothWaysAndTheNodeItself(t *testing.T) {
	r := Rules(state(policy("app", nil, both, nil, nil)))
	for _, want := range []string{
		"-A GW-NETPOL-FWD -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
		"-A GW-NETPOL-FWD -s 10.42.0.5 -d 10.42.0.5 -j RETURN",
		"-A GW-NETPOL-FWD -d 10.42.0.5 -j " + podPrefix + "I-",
		"-A GW-NETPOL-FWD -s 10.42.0.5 -j " + podPrefix + "E-",
		"-A GW-NETPOL-IN -s 10.42.0.5 -j " + podPrefix + "E-",
		`--comment "app/web" -j REJECT`,
	} {
		if !strings.Contains(r, want) {
			t.Errorf("no %q in\n%s", want, r)
		}
	}
	if strings.Contains(r, "10.42.1.7") {
		t.Errorf("a pod of another namespace is touched:\n%s", r)
	}
	if len(allowed(t, r, "I")) != 0 || len(allowed(t, r, "E")) != 0 {
		t.Error("default deny allows something")
	}
}

func TestPeersAndPorts(t *testing.T) {
	data := &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "data"}}
	other := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "other"}}
	for name, tc := range map[string]struct {
		policy *netv1.NetworkPolicy
		side   string
		want   []string
	}{
		"namespace and pod selector": {policy("app", nil, egress, nil, []netv1.NetworkPolicyEgressRule{{
			To:    []netv1.NetworkPolicyPeer{{NamespaceSelector: data, PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}}},
			Ports: []netv1.NetworkPolicyPort{port(5432, 0, "TCP")}}}), "E", []string{"-d 10.42.1.7 -p tcp -m tcp --dport 5432"}},
		"pod selector stays in its namespace": {policy("app", nil, egress, nil, []netv1.NetworkPolicyEgressRule{{
			To: []netv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{}}}}}), "E", []string{"-d 10.42.0.5"}},
		"both selectors must match": {policy("app", nil, egress, nil, []netv1.NetworkPolicyEgressRule{{
			To: []netv1.NetworkPolicyPeer{{NamespaceSelector: data, PodSelector: other}}}}), "E", nil},
		"a named port of egress is the peer's": {policy("app", nil, egress, nil, []netv1.NetworkPolicyEgressRule{{
			To:    []netv1.NetworkPolicyPeer{{NamespaceSelector: data}},
			Ports: []netv1.NetworkPolicyPort{port("sql", 0, "TCP"), port("sql", 0, "UDP"), port("none", 0, "TCP")}}}), "E",
			[]string{"-d 10.42.1.7 -p tcp -m tcp --dport 5432", "-d 10.42.1.7 -p udp -m udp --dport 5433"}},
		"a named port to anywhere": {policy("app", nil, egress, nil, []netv1.NetworkPolicyEgressRule{{
			Ports: []netv1.NetworkPolicyPort{port("sql", 0, "TCP"), port(53, 0, "UDP")}}}), "E",
			[]string{"-p udp -m udp --dport 53", "-d 10.42.1.7 -p tcp -m tcp --dport 5432"}},
		"a named port of ingress is the pod's own": {policy("app", nil, ingress, []netv1.NetworkPolicyIngressRule{{
			From:  []netv1.NetworkPolicyPeer{{NamespaceSelector: data}},
			Ports: []netv1.NetworkPolicyPort{port("http", 0, "TCP")}}}, nil), "I", []string{"-s 10.42.1.7 -p tcp -m tcp --dport 8080"}},
		"a range": {policy("app", nil, ingress, []netv1.NetworkPolicyIngressRule{{
			Ports: []netv1.NetworkPolicyPort{port(8000, 8100, "TCP")}}}, nil), "I", []string{"-p tcp -m tcp --dport 8000:8100"}},
		"a protocol alone": {policy("app", nil, ingress, []netv1.NetworkPolicyIngressRule{{
			Ports: []netv1.NetworkPolicyPort{port(nil, 0, "UDP")}}}, nil), "I", []string{"-p udp"}},
		"an empty rule allows all": {policy("app", nil, ingress, []netv1.NetworkPolicyIngressRule{{}}, nil), "I", []string{""}},
		"a block with a hole": {policy("app", nil, ingress, []netv1.NetworkPolicyIngressRule{{
			From: []netv1.NetworkPolicyPeer{{IPBlock: &netv1.IPBlock{CIDR: "10.0.0.0/30", Except: []string{"10.0.0.1/32"}}}}}}, nil), "I",
			[]string{"-s 10.0.0.0/32", "-s 10.0.0.2/31"}},
		"IPv6 blocks match nothing here": {policy("app", nil, ingress, []netv1.NetworkPolicyIngressRule{{
			From: []netv1.NetworkPolicyPeer{{IPBlock: &netv1.IPBlock{CIDR: "::/0"}}}}}, nil), "I", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := allowed(t, Rules(state(tc.policy)), tc.side); !slices.Equal(got, tc.want) {
				t.Fatalf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOnlyThisNodesRunningPodsAreFiltered(t *testing.T) {
	elsewhere, done, host := pod("app", "a", "10.42.2.1"), pod("app", "b", "10.42.0.8"), pod("app", "c", "10.0.0.4")
	elsewhere.Spec.NodeName = "there"
	done.Status.Phase = corev1.PodSucceeded
	host.Spec.HostNetwork = true
	s := state(policy("app", nil, both, nil, nil))
	s.Pods = []*corev1.Pod{elsewhere, done, host}
	if r := Rules(s); strings.Contains(r, podPrefix) {
		t.Fatalf("got\n%s", r)
	}
}

func TestSubtract(t *testing.T) {
	for _, tc := range []struct {
		cidr   string
		except []string
		want   []string
	}{
		{"10.0.0.0/8", nil, []string{"10.0.0.0/8"}},
		{"0.0.0.0/0", []string{"128.0.0.0/1"}, []string{"0.0.0.0/1"}},
		{"10.0.0.0/24", []string{"10.0.0.0/16"}, nil},
		{"10.0.0.0/24", []string{"192.168.0.0/16"}, []string{"10.0.0.0/24"}},
		{"10.0.0.0/29", []string{"10.0.0.0/31", "10.0.0.6/31"}, []string{"10.0.0.2/31", "10.0.0.4/31"}},
		{"10.0.0.5/32", []string{"10.0.0.5/32"}, nil},
	} {
		if got := subtract(tc.cidr, tc.except); !slices.Equal(got, tc.want) {
			t.Errorf("%s without %v: got %v, want %v", tc.cidr, tc.except, got, tc.want)
		}
	}
}
