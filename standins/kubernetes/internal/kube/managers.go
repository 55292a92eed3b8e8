package kube

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// adopted are the managers whose fields a Pulumi resource takes as its own: those of its own plain creates and of
// earlier kubectl applies.
func adopted(entry metav1.ManagedFieldsEntry) bool {
	if entry.Subresource != "" {
		return false
	}
	switch entry.Operation {
	case metav1.ManagedFieldsOperationUpdate:
		return slices.Contains([]string{
			ClientSideManager, "pulumi-kubernetes.exe", "pulumi-resource-kubernetes", "kubectl", "before-first-apply",
		}, entry.Manager)
	case metav1.ManagedFieldsOperationApply:
		return entry.Manager == "kubectl"
	}
	return false
}

// HasClientSideFields is whether a plain create of this provider owns fields of the object.
func HasClientSideFields(live *unstructured.Unstructured) bool {
	return slices.ContainsFunc(live.GetManagedFields(), func(entry metav1.ManagedFieldsEntry) bool {
		return entry.Operation == metav1.ManagedFieldsOperationUpdate && entry.Manager != "kubectl" && adopted(entry)
	})
}

// Adopt hands the fields of adopted managers over to manager, so that a following apply can also remove them. It
// returns the object after that; without such fields nothing is sent.
func Adopt(ctx context.Context, client dynamic.ResourceInterface, live *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	entries, changed, err := mergeManagers(live.GetManagedFields(), manager, live.GetAPIVersion())
	if err != nil || !changed {
		return live, err
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
	})
	if err != nil {
		return nil, err
	}
	return client.Patch(ctx, live.GetName(), types.JSONPatchType, patch, metav1.PatchOptions{})
}

// mergeManagers moves every adopted entry's fields into manager's apply entry.
func mergeManagers(entries []metav1.ManagedFieldsEntry, manager, apiVersion string) ([]metav1.ManagedFieldsEntry, bool, error) {
	own := &fieldpath.Set{}
	var kept []metav1.ManagedFieldsEntry
	var base *metav1.ManagedFieldsEntry
	changed := false
	for _, entry := range entries {
		mine := entry.Manager == manager && entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == ""
		if !mine && !adopted(entry) {
			kept = append(kept, entry)
			continue
		}
		changed = changed || !mine
		fields, err := fieldSet(entry)
		if err != nil {
			return nil, false, err
		}
		own = own.Union(fields)
		if base == nil || mine {
			base = entry.DeepCopy()
		}
	}
	if !changed {
		return entries, false, nil
	}
	raw, err := own.ToJSON()
	if err != nil {
		return nil, false, err
	}
	base.Manager, base.Operation, base.APIVersion = manager, metav1.ManagedFieldsOperationApply, apiVersion
	base.FieldsV1 = &metav1.FieldsV1{Raw: raw}
	return append(kept, *base), true, nil
}

func fieldSet(entry metav1.ManagedFieldsEntry) (*fieldpath.Set, error) {
	set := &fieldpath.Set{}
	if entry.FieldsV1 == nil {
		return set, nil
	}
	if err := set.FromJSON(bytes.NewReader(entry.FieldsV1.Raw)); err != nil {
		return nil, fmt.Errorf("managed fields of %q cannot be read: %w", entry.Manager, err)
	}
	return set, nil
}

// OwnedByOthers is whether a field (steps of map keys) belongs to another manager and not to manager.
func OwnedByOthers(live *unstructured.Unstructured, manager string, steps []string) (bool, error) {
	parts := make([]any, len(steps))
	for i, step := range steps {
		parts[i] = step
	}
	path, err := fieldpath.MakePath(parts...)
	if err != nil {
		return false, err
	}
	ours, theirs := false, false
	for _, entry := range live.GetManagedFields() {
		set, err := fieldSet(entry)
		if err != nil {
			return false, err
		}
		has := false
		set.Iterate(func(p fieldpath.Path) {
			has = has || len(p) >= len(path) && p[:len(path)].Equals(path)
		})
		if entry.Manager == manager {
			ours = ours || has
		} else {
			theirs = theirs || has
		}
	}
	return theirs && !ours, nil
}
