package provider

import (
	"context"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"groundwork.dev/standins/kubernetes/internal/await"
	"groundwork.dev/standins/kubernetes/internal/kube"
	"groundwork.dev/standins/kubernetes/internal/objdiff"
	"groundwork.dev/standins/kubernetes/internal/object"
)

// Diff compares the new inputs with the live object as the state has it, pruned to the old inputs: drift that a refresh
// found shows, what the cluster filled in does not.
func (p *Provider) Diff(ctx context.Context, req *pulumirpc.DiffRequest) (*pulumirpc.DiffResponse, error) {
	ctx, stop := p.working(ctx)
	defer stop()
	id := urn.URN(req.GetUrn())
	state, err := read(req.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := read(req.GetNews())
	if err != nil {
		return nil, err
	}
	oldInputs, live := parseCheckpoint(state)
	inputs := object.Normalize(object.FromProperties(news))
	old := object.Prune(object.Copy(live), object.Normalize(oldInputs))
	p.align(old, live, inputs)

	patch := isPatch(id, inputs.GetKind())
	changes, err := withoutIgnored(objdiff.Compare(old.Object, inputs.Object), req.GetIgnoreChanges())
	if err != nil {
		return nil, err
	}
	fields := objdiff.ForceNew(inputs, patch, p.config.mutable)
	if frozen := p.refused(ctx, id, state, old, live, inputs, changes, fields); len(frozen) > 0 {
		fields = append(slices.Clone(fields), frozen...)
	}

	resp := &pulumirpc.DiffResponse{
		Changes: pulumirpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true, Stables: []string{},
		DetailedDiff: map[string]*pulumirpc.PropertyDiff{},
	}
	for _, change := range changes {
		resp.Changes = pulumirpc.DiffResponse_DIFF_SOME
		kind := change.Kind
		if objdiff.Forces(change, fields) {
			kind = objdiff.Replacing(kind)
			resp.Replaces = append(resp.Replaces, change.Key())
		}
		// The engine finds a deleted property among the old inputs, every other one in the old state.
		resp.DetailedDiff[change.Key()] = &pulumirpc.PropertyDiff{Kind: kind, InputDiff: change.Kind == pulumirpc.PropertyDiff_DELETE}
	}
	if object.Flag(inputs, object.ReplaceUnreadyAnnotation) && p.unready(ctx, req.GetUrn(), live) {
		resp.Changes = pulumirpc.DiffResponse_DIFF_SOME
		resp.Replaces = append(resp.Replaces, `metadata.annotations["pulumi.com/replaceUnready"]`)
	}
	slices.Sort(resp.Replaces)
	resp.DeleteBeforeReplace = len(resp.Replaces) > 0 && named(inputs, news) &&
		!object.Flag(inputs, object.AutonamedAnnotation) &&
		inputs.GetName() == live.GetName() && inputs.GetNamespace() == namespaceOf(live, inputs)
	return resp, nil
}

// align takes away differences that mean nothing: namespaces written or left out, and what only the server sets.
func (p *Provider) align(old, live, inputs *unstructured.Unstructured) {
	if namespaced, _ := p.cluster.Namespaced(kindOf(inputs)); namespaced {
		for _, obj := range []*unstructured.Unstructured{old, inputs} {
			if _, unknown := metadataOf(obj)["namespace"].(resource.Computed); !unknown && obj.GetNamespace() == "" {
				obj.SetNamespace(metav1.NamespaceDefault)
			}
		}
	} else {
		delete(metadataOf(old), "namespace")
		delete(metadataOf(inputs), "namespace")
	}
	if old.GetAPIVersion() == "" {
		old.SetGroupVersionKind(inputs.GroupVersionKind())
	}
	delete(metadataOf(old), "resourceVersion")
	if inputs.GetName() != "" {
		old.SetName(live.GetName())
	}
}

// namespaceOf is the namespace that a live object would be compared with; "default" and none are the same.
func namespaceOf(live, inputs *unstructured.Unstructured) string {
	if live.GetNamespace() == "" && inputs.GetNamespace() == metav1.NamespaceDefault {
		return metav1.NamespaceDefault
	}
	return live.GetNamespace()
}

func metadataOf(obj *unstructured.Unstructured) map[string]any {
	metadata, _ := obj.Object["metadata"].(map[string]any)
	return metadata
}

// withoutIgnored drops changes at or below the paths of the ignoreChanges option.
func withoutIgnored(changes []objdiff.Change, ignore []string) ([]objdiff.Change, error) {
	var paths []resource.PropertyPath
	for _, text := range ignore {
		path, err := resource.ParsePropertyPath(text)
		if err != nil {
			return nil, fmt.Errorf("ignoreChanges: %w", err)
		}
		paths = append(paths, path)
	}
	return slices.DeleteFunc(changes, func(change objdiff.Change) bool {
		return slices.ContainsFunc(paths, func(path resource.PropertyPath) bool {
			return path.Contains(resource.PropertyPath(change.Path))
		})
	}), nil
}

// refused asks the server, without effect, whether it would take the change, and returns the fields that it calls
// immutable. The table does not know them all, and learning it during the update would be too late.
func (p *Provider) refused(
	ctx context.Context, id urn.URN, state resource.PropertyMap, old, live, inputs *unstructured.Unstructured,
	changes []objdiff.Change, known []string,
) []string {
	replaced := slices.ContainsFunc(changes, func(change objdiff.Change) bool { return objdiff.Forces(change, known) })
	if len(changes) == 0 || replaced || p.unreachable != "" || p.cluster == nil || !p.config.serverSideApply ||
		p.config.renderTo != "" || isPatch(id, inputs.GetKind()) || object.IsCRD(inputs) || object.HasUnknown(inputs) {
		return nil
	}
	client, err := p.cluster.For(inputs)
	if err != nil {
		return nil
	}
	_, err = update{
		p: p, client: client, inputs: inputs, oldInputs: old, manager: p.fieldManager(string(id), state, inputs), name: live.GetName(), preview: true,
	}.send(ctx)
	frozen, ok := kube.IsImmutable(err)
	if !ok {
		return nil
	}
	var fields []string
	for _, change := range changes {
		for _, field := range frozen {
			if objdiff.FieldTouches(change, field) {
				fields = append(fields, field)
			}
		}
	}
	return fields
}

// unready is whether a Job that asks to be replaced while it has not completed is in that case.
func (p *Provider) unready(ctx context.Context, id string, live *unstructured.Unstructured) bool {
	switch {
	case p.unreachable != "":
		p.log.Warn(ctx, id, "the cluster is unreachable: pulumi.com/replaceUnready is not looked at")
		return false
	case live.GetKind() != "Job":
		p.log.Warn(ctx, id, "pulumi.com/replaceUnready is only for Jobs")
		return false
	}
	client, err := p.cluster.For(live)
	if err != nil {
		return false
	}
	now, err := client.Get(ctx, live.GetName(), metav1.GetOptions{})
	return err == nil && !await.JobComplete(now)
}
