package kube

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func entry(manager string, operation metav1.ManagedFieldsOperationType, subresource, fields string) metav1.ManagedFieldsEntry {
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, Subresource: subresource, APIVersion: "v1", FieldsType: "FieldsV1",
		FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)},
	}
}

func TestMergeManagers(t *testing.T) {
	const update, apply = metav1.ManagedFieldsOperationUpdate, metav1.ManagedFieldsOperationApply
	entries := []metav1.ManagedFieldsEntry{
		entry(ClientSideManager, update, "", `{"f:data":{"f:a":{}}}`),
		entry("controller", update, "", `{"f:data":{"f:b":{}}}`),
		entry(ClientSideManager, update, "status", `{"f:status":{}}`),
		entry("mine", apply, "", `{"f:data":{"f:c":{}}}`),
	}
	merged, changed, err := mergeManagers(entries, "mine", "v1")
	if err != nil || !changed || len(merged) != 3 {
		t.Fatalf("%v, %v, %v", merged, changed, err)
	}
	own := merged[2]
	if own.Manager != "mine" || own.Operation != apply || string(own.FieldsV1.Raw) != `{"f:data":{"f:a":{},"f:c":{}}}` {
		t.Errorf("%+v %s", own, own.FieldsV1.Raw)
	}
	if _, changed, _ := mergeManagers(merged, "mine", "v1"); changed {
		t.Error("a second time changes nothing")
	}
}

func TestOwnedByOthers(t *testing.T) {
	live := &unstructured.Unstructured{Object: map[string]any{}}
	live.SetManagedFields([]metav1.ManagedFieldsEntry{
		entry("hpa", metav1.ManagedFieldsOperationUpdate, "scale", `{"f:spec":{"f:replicas":{}}}`),
		entry("mine", metav1.ManagedFieldsOperationApply, "", `{"f:spec":{"f:paused":{}}}`),
	})
	for name, want := range map[string]bool{"replicas": true, "paused": false, "none": false} {
		if got, err := OwnedByOthers(live, "mine", []string{"spec", name}); err != nil || got != want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestErrors(t *testing.T) {
	kind := schema.GroupKind{Kind: "Service"}
	immutable := apierrors.NewInvalid(kind, "a", field.ErrorList{
		field.Invalid(field.NewPath("spec", "clusterIP"), "x", "field is immutable"),
		field.Required(field.NewPath("spec", "ports"), ""),
	})
	if fields, ok := IsImmutable(fmt.Errorf("wrapped: %w", immutable)); !ok || len(fields) != 1 || fields[0] != "spec.clusterIP" {
		t.Errorf("%v, %v", fields, ok)
	}
	if _, ok := IsImmutable(apierrors.NewInvalid(kind, "a", field.ErrorList{field.Required(field.NewPath("spec"), "")})); ok {
		t.Error("a missing field is no immutable one")
	}
	if !IsNamespaceMissing(apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "n")) ||
		IsNamespaceMissing(apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, "n")) {
		t.Error("a missing namespace is told by the resource that was not found")
	}
	for _, err := range []error{
		apierrors.NewTooManyRequests("slow down", 1), apierrors.NewServiceUnavailable("starting"),
		apierrors.NewInternalError(errors.New("failed calling webhook \"x\": connection refused")),
	} {
		if !IsTransient(err) {
			t.Errorf("passes by itself: %v", err)
		}
	}
	for _, err := range []error{nil, immutable, apierrors.NewForbidden(schema.GroupResource{}, "a", nil), context.Canceled} {
		if IsTransient(err) {
			t.Errorf("does not pass by itself: %v", err)
		}
	}
}

func TestRetry(t *testing.T) {
	tries := 0
	err := Retry(context.Background(), func(error) time.Duration { return time.Minute }, func() error {
		if tries++; tries < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Errorf("%v after %d tries", err, tries)
	}
	tries = 0
	final := errors.New("never")
	if err := Retry(context.Background(), func(error) time.Duration { return 0 }, func() error { tries++; return final }); err != final || tries != 1 {
		t.Errorf("%v after %d tries", err, tries)
	}
}
