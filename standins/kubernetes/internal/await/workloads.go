package await

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// deployment is ready when its latest template has all its pods and they are available.
func deployment(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	want := replicas(obj)
	if !observed(obj) {
		return waiting("waiting for the Deployment's controller"), nil
	}
	updated, ready := integer(obj.Object, "status", "updatedReplicas"), integer(obj.Object, "status", "readyReplicas")
	available, _, _ := condition(obj, "Available")
	_, progress, _ := condition(obj, "Progressing")
	if updated >= want && ready >= want && available == "True" &&
		(progress == "" || progress == "NewReplicaSetAvailable" || integer(obj.Object, "status", "replicas") == updated) {
		return done(), nil
	}
	if updated < want {
		return waiting("waiting for pods of the new template (%d/%d made)", updated, want), nil
	}
	return waiting("waiting for pods to be ready (%d/%d)", min(ready, want), want), nil
}

// statefulSet is ready when all replicas are ready and, unless updates wait for somebody, of the latest revision.
func statefulSet(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	want, ready := replicas(obj), integer(obj.Object, "status", "readyReplicas")
	if !observed(obj) {
		return waiting("waiting for the StatefulSet's controller"), nil
	}
	if ready < want {
		return waiting("waiting for pods to be ready (%d/%d)", ready, want), nil
	}
	if text(obj.Object, "spec", "updateStrategy", "type") == "OnDelete" {
		return done(), nil
	}
	if partition := integer(obj.Object, "spec", "updateStrategy", "rollingUpdate", "partition"); partition > 0 {
		if updated := integer(obj.Object, "status", "updatedReplicas"); updated < want-partition {
			return waiting("waiting for pods of the new revision (%d/%d)", updated, want-partition), nil
		}
		return done(), nil
	}
	if text(obj.Object, "status", "currentRevision") != text(obj.Object, "status", "updateRevision") {
		updated := integer(obj.Object, "status", "updatedReplicas")
		return waiting("waiting for pods of the new revision (%d/%d)", updated, want), nil
	}
	return done(), nil
}

// daemonSet is ready when every node that should has an available pod of the latest template.
func daemonSet(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	want := integer(obj.Object, "status", "desiredNumberScheduled")
	updated, available := integer(obj.Object, "status", "updatedNumberScheduled"), integer(obj.Object, "status", "numberAvailable")
	switch {
	case !observed(obj):
		return waiting("waiting for the DaemonSet's controller"), nil
	case text(obj.Object, "spec", "updateStrategy", "type") != "OnDelete" && updated < want:
		return waiting("waiting for pods of the new template (%d/%d made)", updated, want), nil
	case available < want:
		return waiting("waiting for pods to be available (%d/%d)", available, want), nil
	}
	return done(), nil
}

// replicationController is ready when all replicas are available.
func replicationController(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	want, available := replicas(obj), integer(obj.Object, "status", "availableReplicas")
	if !observed(obj) || available < want {
		return waiting("waiting for pods to be available (%d/%d)", available, want), nil
	}
	return done(), nil
}

// job is ready when it completed, and lost when it failed.
func job(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	if status, reason, message := condition(obj, "Failed"); status == "True" {
		return hopeless("[%s] %s", reason, message), nil
	}
	if status, _, _ := condition(obj, "Complete"); status == "True" {
		return done(), nil
	}
	return waiting("waiting for the Job to succeed (active %d, succeeded %d, failed %d)", integer(obj.Object, "status", "active"),
		integer(obj.Object, "status", "succeeded"), integer(obj.Object, "status", "failed")), nil
}

// pod is ready when its Ready condition says so, or when it has run to its end.
func pod(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	if text(obj.Object, "status", "phase") == "Succeeded" {
		return done(), nil
	}
	if status, _, _ := condition(obj, "Ready"); status == "True" {
		return done(), nil
	}
	if problems := podProblems(obj); len(problems) > 0 {
		return waiting("%s", strings.Join(problems, "; ")), nil
	}
	return waiting("waiting for the Pod to be ready"), nil
}

// JobComplete is whether a Job has run to its end with success.
func JobComplete(obj *unstructured.Unstructured) bool {
	status, _, _ := condition(obj, "Complete")
	return status == "True"
}
