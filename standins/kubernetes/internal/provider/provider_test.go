package provider

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"

	"groundwork.dev/standins/kubernetes/internal/engine"
)

const prefix = "urn:pulumi:dev::project::"

func wire(t *testing.T, properties map[string]any) *structpb.Struct {
	t.Helper()
	return wireMap(t, resource.NewPropertyMapFromMap(properties))
}

func wireMap(t *testing.T, properties resource.PropertyMap) *structpb.Struct {
	t.Helper()
	out, err := plugin.MarshalProperties(properties, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// offline is a provider with server-side apply, a default namespace and no cluster.
func offline() *Provider {
	p := New("4.34.2", &engine.Log{})
	p.acceptSecrets = true
	p.config = readConfig(map[string]string{"kubernetes:config:namespace": "team"})
	return p
}

func check(t *testing.T, p *Provider, kind string, olds, news resource.PropertyMap) (resource.PropertyMap, error) {
	t.Helper()
	req := &pulumirpc.CheckRequest{Urn: prefix + kind + "::web", News: wireMap(t, news), RandomSeed: []byte("0123456789abcdef0123456789abcdef")}
	if olds != nil {
		req.Olds = wireMap(t, olds)
	}
	resp, err := p.Check(context.Background(), req)
	if err != nil {
		return nil, err
	}
	props, err := read(resp.GetInputs())
	if err != nil {
		t.Fatal(err)
	}
	return props, nil
}

func TestCheckNames(t *testing.T) {
	inputs := resource.NewPropertyMapFromMap(map[string]any{"apiVersion": "v1", "kind": "ConfigMap"})
	first, err := check(t, offline(), "kubernetes:core/v1:ConfigMap", nil, inputs)
	if err != nil {
		t.Fatal(err)
	}
	metadata := first["metadata"].ObjectValue()
	name := metadata["name"].StringValue()
	if !strings.HasPrefix(name, "web-") || len(name) != len("web-")+8 {
		t.Errorf("name %q", name)
	}
	if metadata["namespace"].StringValue() != "team" {
		t.Errorf("namespace %v", metadata["namespace"])
	}
	if metadata["annotations"].ObjectValue()["pulumi.com/autonamed"].StringValue() != "true" {
		t.Error("the name is not marked as made up")
	}
	again, err := check(t, offline(), "kubernetes:core/v1:ConfigMap", first, inputs)
	if err != nil {
		t.Fatal(err)
	}
	if got := again["metadata"].ObjectValue()["name"].StringValue(); got != name {
		t.Errorf("the next check gave another name: %q", got)
	}
}

func TestCheckScope(t *testing.T) {
	named := map[string]any{"name": "a"}
	for kind, want := range map[string]string{
		"kubernetes:core/v1:Namespace":                                         "",
		"kubernetes:core/v1:Pod":                                               "team",
		"kubernetes:rbac.authorization.k8s.io/v1:ClusterRole":                  "",
		"kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition":          "",
		"kubernetes:example.org/v1:Thing":                                      "team",
		"kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy": "",
	} {
		parts := strings.Split(kind, ":")
		inputs := map[string]any{"apiVersion": strings.TrimPrefix(parts[1], "core/"), "kind": parts[2], "metadata": named}
		got, err := check(t, offline(), kind, nil, resource.NewPropertyMapFromMap(inputs))
		if err != nil {
			t.Fatal(err)
		}
		namespace := ""
		if value, ok := got["metadata"].ObjectValue()["namespace"]; ok {
			namespace = value.StringValue()
		}
		if namespace != want {
			t.Errorf("%s: namespace %q, want %q", kind, namespace, want)
		}
	}
}

func TestCheckRefuses(t *testing.T) {
	for kind, want := range map[string]string{
		"kubernetes:apps/v1:DeploymentPatch": "need metadata.name",
		"kubernetes:core/v1:ConfigMapList":   "lists cannot be created",
		"kubernetes:helm.sh/v3:Release":      "no Helm",
		"kubernetes:nonsense:Thing":          "no resource type",
	} {
		inputs := resource.NewPropertyMapFromMap(map[string]any{"apiVersion": "apps/v1", "kind": "Deployment"})
		if _, err := check(t, offline(), kind, nil, inputs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", kind, err, want)
		}
	}
}

func TestCheckKeepsSecretsAndUnknowns(t *testing.T) {
	unknown := resource.MakeComputed(resource.NewStringProperty(""))
	got, err := check(t, offline(), "kubernetes:core/v1:Secret", nil, resource.PropertyMap{
		"apiVersion": resource.NewStringProperty("v1"),
		"kind":       resource.NewStringProperty("Secret"),
		"metadata":   resource.NewObjectProperty(resource.PropertyMap{"name": unknown}),
		"stringData": resource.NewObjectProperty(resource.PropertyMap{"a": resource.NewStringProperty("plain")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !got["stringData"].IsSecret() {
		t.Error("the data of a Secret must be secret")
	}
	metadata := got["metadata"].ObjectValue()
	if !metadata["name"].IsComputed() || metadata.HasValue("annotations") {
		t.Errorf("a name that is not known yet must stay: %v", metadata)
	}
}

const kubeconfigs = `{"clusters":[{"name":"a","cluster":{"server":"https://a"}},{"name":"b","cluster":{"server":"https://b"}}],
"users":[{"name":"u","user":{"token":"TOKEN"}}],"contexts":[{"name":"a","context":{"cluster":"a","user":"u"}},{"name":"b","context":{"cluster":"b","user":"u"}}],"current-context":"CURRENT"}`

func kubeconfig(current, token string) string {
	return strings.NewReplacer("CURRENT", current, "TOKEN", token).Replace(kubeconfigs)
}

func TestDiffConfig(t *testing.T) {
	for name, test := range map[string]struct {
		olds, news      map[string]any
		diffs, replaces []string
	}{
		"the same":                    {map[string]any{"kubeconfig": kubeconfig("a", "x")}, map[string]any{"kubeconfig": kubeconfig("a", "x")}, nil, nil},
		"another token":               {map[string]any{"kubeconfig": kubeconfig("a", "x")}, map[string]any{"kubeconfig": kubeconfig("a", "y")}, []string{"kubeconfig"}, nil},
		"another cluster":             {map[string]any{"kubeconfig": kubeconfig("a", "x")}, map[string]any{"kubeconfig": kubeconfig("b", "x")}, []string{"kubeconfig"}, []string{"kubeconfig"}},
		"another context":             {map[string]any{"kubeconfig": kubeconfig("a", "x")}, map[string]any{"kubeconfig": kubeconfig("a", "x"), "context": "b"}, []string{"context"}, []string{"context"}},
		"another cluster, identified": {map[string]any{"kubeconfig": kubeconfig("a", "x"), "clusterIdentifier": "i"}, map[string]any{"kubeconfig": kubeconfig("b", "x"), "clusterIdentifier": "i"}, []string{"kubeconfig"}, nil},
		"another identifier":          {map[string]any{"clusterIdentifier": "i"}, map[string]any{"clusterIdentifier": "j"}, []string{"clusterIdentifier"}, []string{"clusterIdentifier"}},
		"identifier added":            {map[string]any{"namespace": "n"}, map[string]any{"namespace": "n", "clusterIdentifier": "j"}, []string{"clusterIdentifier"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := offline().DiffConfig(context.Background(), &pulumirpc.DiffRequest{Olds: wire(t, test.olds), News: wire(t, test.news)})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(resp.Diffs)
			if !slices.Equal(resp.GetDiffs(), test.diffs) || !slices.Equal(resp.GetReplaces(), test.replaces) {
				t.Errorf("diffs %v, replaces %v", resp.GetDiffs(), resp.GetReplaces())
			}
		})
	}
}

func TestKubeconfigErrorsKeepItsContent(t *testing.T) {
	for _, text := range []string{"{\"users\": \"hunter2\"", "hunter2-is-no-file", "kind: Config\nusers: hunter2\n"} {
		if _, err := parseKubeconfig(text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestDiff(t *testing.T) {
	object := func(image, name string) map[string]any {
		return map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": name, "namespace": "team"},
			"spec": map[string]any{"replicas": 1.0, "selector": map[string]any{"matchLabels": map[string]any{"app": name}},
				"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "c", "image": image}}}}},
		}
	}
	state := func(image, name string) map[string]any {
		live := object(image, name)
		live["status"] = map[string]any{"replicas": 1.0}
		live["spec"].(map[string]any)["progressDeadlineSeconds"] = 600.0
		live["__inputs"] = object("i:1", name)
		live["__fieldManager"], live["__initialApiVersion"] = "m", "apps/v1"
		return live
	}
	for name, test := range map[string]struct {
		olds, news      map[string]any
		diffs, replaces []string
		before          bool
	}{
		"nothing":          {state("i:1", "a"), object("i:1", "a"), []string{}, nil, false},
		"changed":          {state("i:1", "a"), object("i:2", "a"), []string{"spec.template.spec.containers[0].image"}, nil, false},
		"drift of a field": {state("i:drift", "a"), object("i:1", "a"), []string{"spec.template.spec.containers[0].image"}, nil, false},
		"selector, name kept": {state("i:1", "a"), func() map[string]any {
			o := object("i:1", "a")
			o["spec"].(map[string]any)["selector"].(map[string]any)["matchLabels"] = map[string]any{"app": "z"}
			return o
		}(), []string{"spec.selector.matchLabels.app"}, []string{"spec.selector.matchLabels.app"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			resp, err := offline().Diff(context.Background(), &pulumirpc.DiffRequest{
				Urn: prefix + "kubernetes:apps/v1:Deployment::web", Olds: wire(t, test.olds), News: wire(t, test.news),
			})
			if err != nil {
				t.Fatal(err)
			}
			diffs := []string{}
			for key := range resp.GetDetailedDiff() {
				diffs = append(diffs, key)
			}
			slices.Sort(diffs)
			if !slices.Equal(diffs, test.diffs) || !slices.Equal(resp.GetReplaces(), test.replaces) || resp.GetDeleteBeforeReplace() != test.before {
				t.Errorf("diffs %v, replaces %v, before %v", diffs, resp.GetReplaces(), resp.GetDeleteBeforeReplace())
			}
			if (resp.GetChanges() == pulumirpc.DiffResponse_DIFF_SOME) != (len(test.diffs) > 0) {
				t.Errorf("changes %v", resp.GetChanges())
			}
		})
	}
	ignored, err := offline().Diff(context.Background(), &pulumirpc.DiffRequest{
		Urn: prefix + "kubernetes:apps/v1:Deployment::web", Olds: wire(t, state("i:1", "a")), News: wire(t, object("i:2", "a")),
		IgnoreChanges: []string{"spec.template"},
	})
	if err != nil || ignored.GetChanges() != pulumirpc.DiffResponse_DIFF_NONE {
		t.Errorf("ignoreChanges: %v, %v", ignored, err)
	}
}

func TestDecode(t *testing.T) {
	objects, err := offline().decode("apiVersion: v1\nkind: Pod\n---\n# nothing\n---\n{\"apiVersion\": \"v1\", \"kind\": \"Node\"}\n", "n")
	if err != nil || len(objects) != 2 {
		t.Fatalf("%v, %v", objects, err)
	}
	if metadata, _ := objects[0].(map[string]any)["metadata"].(map[string]any); metadata["namespace"] != "n" {
		t.Errorf("the Pod has no namespace: %v", objects[0])
	}
	if _, ok := objects[1].(map[string]any)["metadata"]; ok {
		t.Errorf("the Node has a namespace: %v", objects[1])
	}
	if _, err := offline().decode("a: b: c", ""); err == nil {
		t.Error("a document that is no YAML was taken")
	}
}
