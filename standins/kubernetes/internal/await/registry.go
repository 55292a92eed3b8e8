package await

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"groundwork.dev/standins/kubernetes/internal/object"
)

// checks are the kinds that have a notion of ready, by group and kind.
var checks = map[string]check{
	"/PersistentVolume":      persistentVolume,
	"/PersistentVolumeClaim": persistentVolumeClaim,
	"/Pod":                   pod,
	"/ReplicationController": replicationController,
	"/ResourceQuota":         resourceQuota,
	"/Secret":                secret,
	"/Service":               service,
	"apiextensions.k8s.io/CustomResourceDefinition": customResourceDefinition,
	"apps/DaemonSet":            daemonSet,
	"apps/Deployment":           deployment,
	"apps/StatefulSet":          statefulSet,
	"batch/Job":                 job,
	"networking.k8s.io/Ingress": ingress,
}

// checkedOnRead are the kinds that a refresh reports as failed if they are not ready.
var checkedOnRead = map[string]bool{
	"DaemonSet": true, "Deployment": true, "Ingress": true, "Job": true, "Pod": true, "Service": true, "StatefulSet": true,
}

// checkFor gives the check for an object: that of its annotations, else of its kind, or nil where there is nothing to
// wait for.
func checkFor(obj *unstructured.Unstructured) (check, error) {
	if object.Flag(obj, object.SkipAwaitAnnotation) {
		return nil, nil
	}
	if expression := object.Annotation(obj, object.WaitForAnnotation); expression != "" {
		return parseWaitFor(expression)
	}
	return checks[obj.GroupVersionKind().Group+"/"+obj.GetKind()], nil
}

// integer reads a number field; missing or of another type is 0.
func integer(obj map[string]any, path ...string) int64 {
	value, _, _ := unstructured.NestedFieldNoCopy(obj, path...)
	switch n := value.(type) {
	case int64:
		return n
	case int:
		return int64(n)
	case float64:
		return int64(n)
	}
	return 0
}

// replicas is how many the spec asks for; Kubernetes' default is one.
func replicas(obj *unstructured.Unstructured) int64 {
	if _, found, _ := unstructured.NestedFieldNoCopy(obj.Object, "spec", "replicas"); !found {
		return 1
	}
	return integer(obj.Object, "spec", "replicas")
}

// text reads a string field; missing or of another type is "".
func text(obj map[string]any, path ...string) string {
	value, _, _ := unstructured.NestedString(obj, path...)
	return value
}

// items reads a list of objects.
func items(obj map[string]any, path ...string) []map[string]any {
	list, _, _ := unstructured.NestedFieldNoCopy(obj, path...)
	raw, _ := list.([]any)
	out := make([]map[string]any, 0, len(raw))
	for _, item := range raw {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// condition finds a status condition by type.
func condition(obj *unstructured.Unstructured, kind string) (status, reason, message string) {
	for _, c := range items(obj.Object, "status", "conditions") {
		if c["type"] == kind {
			return text(c, "status"), text(c, "reason"), text(c, "message")
		}
	}
	return "", "", ""
}

// observed is whether the controller has seen the object's latest spec.
func observed(obj *unstructured.Unstructured) bool {
	return integer(obj.Object, "status", "observedGeneration") >= obj.GetGeneration()
}
