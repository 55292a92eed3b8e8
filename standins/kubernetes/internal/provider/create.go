package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"groundwork.dev/standins/kubernetes/internal/kube"
	"groundwork.dev/standins/kubernetes/internal/object"
)

// missingFor is how long a create is repeated whose kind or namespace is not there: a controller, or another resource
// of the same program, may be about to make it. The official provider tries five times with growing pauses.
const missingFor = 15 * time.Second

const alreadyExists = `%w

The object is in the cluster already. What to do:
  - renamed the resource in the program: give it an alias of the old name
  - to manage a few fields of somebody else's object: use the kind's Patch resource
  - to take the object over: import it
  - to overwrite objects on create: set upsertExistingObjects on the provider`

// Create makes the object and waits until it is ready. In a preview the server is asked what it would make.
func (p *Provider) Create(ctx context.Context, req *pulumirpc.CreateRequest) (*pulumirpc.CreateResponse, error) {
	ctx, stop := p.working(ctx)
	defer stop()
	id, preview := urn.URN(req.GetUrn()), req.GetPreview()
	props, err := read(req.GetProperties())
	if err != nil {
		return nil, err
	}
	inputs := object.FromProperties(props)
	manager := p.fieldManager(req.GetUrn(), nil, inputs)
	if p.config.renderTo != "" && !(preview && object.HasUnknown(inputs)) {
		if !preview {
			if err := p.render(ctx, req.GetUrn(), inputs, props); err != nil {
				return nil, err
			}
		}
		out, err := p.write(checkpoint(inputs, inputs, props, inputs.GetAPIVersion(), manager))
		return &pulumirpc.CreateResponse{Id: identifier(inputs), Properties: out}, err
	}
	patch := isPatch(id, inputs.GetKind())
	asGiven := &pulumirpc.CreateResponse{Properties: req.GetProperties()}
	if preview && (p.unreachable != "" || object.HasUnknown(inputs) || patch || !p.config.serverSideApply || !p.cluster.Exists(kindOf(inputs))) {
		return asGiven, nil
	}
	if p.unreachable != "" {
		return nil, fmt.Errorf("the Kubernetes cluster cannot be used: %s", p.unreachable)
	}
	live, err := p.create(ctx, req.GetUrn(), inputs, manager, patch, preview)
	switch {
	case err == nil:
	case preview && (apierrors.IsForbidden(err) || apierrors.IsAlreadyExists(err) || kube.IsNamespaceMissing(err)):
		return asGiven, nil
	case kube.IsNoMatch(err):
		return nil, fmt.Errorf("the API server has no kind %s: is its CustomResourceDefinition installed? %w", kindOf(inputs), err)
	case apierrors.IsAlreadyExists(err):
		return nil, fmt.Errorf(alreadyExists, err)
	default:
		return nil, err
	}
	if preview {
		delete(live.Object, "status")
		out, err := p.write(checkpoint(inputs, live, props, inputs.GetAPIVersion(), manager))
		return &pulumirpc.CreateResponse{Properties: out}, err
	}
	if object.IsCRD(inputs) {
		defer p.cluster.Forget()
	}
	return p.created(ctx, req, props, inputs, live, manager)
}

// created waits for the new object and answers with what it is then.
func (p *Provider) created(
	ctx context.Context, req *pulumirpc.CreateRequest, props resource.PropertyMap, inputs, live *unstructured.Unstructured, manager string,
) (*pulumirpc.CreateResponse, error) {
	live, waitErr := p.waiter(ctx, req.GetUrn(), false).Ready(ctx, live, object.Timeout(req.GetTimeout(), inputs))
	out, err := p.write(checkpoint(inputs, live, props, inputs.GetAPIVersion(), manager))
	if err != nil {
		return nil, err
	}
	if waitErr != nil {
		return nil, partial(identifier(live), waitErr.Error(), waitErr, out, nil)
	}
	return &pulumirpc.CreateResponse{Id: identifier(live), Properties: out}, nil
}

// create sends the object, again while what it needs is not there.
func (p *Provider) create(
	ctx context.Context, id string, inputs *unstructured.Unstructured, manager string, patch, preview bool,
) (*unstructured.Unstructured, error) {
	var live *unstructured.Unstructured
	attempts := 0
	err := kube.Retry(ctx, func(err error) time.Duration {
		switch {
		case preview && kube.IsNamespaceMissing(err):
			return 0
		case kube.IsNoMatch(err), apierrors.IsNotFound(err):
			return missingFor
		default:
			return kube.Transient(err)
		}
	}, func() error {
		attempts++
		var err error
		if live, err = p.createOnce(ctx, inputs, manager, patch, preview); err != nil {
			// A create whose answer was lost has made the object all the same.
			if attempts > 1 && apierrors.IsAlreadyExists(err) {
				if client, clientErr := p.cluster.For(inputs); clientErr == nil {
					if mine, ok := p.madeByUs(ctx, client, inputs); ok {
						live = mine
						return nil
					}
				}
			}
			if !preview {
				p.log.Status(ctx, id, fmt.Sprintf("try %d: %v", attempts, err))
			}
		}
		return err
	})
	if err == nil && attempts > 1 {
		p.log.Status(ctx, id, "")
	}
	return live, err
}

func (p *Provider) createOnce(
	ctx context.Context, inputs *unstructured.Unstructured, manager string, patch, preview bool,
) (*unstructured.Unstructured, error) {
	client, err := p.cluster.For(inputs)
	if err != nil {
		return nil, err
	}
	body := object.Copy(inputs)
	if namespaced, _ := p.cluster.Namespaced(kindOf(inputs)); !namespaced {
		delete(metadataOf(body), "namespace")
	}
	write := kube.Write{Manager: manager, DryRun: preview, Force: preview || p.forces(inputs)}
	if !patch && !(p.config.serverSideApply && p.config.upsert) {
		return kube.Create(ctx, client, body, write)
	}
	live, err := kube.Apply(ctx, client, body, write)
	if _, frozen := kube.IsImmutable(err); preview && frozen {
		// The object will be replaced: ask what a new one would look like.
		body.SetName(body.GetName() + "-preview")
		return kube.Apply(ctx, client, body, write)
	}
	return live, err
}

// forces is whether an apply may take fields over from other managers.
func (p *Provider) forces(inputs *unstructured.Unstructured) bool {
	return p.config.patchForce || object.Flag(inputs, object.PatchForceAnnotation)
}
