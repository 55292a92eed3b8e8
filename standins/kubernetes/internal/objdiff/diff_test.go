package objdiff

import (
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func kinds(changes []Change) map[string]string {
	out := map[string]string{}
	for _, change := range changes {
		out[change.Key()] = change.Kind.String()
	}
	return out
}

func TestCompare(t *testing.T) {
	for name, test := range map[string]struct {
		old, new string
		want     map[string]string
	}{
		"equal, numbers of different types": {"a: 1\nb: {c: [1, x]}", "a: 1.0\nb: {c: [1, x]}", nil},
		"scalars":                           {"a: 1\nb: x", "a: 2\nc: y", map[string]string{"a": "UPDATE", "b": "DELETE", "c": "ADD"}},
		"null in the inputs means absent":   {"a: 1", "a: null\nb: null", map[string]string{"a": "DELETE"}},
		"keys with dots are quoted":         {"l: {app.io/name: a}", "l: {app.io/name: b}", map[string]string{`l["app.io/name"]`: "UPDATE"}},
		"list elements by position":         {"l: [{a: 1}, {a: 2}]", "l: [{a: 1}, {a: 3}, {a: 4}]", map[string]string{"l[1].a": "UPDATE", "l[2]": "ADD"}},
		"list gets shorter":                 {"l: [1, 2]", "l: [1]", map[string]string{"l[1]": "DELETE"}},
		"other type":                        {"a: [1]", "a: {b: 1}", map[string]string{"a": "UPDATE"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := kinds(Compare(parse(t, test.old), parse(t, test.new))); !maps.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestCompareUnknown(t *testing.T) {
	unknown := resource.Computed{Element: resource.NewStringProperty("")}
	got := kinds(Compare(map[string]any{"a": "x"}, map[string]any{"a": unknown, "b": unknown}))
	if want := map[string]string{"a": "UPDATE", "b": "ADD"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// replaced lists the changed properties that force a replacement.
func replaced(t *testing.T, old, new string, may Mutability) []string {
	t.Helper()
	inputs := parse(t, new)
	fields := ForceNew(&unstructured.Unstructured{Object: inputs}, false, may)
	out := []string{}
	for _, change := range Compare(parse(t, old), inputs) {
		if Forces(change, fields) {
			out = append(out, change.Key())
		}
	}
	slices.Sort(out)
	return out
}

func TestForceNew(t *testing.T) {
	for name, test := range map[string]struct {
		head, old, new string
		may            Mutability
		want           []string
	}{
		"renamed":                    {"{apiVersion: v1, kind: Service", "metadata: {name: a}}", "metadata: {name: b}}", Mutability{}, []string{"metadata.name"}},
		"labels change in place":     {"{apiVersion: v1, kind: Service", "metadata: {labels: {a: b}}}", "metadata: {labels: {a: c}}}", Mutability{}, []string{}},
		"selector, below the field":  {"{apiVersion: apps/v1, kind: Deployment", "spec: {selector: {matchLabels: {a: b}}}}", "spec: {selector: {matchLabels: {a: c}}}}", Mutability{}, []string{"spec.selector.matchLabels.a"}},
		"selector, added around it":  {"{apiVersion: apps/v1, kind: Deployment", "metadata: {}}", "metadata: {}, spec: {selector: {}}}", Mutability{}, []string{"spec"}},
		"spec without a selector":    {"{apiVersion: apps/v1, kind: Deployment", "metadata: {}}", "metadata: {}, spec: {replicas: 1}}", Mutability{}, []string{}},
		"image of a Deployment":      {"{apiVersion: apps/v1, kind: Deployment", "spec: {template: {spec: {containers: [{image: a}]}}}}", "spec: {template: {spec: {containers: [{image: b}]}}}}", Mutability{}, []string{}},
		"image of a Pod":             {"{apiVersion: v1, kind: Pod", "spec: {containers: [{image: a}]}}", "spec: {containers: [{image: b}]}}", Mutability{}, []string{"spec.containers[0].image"}},
		"template of a Job":          {"{apiVersion: batch/v1, kind: Job", "spec: {template: {spec: {x: 1}}}}", "spec: {template: {spec: {x: 2}}}}", Mutability{}, []string{"spec.template.spec.x"}},
		"role of a binding":          {"{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding", "roleRef: {name: a}}", "roleRef: {name: b}}", Mutability{}, []string{"roleRef.name"}},
		"ConfigMap":                  {"{apiVersion: v1, kind: ConfigMap", "data: {a: b}}", "data: {a: c}}", Mutability{}, []string{"data.a"}},
		"mutable ConfigMap":          {"{apiVersion: v1, kind: ConfigMap", "data: {a: b}}", "data: {a: c}}", Mutability{ConfigMaps: true}, []string{}},
		"frozen ConfigMap":           {"{apiVersion: v1, kind: ConfigMap, immutable: true", "data: {a: b}}", "data: {a: c}}", Mutability{ConfigMaps: true}, []string{"data.a"}},
		"Secret":                     {"{apiVersion: v1, kind: Secret", "data: {a: b}}", "data: {a: c}}", Mutability{}, []string{"data.a"}},
		"mutable Secret, new type":   {"{apiVersion: v1, kind: Secret", "type: a, data: {a: b}}", "type: b, data: {a: c}}", Mutability{Secrets: true}, []string{"type"}},
		"another group's Deployment": {"{apiVersion: example.org/v1, kind: Deployment", "spec: {selector: a}}", "spec: {selector: b}}", Mutability{}, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := replaced(t, test.head+", "+test.old, test.head+", "+test.new, test.may); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestFieldTouches(t *testing.T) {
	change := Change{Path: []any{"spec", "template", "spec"}}
	for field, want := range map[string]bool{
		"spec.template": true, "spec.template.spec": true, "spec.template.spec.containers[0].image": true,
		"spec": true, "spec.templates": false, "spec.selector": false,
	} {
		if got := FieldTouches(change, field); got != want {
			t.Errorf("%s: got %v, want %v", field, got, want)
		}
	}
}

func TestReplacing(t *testing.T) {
	for kind, want := range map[pulumirpc.PropertyDiff_Kind]pulumirpc.PropertyDiff_Kind{
		pulumirpc.PropertyDiff_ADD:    pulumirpc.PropertyDiff_ADD_REPLACE,
		pulumirpc.PropertyDiff_DELETE: pulumirpc.PropertyDiff_DELETE_REPLACE,
		pulumirpc.PropertyDiff_UPDATE: pulumirpc.PropertyDiff_UPDATE_REPLACE,
	} {
		if got := Replacing(kind); got != want {
			t.Errorf("%v: got %v, want %v", kind, got, want)
		}
	}
}
