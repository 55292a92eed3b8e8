package servicelb

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func node(name, internal string, ready bool, labels map[string]string) *corev1.Node {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: map[string]string{}},
		Status: corev1.NodeStatus{
			Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: internal}, {Type: corev1.NodeHostName, Address: name}},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}},
		},
	}
}

func TestWhichAddressesAServiceGets(t *testing.T) {
	external := node("e", "10.0.0.9", true, nil)
	external.Annotations["k3s.io/external-ip"] = "192.0.2.9"
	for name, tc := range map[string]struct {
		nodes []*corev1.Node
		want  []string
	}{
		"ready nodes, sorted":          {[]*corev1.Node{node("b", "10.0.0.2", true, nil), node("a", "10.0.0.1", true, nil), node("c", "10.0.0.3", false, nil)}, []string{"10.0.0.1", "10.0.0.2"}},
		"external ones before":         {[]*corev1.Node{node("a", "10.0.0.1", true, nil), external}, []string{"192.0.2.9"}},
		"only labelled ones":           {[]*corev1.Node{node("a", "10.0.0.1", true, nil), node("b", "10.0.0.2", true, map[string]string{enable: "true"})}, []string{"10.0.0.2"}},
		"not the excluded":             {[]*corev1.Node{node("a", "10.0.0.1", true, map[string]string{corev1.LabelNodeExcludeBalancers: ""})}, nil},
		"the same address counts once": {[]*corev1.Node{node("a", "10.0.0.1", true, nil), node("b", "10.0.0.1", true, nil)}, []string{"10.0.0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Addresses(tc.nodes); !slices.Equal(got, tc.want) {
				t.Fatalf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestLocalTrafficNeedsAReadyEndpointOnTheNode(t *testing.T) {
	a, b, yes, no := "a", "b", true, false
	slice := &discoveryv1.EndpointSlice{Endpoints: []discoveryv1.Endpoint{
		{NodeName: &a, Conditions: discoveryv1.EndpointConditions{Ready: &yes}}, {NodeName: &b, Conditions: discoveryv1.EndpointConditions{Ready: &no}}}}
	got := withEndpoints([]*corev1.Node{node("a", "10.0.0.1", true, nil), node("b", "10.0.0.2", true, nil)}, []*discoveryv1.EndpointSlice{slice})
	if len(got) != 1 || got[0].Name != "a" {
		t.Fatalf("got %d nodes", len(got))
	}
}
