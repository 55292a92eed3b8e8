package await

import (
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"groundwork.dev/standins/kubernetes/internal/object"
)

// skipsOnDelete are the kinds whose deletion is not waited for either when pulumi.com/skipAwait is set. For the others
// the annotation is about readiness only.
var skipsOnDelete = map[string]bool{
	"/Namespace": true, "/Pod": true, "/ReplicationController": true, "apps/DaemonSet": true, "apps/Deployment": true,
	"apps/StatefulSet": true, "batch/Job": true,
}

// quick is how long a deletion takes before it is worth a line.
const quick = time.Second

// Gone waits until a deleted object is not there any more, or another one of that name is. inputs are the program's,
// for its annotations. On timeout the error tells which finalizers hold it.
func (w *Waiter) Gone(ctx context.Context, obj, inputs *unstructured.Unstructured, timeout time.Duration) error {
	if object.Flag(inputs, object.SkipAwaitAnnotation) && skipsOnDelete[obj.GroupVersionKind().Group+"/"+obj.GetKind()] {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	w.started = time.Now()
	last := obj
	err := w.follow(within, obj, false, func(current *unstructured.Unstructured) (bool, time.Duration, error) {
		if current == nil || obj.GetUID() != "" && current.GetUID() != obj.GetUID() {
			return true, 0, nil
		}
		last = current
		if time.Since(w.started) < quick {
			return false, quick, nil
		}
		line := "waiting for the deletion to finish"
		if held := current.GetFinalizers(); len(held) > 0 {
			line += "; finalizers: " + strings.Join(held, ", ")
		}
		w.Status(line)
		return false, 0, nil
	})
	if err == nil {
		w.Status("")
		return nil
	}
	failure := &Error{Object: last}
	switch {
	case ctx.Err() != nil:
		failure.Summary = "the operation was cancelled while waiting for the deletion of " + quoted(obj)
	case within.Err() != nil:
		failure.Summary = fmt.Sprintf("%s is still there %s after its deletion", quoted(obj), minutes(timeout))
	default:
		failure.Summary = fmt.Sprintf("waiting for the deletion of %s: %v", quoted(obj), err)
	}
	failure.Reasons = explainDeletion(last)
	short, stop := context.WithTimeout(context.Background(), explainTime)
	defer stop()
	failure.Reasons = append(failure.Reasons, w.events(short, last)...)
	if len(failure.Reasons) > 0 {
		// The engine shows the reasons of a failed create or update, but of a failed delete only the error itself.
		failure.Summary += ": " + strings.Join(failure.Reasons, "; ")
	}
	return failure
}

// explainDeletion tells what holds an object that is being deleted.
func explainDeletion(obj *unstructured.Unstructured) []string {
	var reasons []string
	for _, finalizer := range obj.GetFinalizers() {
		line := fmt.Sprintf("finalizer %q is not done", finalizer)
		switch finalizer {
		case "foregroundDeletion":
			line += ": objects that it owns are still being deleted"
		case "kubernetes.io/pvc-protection", "kubernetes.io/pv-protection":
			line += ": it is still in use"
		default:
			line += ": the controller that set it must remove it; is it still running?"
		}
		reasons = append(reasons, line)
	}
	if held, _, _ := unstructured.NestedStringSlice(obj.Object, "spec", "finalizers"); obj.GetKind() == "Namespace" && len(held) > 0 {
		for _, c := range items(obj.Object, "status", "conditions") {
			if c["status"] == "True" {
				reasons = append(reasons, fmt.Sprintf("[%s] %s", text(c, "reason"), text(c, "message")))
			}
		}
	}
	return reasons
}
