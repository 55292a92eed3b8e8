package object

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Pulumi property names cannot have dashes in typed SDKs, so the schema extensions of CRDs go by other names there.
var dashed = map[string]string{
	"x_kubernetes_embedded_resource":       "x-kubernetes-embedded-resource",
	"x_kubernetes_int_or_string":           "x-kubernetes-int-or-string",
	"x_kubernetes_list_map_keys":           "x-kubernetes-list-map-keys",
	"x_kubernetes_list_type":               "x-kubernetes-list-type",
	"x_kubernetes_map_type":                "x-kubernetes-map-type",
	"x_kubernetes_preserve_unknown_fields": "x-kubernetes-preserve-unknown-fields",
	"x_kubernetes_validations":             "x-kubernetes-validations",
}

var underscored = func() map[string]resource.PropertyKey {
	inverse := make(map[string]resource.PropertyKey, len(dashed))
	for property, field := range dashed {
		inverse[field] = resource.PropertyKey(property)
	}
	return inverse
}()

// FromProperties makes an object of a property map: secrets are unwrapped, unknown values stay resource.Computed.
func FromProperties(properties resource.PropertyMap) *unstructured.Unstructured {
	keys := func(key string) (string, bool) {
		field, ok := dashed[key]
		return field, ok
	}
	var open func(resource.PropertyValue) (any, bool)
	open = func(value resource.PropertyValue) (any, bool) {
		switch {
		case value.IsSecret():
			return value.SecretValue().Element.MapRepl(keys, open), true
		case value.IsOutput():
			if output := value.OutputValue(); output.Known {
				return output.Element.MapRepl(keys, open), true
			}
			return resource.Computed{Element: resource.NewStringProperty("")}, true
		default:
			return nil, false
		}
	}
	return &unstructured.Unstructured{Object: properties.MapRepl(keys, open)}
}

// ToProperties is the inverse of FromProperties, without secrecy.
func ToProperties(obj *unstructured.Unstructured) resource.PropertyMap {
	return resource.NewPropertyMapFromMapRepl(obj.Object, func(key string) (resource.PropertyKey, bool) {
		property, ok := underscored[key]
		return property, ok
	}, nil)
}

// HasUnknown is whether any value within is not known yet, as in previews.
func HasUnknown(value any) bool {
	switch v := value.(type) {
	case *unstructured.Unstructured:
		return HasUnknown(v.Object)
	case resource.Computed, resource.Output:
		return true
	case map[string]any:
		for _, item := range v {
			if HasUnknown(item) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if HasUnknown(item) {
				return true
			}
		}
	}
	return false
}

// Copy is a deep copy that also takes numbers of any Go type and unknown values, which DeepCopy of unstructured refuses.
func Copy(obj *unstructured.Unstructured) *unstructured.Unstructured {
	if obj == nil {
		return nil
	}
	copied, _ := copyValue(obj.Object).(map[string]any)
	if copied == nil {
		copied = map[string]any{}
	}
	return &unstructured.Unstructured{Object: copied}
}

func copyValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		if v == nil {
			return map[string]any(nil)
		}
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = copyValue(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = copyValue(item)
		}
		return out
	case float64:
		// Pulumi has one kind of number; Kubernetes' typed decoding and patches want integers where they are whole.
		if whole := int64(v); float64(whole) == v {
			return whole
		}
		return v
	default:
		return value
	}
}
