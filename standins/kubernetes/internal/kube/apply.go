package kube

import (
	"context"
	"encoding/json"
	"fmt"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
)

// ClientSideManager owns the fields of objects made by a plain create, until the first update hands them to the
// resource's own field manager. The name is the official provider's.
const ClientSideManager = "pulumi-kubernetes"

// Write says how an object is to be written.
type Write struct {
	Manager string
	Force   bool // take fields over that another manager owns
	DryRun  bool
}

func (w Write) dryRun() []string {
	if w.DryRun {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// Create posts a new object, and fails if it exists.
func Create(ctx context.Context, client dynamic.ResourceInterface, obj *unstructured.Unstructured, w Write) (*unstructured.Unstructured, error) {
	return client.Create(ctx, obj, metav1.CreateOptions{FieldManager: ClientSideManager, DryRun: w.dryRun()})
}

// Apply sends an object by server-side apply: it is made, or brought to have these fields.
func Apply(ctx context.Context, client dynamic.ResourceInterface, obj *unstructured.Unstructured, w Write) (*unstructured.Unstructured, error) {
	body, err := json.Marshal(obj.Object)
	if err != nil {
		return nil, err
	}
	live, err := client.Patch(ctx, obj.GetName(), types.ApplyPatchType, body,
		metav1.PatchOptions{FieldManager: w.Manager, Force: &w.Force, DryRun: w.dryRun()})
	if apierrors.IsConflict(err) {
		return nil, fmt.Errorf("another field manager owns fields that %q sets. To take them over, annotate the resource "+
			"with pulumi.com/patchForce: \"true\" or set enablePatchForce on the provider: %w", w.Manager, err)
	}
	return live, err
}

// Replace puts an object in place of the live one, whole. CRDs are updated this way: their lists do not merge.
func Replace(ctx context.Context, client dynamic.ResourceInterface, obj, live *unstructured.Unstructured, w Write) (*unstructured.Unstructured, error) {
	whole := obj.DeepCopy()
	whole.SetResourceVersion(live.GetResourceVersion())
	return client.Update(ctx, whole, metav1.UpdateOptions{FieldManager: w.Manager, DryRun: w.dryRun()})
}

// Patch brings an object from its old to its new inputs the client-side way: a three-way strategic merge for built-in
// kinds, a three-way JSON merge for others.
func Patch(ctx context.Context, client dynamic.ResourceInterface, old, obj, live *unstructured.Unstructured, w Write) (*unstructured.Unstructured, error) {
	original, err := json.Marshal(old.Object)
	if err != nil {
		return nil, err
	}
	modified, err := json.Marshal(obj.Object)
	if err != nil {
		return nil, err
	}
	current, err := json.Marshal(live.Object)
	if err != nil {
		return nil, err
	}
	kind := types.MergePatchType
	var patch []byte
	if typed, schemaErr := scheme.Scheme.New(obj.GroupVersionKind()); schemaErr == nil {
		lookup, err := strategicpatch.NewPatchMetaFromStruct(typed)
		if err != nil {
			return nil, err
		}
		kind = types.StrategicMergePatchType
		if patch, err = strategicpatch.CreateThreeWayMergePatch(original, modified, current, lookup, true); err != nil {
			return nil, err
		}
	} else if patch, err = jsonmergepatch.CreateThreeWayJSONMergePatch(original, modified, current); err != nil {
		return nil, err
	}
	if jsonpatch.Equal(patch, []byte("{}")) {
		return live, nil
	}
	return client.Patch(ctx, obj.GetName(), kind, patch, metav1.PatchOptions{FieldManager: w.Manager, DryRun: w.dryRun()})
}

// Relinquish gives up every field that manager owns; fields without another owner go. It is how a patch resource is
// deleted.
func Relinquish(ctx context.Context, client dynamic.ResourceInterface, obj *unstructured.Unstructured, manager string) error {
	empty := &unstructured.Unstructured{}
	empty.SetAPIVersion(obj.GetAPIVersion())
	empty.SetKind(obj.GetKind())
	empty.SetNamespace(obj.GetNamespace())
	empty.SetName(obj.GetName())
	_, err := Apply(ctx, client, empty, Write{Manager: manager})
	return err
}
