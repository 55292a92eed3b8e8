package object

import (
	"encoding/base64"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// readOnly are metadata fields that only the server writes.
var readOnly = []string{
	"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "uid",
}

// IsCRD is whether the object defines a custom resource.
func IsCRD(obj *unstructured.Unstructured) bool {
	return obj.GetKind() == "CustomResourceDefinition" && obj.GroupVersionKind().Group == "apiextensions.k8s.io"
}

// IsSecret is whether the object is a core Secret.
func IsSecret(obj *unstructured.Unstructured) bool {
	return obj.GetKind() == "Secret" && obj.GetAPIVersion() == "v1"
}

// Normalize gives inputs the form that the API server would give them (quantities, ports as numbers, stringData as
// data), without fields that the inputs lack, so that equal objects compare equal. Objects of unknown kinds, and those
// with values that are not known yet, only lose server-written metadata.
func Normalize(inputs *unstructured.Unstructured) *unstructured.Unstructured {
	out := Copy(inputs)
	if !HasUnknown(out) {
		switch {
		case IsCRD(out):
			if keep, found, err := unstructured.NestedBool(out.Object, "spec", "preserveUnknownFields"); err == nil && found && !keep {
				unstructured.RemoveNestedField(out.Object, "spec", "preserveUnknownFields")
			}
			unstructured.RemoveNestedField(out.Object, "status")
		case IsSecret(out):
			normalizeSecret(out)
		default:
			out = roundTrip(out)
		}
	}
	for _, field := range readOnly {
		unstructured.RemoveNestedField(out.Object, "metadata", field)
	}
	return out
}

// roundTrip takes a built-in kind through its Go type.
func roundTrip(obj *unstructured.Unstructured) *unstructured.Unstructured {
	typed, err := scheme.Scheme.New(obj.GroupVersionKind())
	if err != nil {
		return obj
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, typed); err != nil {
		return obj
	}
	plain, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		return obj
	}
	return &unstructured.Unstructured{Object: PruneMap(plain, obj.Object)}
}

// normalizeSecret does what the server does with stringData, and re-encodes data as the server would store it.
func normalizeSecret(obj *unstructured.Unstructured) {
	data, _, _ := unstructured.NestedMap(obj.Object, "data")
	text, found, err := unstructured.NestedStringMap(obj.Object, "stringData")
	if err == nil && found && len(text) > 0 {
		if data == nil {
			data = map[string]any{}
		}
		for key, value := range text {
			data[key] = base64.StdEncoding.EncodeToString([]byte(value))
		}
		obj.Object["data"] = data
		delete(obj.Object, "stringData")
		return
	}
	for key, value := range data {
		if s, ok := value.(string); ok {
			if raw, err := base64.StdEncoding.DecodeString(s); err == nil {
				data[key] = base64.StdEncoding.EncodeToString(raw)
			}
		}
	}
	if data != nil {
		obj.Object["data"] = data
	}
}

// Prune keeps of a live object what the inputs name: the rest is the cluster's own.
func Prune(live, inputs *unstructured.Unstructured) *unstructured.Unstructured {
	pruned := PruneMap(live.Object, inputs.Object)
	if pruned == nil {
		pruned = map[string]any{}
	}
	return &unstructured.Unstructured{Object: pruned}
}

// PruneMap keeps the keys of source that shape has, at each depth.
func PruneMap(source, shape map[string]any) map[string]any {
	if source == nil || shape == nil {
		return nil
	}
	kept := make(map[string]any, len(shape))
	for key, value := range source {
		if like, ok := shape[key]; ok {
			kept[key] = pruneValue(value, like)
		}
	}
	return kept
}

func pruneValue(value, shape any) any {
	switch v := value.(type) {
	case map[string]any:
		if s, ok := shape.(map[string]any); ok {
			return PruneMap(v, s)
		}
	case []any:
		if s, ok := shape.([]any); ok {
			return pruneSlice(v, s)
		}
	}
	return value
}

// pruneSlice pairs elements by position, so elements beyond the inputs' length fall away: they were added by a webhook
// or a controller.
func pruneSlice(source, shape []any) []any {
	if len(source) == 0 || len(shape) == 0 {
		return []any{}
	}
	if reflect.TypeOf(source[0]) != reflect.TypeOf(shape[0]) {
		return runtime.DeepCopyJSONValue(source).([]any)
	}
	kept := make([]any, 0, len(shape))
	for i := 0; i < len(shape) && i < len(source); i++ {
		kept = append(kept, pruneValue(source[i], shape[i]))
	}
	return kept
}
