package object

import (
	"testing"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &obj.Object); err != nil {
		t.Fatal(err)
	}
	return obj
}

func same(t *testing.T, got, want *unstructured.Unstructured) {
	t.Helper()
	a, err := yaml.Marshal(got.Object)
	if err != nil {
		t.Fatal(err)
	}
	b, err := yaml.Marshal(want.Object)
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Errorf("got:\n%s\nwant:\n%s", a, b)
	}
}

func TestNormalize(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"quantities as the server writes them": {
			"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, resources: {limits: {cpu: 0.5, memory: 1024Mi}}}]}}",
			"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, resources: {limits: {cpu: 500m, memory: 1Gi}}}]}}"},
		"stringData becomes data": {
			"{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {b: eA==}, stringData: {c: x}}",
			"{apiVersion: v1, kind: Secret, metadata: {name: a}, data: {b: eA==, c: eA==}}"},
		"unknown kinds stay": {
			"{apiVersion: example.org/v1, kind: Thing, metadata: {name: a, uid: b}, spec: {cpu: 0.5}}",
			"{apiVersion: example.org/v1, kind: Thing, metadata: {name: a}, spec: {cpu: 0.5}}"},
		"a definition loses its status": {
			"{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: a}, spec: {preserveUnknownFields: false}, status: {x: y}}",
			"{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: a}, spec: {}}"},
		"what does not fit the type stays as it is": {
			"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: none}}",
			"{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: none}}"},
	} {
		t.Run(name, func(t *testing.T) { same(t, Normalize(parse(t, test.in)), parse(t, test.want)) })
	}
}

func TestPrune(t *testing.T) {
	live := parse(t, "{spec: {a: 1, b: 2, list: [{x: 1, y: 2}, {x: 3}], plain: [1, 2]}, status: {c: 3}}")
	inputs := parse(t, "{spec: {a: 9, list: [{x: 9}], plain: [7]}, extra: {}}")
	same(t, Prune(live, inputs), parse(t, "{spec: {a: 1, list: [{x: 1}], plain: [1]}}"))
}

func TestProperties(t *testing.T) {
	unknown := resource.MakeComputed(resource.NewStringProperty(""))
	obj := FromProperties(resource.PropertyMap{
		"x_kubernetes_list_type": resource.NewStringProperty("map"),
		"secret":                 resource.MakeSecret(resource.NewStringProperty("s")),
		"later":                  unknown,
	})
	if obj.Object["x-kubernetes-list-type"] != "map" || obj.Object["secret"] != "s" || !HasUnknown(obj) {
		t.Errorf("got %v", obj.Object)
	}
	delete(obj.Object, "later")
	if got := ToProperties(obj); got["x_kubernetes_list_type"].StringValue() != "map" || HasUnknown(obj) {
		t.Errorf("got %v", got)
	}
}

func TestAnnotations(t *testing.T) {
	obj := parse(t, "{metadata: {annotations: {pulumi.com/timeoutSeconds: '7', pulumi.com/deletionPropagationPolicy: Orphan}}}")
	if got := Timeout(0, obj); got != 7*time.Second {
		t.Errorf("annotation: %v", got)
	}
	if got := Timeout(1.5, obj); got != 1500*time.Millisecond {
		t.Errorf("customTimeouts come first: %v", got)
	}
	if got := Timeout(0, parse(t, "{}")); got != DefaultTimeout {
		t.Errorf("default: %v", got)
	}
	if got := Propagation(obj); got != metav1.DeletePropagationOrphan {
		t.Errorf("propagation: %v", got)
	}
	if got := Propagation(parse(t, "{}")); got != metav1.DeletePropagationForeground {
		t.Errorf("propagation by default: %v", got)
	}
	SetAnnotation(obj, AutonamedAnnotation, "true")
	if !Flag(obj, AutonamedAnnotation) {
		t.Error("annotation was not set")
	}
}
