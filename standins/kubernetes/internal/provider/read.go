package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"groundwork.dev/standins/kubernetes/internal/kube"
	"groundwork.dev/standins/kubernetes/internal/object"
)

// Read gets the live object: to refresh a resource, to import one, or for X.get. An answer without id means that it is
// gone.
func (p *Provider) Read(ctx context.Context, req *pulumirpc.ReadRequest) (*pulumirpc.ReadResponse, error) {
	ctx, stop := p.working(ctx)
	defer stop()
	unchanged := &pulumirpc.ReadResponse{Id: req.GetId(), Properties: req.GetProperties(), Inputs: req.GetInputs()}
	if p.config.renderTo != "" {
		return unchanged, nil
	}
	if p.unreachable != "" {
		p.log.Warn(ctx, req.GetUrn(), "the Kubernetes cluster cannot be used: "+p.unreachable)
		switch {
		case p.config.deleteUnreachable:
			p.log.Info(ctx, req.GetUrn(), "deleteUnreachable is set: dropped from the state")
			return &pulumirpc.ReadResponse{}, nil
		case p.config.skipUpdateUnreachable:
			return unchanged, nil
		}
		return nil, errors.New("the state cannot be read while the cluster is unreachable. If the cluster is gone, run again with " +
			"PULUMI_K8S_DELETE_UNREACHABLE=true to drop its resources from the state")
	}
	state, err := read(req.GetProperties())
	if err != nil {
		return nil, err
	}
	known, err := read(req.GetInputs())
	if err != nil {
		return nil, err
	}
	namespace, name := "", req.GetId()
	if before, after, ok := strings.Cut(name, "/"); ok {
		namespace, name = before, after
	}
	if name == "" {
		return nil, errors.New("the id to read is empty: give name or namespace/name")
	}
	inputs := object.Normalize(object.FromProperties(known))
	_, oldLive := parseCheckpoint(state)
	adopting := false
	if inputs.GroupVersionKind().Empty() {
		gvk := oldLive.GroupVersionKind()
		if gvk.Empty() {
			if gvk, err = gvkOf(urn.URN(req.GetUrn())); err != nil {
				return nil, err
			}
			adopting = true
		}
		inputs.SetGroupVersionKind(gvk)
		if inputs.GetName() == "" {
			inputs.SetName(name)
		}
		if inputs.GetNamespace() == "" && namespace != "" {
			inputs.SetNamespace(namespace)
		}
	}
	live, err := p.get(ctx, inputs, name)
	if kube.IsNoMatch(err) || apierrors.IsNotFound(err) {
		return &pulumirpc.ReadResponse{}, nil
	}
	if err != nil {
		return nil, err
	}
	liveInputs := object.Prune(object.Copy(live), inputs)
	if adopting {
		liveInputs = importedInputs(live)
	}
	initial, manager := initialVersion(state, inputs), p.fieldManager(req.GetUrn(), state, inputs)
	out, err := p.write(checkpoint(liveInputs, live, known, initial, manager))
	if err != nil {
		return nil, err
	}
	properties := object.ToProperties(liveInputs)
	keepSecret(properties, known)
	in, err := p.write(properties)
	if err != nil {
		return nil, err
	}
	id := req.GetId()
	if adopting || object.Flag(inputs, object.SkipAwaitAnnotation) {
		return &pulumirpc.ReadResponse{Id: id, Properties: out, Inputs: in}, nil
	}
	if problem := p.waiter(ctx, req.GetUrn(), true).Check(ctx, live); problem != nil {
		return nil, partial(id, problem.Error(), problem, out, in)
	}
	return &pulumirpc.ReadResponse{Id: id, Properties: out, Inputs: in}, nil
}

func (p *Provider) get(ctx context.Context, obj *unstructured.Unstructured, name string) (live *unstructured.Unstructured, err error) {
	client, err := p.client(ctx, obj)
	if err == nil {
		err = kube.Retry(ctx, kube.Transient, func() error {
			live, err = client.Get(ctx, name, metav1.GetOptions{})
			return err
		})
	}
	if err != nil && !kube.IsNoMatch(err) && !apierrors.IsNotFound(err) {
		err = fmt.Errorf("reading %s %q: %w", obj.GetKind(), name, err)
	}
	return live, err
}

// importedInputs makes inputs of an object that somebody else made: all of it but the status and what only the server
// writes.
func importedInputs(live *unstructured.Unstructured) *unstructured.Unstructured {
	inputs := object.Copy(live)
	delete(inputs.Object, "status")
	metadata := metadataOf(inputs)
	for _, field := range []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "uid", "selfLink"} {
		delete(metadata, field)
	}
	if annotations, ok := metadata["annotations"].(map[string]any); ok {
		delete(annotations, "deployment.kubernetes.io/revision")
		delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
	}
	return inputs
}
