// Package provider is the gRPC server: it turns the engine's calls into requests to the API server. The shape of the
// state and the meaning of inputs, annotations and configuration are those of the official provider.
package provider

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"groundwork.dev/standins/kubernetes/internal/await"
	"groundwork.dev/standins/kubernetes/internal/engine"
	"groundwork.dev/standins/kubernetes/internal/kube"
)

// Provider serves one provider resource: one cluster.
type Provider struct {
	pulumirpc.UnimplementedResourceProviderServer

	version string
	log     *engine.Log
	// ctx ends all awaits when the engine cancels.
	ctx    context.Context
	cancel context.CancelFunc

	config  config
	cluster *kube.Client
	// unreachable is why the cluster cannot be used; empty while it can.
	unreachable string
	// acceptSecrets is whether the engine takes values marked as secret.
	acceptSecrets bool
}

// New makes a provider that is not configured yet.
func New(version string, log *engine.Log) *Provider {
	ctx, cancel := context.WithCancel(context.Background())
	return &Provider{version: version, log: log, ctx: ctx, cancel: cancel, unreachable: "the provider is not configured"}
}

// GetPluginInfo tells the release that this provider stands in for.
func (p *Provider) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: p.version}, nil
}

// GetSchema gives a schema without resources: programs bring their SDK, and the stand-in takes every kind.
func (p *Provider) GetSchema(context.Context, *pulumirpc.GetSchemaRequest) (*pulumirpc.GetSchemaResponse, error) {
	return &pulumirpc.GetSchemaResponse{Schema: fmt.Sprintf(`{"name":"kubernetes","version":%q}`, p.version)}, nil
}

// Attach connects to an engine that found this provider running.
func (p *Provider) Attach(_ context.Context, req *pulumirpc.PluginAttach) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, p.log.Connect(req.GetAddress())
}

// Cancel ends everything that waits.
func (p *Provider) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	p.cancel()
	return &emptypb.Empty{}, nil
}

// Construct refuses the component resources of the official provider.
func (p *Provider) Construct(_ context.Context, req *pulumirpc.ConstructRequest) (*pulumirpc.ConstructResponse, error) {
	return nil, status.Errorf(codes.Unimplemented, "%s is a component of the official Kubernetes provider, which the stand-in "+
		"does not have: render it before the engine runs and use single resources", req.GetType())
}

// working gives a context that ends with the call and with Cancel.
func (p *Provider) working(call context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(call)
	stop := context.AfterFunc(p.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// client gives the client for an object's kind; a server that is starting or overloaded is asked again.
func (p *Provider) client(ctx context.Context, obj *unstructured.Unstructured) (client dynamic.ResourceInterface, err error) {
	err = kube.Retry(ctx, kube.Transient, func() error {
		client, err = p.cluster.For(obj)
		return err
	})
	return client, err
}

// waiter makes an awaiter that reports to the engine, each line once.
func (p *Provider) waiter(ctx context.Context, urn string, updating bool) *await.Waiter {
	shown := ""
	return &await.Waiter{Client: p.cluster, Updating: updating, Status: func(line string) {
		if line != shown {
			shown = line
			p.log.Status(ctx, urn, line)
		}
	}}
}

// read takes properties from the wire; secrets and unknown values are kept.
func read(properties *structpb.Struct) (resource.PropertyMap, error) {
	return plugin.UnmarshalProperties(properties, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: true})
}

// write puts properties on the wire.
func (p *Provider) write(properties resource.PropertyMap) (*structpb.Struct, error) {
	return plugin.MarshalProperties(properties, plugin.MarshalOptions{KeepUnknowns: true, KeepSecrets: p.acceptSecrets})
}

// identifier is an object's id in the state: namespace/name, or the name alone outside namespaces.
func identifier(obj *unstructured.Unstructured) string {
	if obj.GetNamespace() == "" {
		return obj.GetName()
	}
	return obj.GetNamespace() + "/" + obj.GetName()
}
