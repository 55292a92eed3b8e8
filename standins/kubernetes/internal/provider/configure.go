package provider

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"groundwork.dev/standins/kubernetes/internal/kube"
)

// pingTime is how long a cluster has to answer before it counts as unreachable.
const pingTime = 10 * time.Second

// CheckConfig takes any configuration, except a cluster beside a directory to render to.
func (p *Provider) CheckConfig(_ context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	news, err := plugin.UnmarshalProperties(req.GetNews(), plugin.MarshalOptions{KeepUnknowns: true})
	if err != nil {
		return nil, err
	}
	var failures []*pulumirpc.CheckFailure
	if given(news["renderYamlToDirectory"]) {
		for _, key := range []resource.PropertyKey{"cluster", "context", "kubeconfig"} {
			if given(news[key]) {
				failures = append(failures, &pulumirpc.CheckFailure{
					Property: string(key), Reason: `"` + string(key) + `" arg is not compatible with "renderYamlToDirectory" arg`,
				})
			}
		}
	}
	return &pulumirpc.CheckResponse{Inputs: req.GetNews(), Failures: failures}, nil
}

func given(value resource.PropertyValue) bool {
	return value.IsString() && value.StringValue() != "" || value.IsObject()
}

// DiffConfig says whether a changed configuration means another cluster, in which case everything in it is replaced: a
// changed clusterIdentifier, or without one another server in the active context of the kubeconfig. An unchanged
// clusterIdentifier means that it never does.
func (p *Provider) DiffConfig(_ context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	olds, err := plugin.UnmarshalProperties(req.GetOlds(), plugin.MarshalOptions{KeepUnknowns: true})
	if err != nil {
		return nil, err
	}
	news, err := plugin.UnmarshalProperties(req.GetNews(), plugin.MarshalOptions{KeepUnknowns: true})
	if err != nil {
		return nil, err
	}
	diff := olds.Diff(news)
	if diff == nil {
		return &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}, nil
	}
	resp := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_SOME}
	for _, key := range diff.ChangedKeys() {
		resp.Diffs = append(resp.Diffs, string(key))
	}
	if diff.Same("clusterIdentifier") && news.HasValue("clusterIdentifier") {
		return resp, nil
	}
	if diff.Updated("clusterIdentifier") {
		resp.Replaces = append(resp.Replaces, "clusterIdentifier")
	}
	if slices.Contains(resp.Diffs, "renderYamlToDirectory") {
		resp.Replaces = append(resp.Replaces, "renderYamlToDirectory")
	}
	selects := []resource.PropertyKey{"kubeconfig", "context", "cluster"}
	for _, key := range selects {
		if news[key].IsComputed() {
			resp.Replaces = append(resp.Replaces, string(key))
			return resp, nil
		}
	}
	before, after := activeCluster(olds), activeCluster(news)
	if before != nil && after != nil && !reflect.DeepEqual(before, after) {
		for _, key := range selects {
			if slices.Contains(resp.Diffs, string(key)) {
				resp.Replaces = append(resp.Replaces, string(key))
			}
		}
	}
	return resp, nil
}

// activeCluster finds the cluster entry that a configuration selects, or nil.
func activeCluster(props resource.PropertyMap) *clientcmdapi.Cluster {
	var content string
	switch value := props["kubeconfig"]; {
	case value.IsString():
		content = value.StringValue()
	case value.IsObject():
		raw, err := json.Marshal(value.ObjectValue().Mappable())
		if err != nil {
			return nil
		}
		content = string(raw)
	}
	if content == "" {
		return nil
	}
	kubeconfig, err := parseKubeconfig(content)
	if err != nil {
		return nil
	}
	name := kubeconfig.CurrentContext
	if value := props["context"]; value.IsString() {
		name = value.StringValue()
	}
	if kubeconfig.Contexts[name] == nil {
		return nil
	}
	cluster := kubeconfig.Contexts[name].Cluster
	if value := props["cluster"]; value.IsString() {
		cluster = value.StringValue()
	}
	return kubeconfig.Clusters[cluster]
}

// Configure connects to the cluster. A cluster that cannot be reached is no error yet: previews and invokes work
// without one.
func (p *Provider) Configure(ctx context.Context, req *pulumirpc.ConfigureRequest) (*pulumirpc.ConfigureResponse, error) {
	vars := req.GetVariables() //nolint:staticcheck // the engine's own rendering of the options, as the official provider takes it
	p.acceptSecrets = req.GetAcceptSecrets()
	p.config = readConfig(vars)
	if p.config.renderTo == "" || vars["kubernetes:config:kubeconfig"] != "" {
		if err := p.connect(ctx, vars); err != nil {
			return nil, err
		}
	}
	return &pulumirpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true, SupportsAutonamingConfiguration: true}, nil
}

func (p *Provider) connect(ctx context.Context, vars map[string]string) error {
	restConfig, namespace, err := restConfig(vars, p.config.namespace)
	p.config.namespace = namespace
	if err != nil {
		p.unreachable = err.Error()
		return nil
	}
	if p.cluster, err = kube.New(restConfig); err != nil {
		p.unreachable = err.Error()
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	// A cluster that was just made, or whose server restarts, refuses connections for a moment.
	err = kube.Retry(ctx, kube.Transient, func() error { return p.cluster.Ping(ctx) })
	p.unreachable = ""
	if err != nil && !apierrors.IsForbidden(err) {
		p.unreachable = "the API server does not answer: " + err.Error()
	}
	return nil
}
