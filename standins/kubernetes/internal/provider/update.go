package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"groundwork.dev/standins/kubernetes/internal/kube"
	"groundwork.dev/standins/kubernetes/internal/object"
)

// Update brings the object to the new inputs and waits until it is ready again. In a preview the server is asked what
// would come of it.
func (p *Provider) Update(ctx context.Context, req *pulumirpc.UpdateRequest) (*pulumirpc.UpdateResponse, error) {
	ctx, stop := p.working(ctx)
	defer stop()
	preview := req.GetPreview()
	state, err := read(req.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := read(req.GetNews())
	if err != nil {
		return nil, err
	}
	inputs := object.Normalize(object.FromProperties(news))
	oldInputs, oldLive := parseCheckpoint(state)
	oldInputs = object.Normalize(oldInputs)
	initial, manager := initialVersion(state, oldInputs), p.fieldManager(req.GetUrn(), state, inputs)
	asGiven := &pulumirpc.UpdateResponse{Properties: req.GetNews()}
	if p.config.renderTo != "" && !(preview && object.HasUnknown(inputs)) {
		if !preview {
			if err := p.render(ctx, req.GetUrn(), inputs, news); err != nil {
				return nil, err
			}
		}
		out, err := p.write(checkpoint(inputs, inputs, news, initial, manager))
		return &pulumirpc.UpdateResponse{Properties: out}, err
	}
	if preview && (p.unreachable != "" || object.HasUnknown(inputs) || !p.cluster.Exists(kindOf(inputs))) {
		return asGiven, nil
	}
	if p.unreachable != "" {
		return nil, fmt.Errorf("the Kubernetes cluster cannot be used: %s", p.unreachable)
	}
	client, err := p.client(ctx, inputs)
	if err != nil && !kube.IsNoMatch(err) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("the API server has no kind %s: is its CustomResourceDefinition installed? %w", kindOf(inputs), err)
	}
	change := update{
		p: p, client: client, inputs: inputs, oldInputs: object.Prune(object.Copy(oldLive), oldInputs), manager: manager,
		name: oldLive.GetName(), patch: isPatch(urn.URN(req.GetUrn()), inputs.GetKind()), preview: preview, ignore: req.GetIgnoreChanges(),
	}
	var live *unstructured.Unstructured
	err = kube.Retry(ctx, retryUpdate, func() error {
		var err error
		live, err = change.send(ctx)
		return err
	})
	switch {
	case err != nil && preview && apierrors.IsForbidden(err):
		return asGiven, nil
	case err != nil:
		return nil, fmt.Errorf("update of %s %q failed: %w", inputs.GetKind(), oldLive.GetName(), err)
	case preview:
		out, err := p.write(checkpoint(inputs, live, news, initial, manager))
		return &pulumirpc.UpdateResponse{Properties: out}, err
	}
	if object.IsCRD(inputs) {
		defer p.cluster.Forget()
	}
	live, waitErr := p.waiter(ctx, req.GetUrn(), true).Ready(ctx, live, object.Timeout(req.GetTimeout(), inputs))
	out, err := p.write(checkpoint(inputs, live, news, initial, manager))
	if err != nil {
		return nil, err
	}
	if waitErr != nil {
		return nil, partial(identifier(live), waitErr.Error(), waitErr, out, nil)
	}
	if before := p.fieldManager(req.GetUrn(), state, oldInputs); p.config.serverSideApply && before != manager {
		if err := kube.Relinquish(ctx, client, live, before); err != nil {
			return nil, fmt.Errorf("giving up the fields of manager %q: %w", before, err)
		}
	}
	return &pulumirpc.UpdateResponse{Properties: out}, nil
}

// retryUpdate repeats updates that met a newer version of the object, besides what passes by itself.
func retryUpdate(err error) time.Duration {
	if apierrors.IsConflict(err) && isVersionConflict(err) {
		return 5 * time.Second
	}
	return kube.Transient(err)
}

// isVersionConflict tells a stale resourceVersion from a field that another manager owns: only the latter has causes.
func isVersionConflict(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && (status.Status().Details == nil || len(status.Status().Details.Causes) == 0)
}

// update is one change to one object.
type update struct {
	p                 *Provider
	client            dynamic.ResourceInterface
	inputs, oldInputs *unstructured.Unstructured
	manager, name     string
	patch, preview    bool
	ignore            []string
}

func (u update) send(ctx context.Context) (*unstructured.Unstructured, error) {
	live, err := u.client.Get(ctx, u.name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	write := kube.Write{Manager: u.manager, DryRun: u.preview}
	body := object.Copy(u.inputs)
	if body.GetName() == "" {
		body.SetName(u.name)
	}
	if live.GetNamespace() == "" {
		delete(metadataOf(body), "namespace")
	}
	switch {
	case object.IsCRD(body):
		return kube.Replace(ctx, u.client, body, live, write)
	case !u.p.config.serverSideApply, u.preview && !u.patch && kube.HasClientSideFields(live):
		// The update itself takes over the fields that the create left with another manager; a preview cannot, and an
		// apply without that would keep what is to go.
		return kube.Patch(ctx, u.client, u.oldInputs, body, live, write)
	}
	if !u.patch && !u.preview {
		if live, err = kube.Adopt(ctx, u.client, live, u.manager); err != nil {
			return nil, err
		}
	}
	if err := u.keepIgnored(body, live); err != nil {
		return nil, err
	}
	write.Force = u.p.forces(u.inputs) || len(live.GetManagedFields()) == 0
	return kube.Apply(ctx, u.client, body, write)
}

// keepIgnored makes the apply leave ignored fields as they are: out of it where another manager has them, else with
// their live value, since a field that an apply leaves out is removed.
func (u update) keepIgnored(body, live *unstructured.Unstructured) error {
	for _, text := range u.ignore {
		path, err := resource.ParsePropertyPath(text)
		if err != nil {
			return fmt.Errorf("ignoreChanges: %w", err)
		}
		steps := make([]string, 0, len(path))
		for _, step := range path {
			if key, ok := step.(string); ok && key != "*" {
				steps = append(steps, key)
			}
		}
		if len(steps) != len(path) || len(steps) == 0 {
			continue // positions within lists have no stable meaning on the server's side
		}
		others, err := kube.OwnedByOthers(live, u.manager, steps)
		if err != nil {
			return err
		}
		if others {
			unstructured.RemoveNestedField(body.Object, steps...)
		} else if value, found, err := unstructured.NestedFieldCopy(live.Object, steps...); err == nil && found {
			if err := unstructured.SetNestedField(body.Object, value, steps...); err != nil {
				return fmt.Errorf("ignoreChanges: %w", err)
			}
		}
	}
	return nil
}

// madeByUs finds an object that a create without an answer left: of this name, by this provider, of this minute.
func (p *Provider) madeByUs(ctx context.Context, client dynamic.ResourceInterface, inputs *unstructured.Unstructured) (*unstructured.Unstructured, bool) {
	live, err := client.Get(ctx, inputs.GetName(), metav1.GetOptions{})
	if err != nil || time.Since(live.GetCreationTimestamp().Time) > time.Minute {
		return nil, false
	}
	return live, kube.HasClientSideFields(live)
}
