// Package object has what the provider knows of one Kubernetes object: its annotations for Pulumi, its two forms
// (property map and unstructured), and the normal form in which two of them can be compared.
package object

import (
	"strconv"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The annotations by which a program steers the provider, with the names of the official one.
const (
	AutonamedAnnotation         = "pulumi.com/autonamed"
	SkipAwaitAnnotation         = "pulumi.com/skipAwait"
	WaitForAnnotation           = "pulumi.com/waitFor"
	TimeoutSecondsAnnotation    = "pulumi.com/timeoutSeconds"
	ReplaceUnreadyAnnotation    = "pulumi.com/replaceUnready"
	PatchForceAnnotation        = "pulumi.com/patchForce"
	PatchFieldManagerAnnotation = "pulumi.com/patchFieldManager"
	DeletionPolicyAnnotation    = "pulumi.com/deletionPropagationPolicy"
)

// DefaultTimeout is how long an await takes at most when neither the program nor an annotation says otherwise.
const DefaultTimeout = 10 * time.Minute

// Annotation gives an annotation's value, or "".
func Annotation(obj *unstructured.Unstructured, key string) string { return obj.GetAnnotations()[key] }

// Flag is whether an annotation says "true".
func Flag(obj *unstructured.Unstructured, key string) bool { return Annotation(obj, key) == "true" }

// Timeout is how long to wait for the object: customTimeouts (seconds; 0 is unset) before the annotation.
func Timeout(seconds float64, obj *unstructured.Unstructured) time.Duration {
	if seconds > 0 {
		return time.Duration(seconds * float64(time.Second))
	}
	if n, err := strconv.Atoi(Annotation(obj, TimeoutSecondsAnnotation)); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	return DefaultTimeout
}

// Propagation is what a delete does with the object's dependents: foreground unless the annotation says otherwise.
func Propagation(obj *unstructured.Unstructured) metav1.DeletionPropagation {
	switch strings.ToLower(Annotation(obj, DeletionPolicyAnnotation)) {
	case "orphan":
		return metav1.DeletePropagationOrphan
	case "background":
		return metav1.DeletePropagationBackground
	default:
		return metav1.DeletePropagationForeground
	}
}

// SetAnnotation writes an annotation unless the metadata or its annotations are not known yet.
func SetAnnotation(obj *unstructured.Unstructured, key, value string) {
	metadata, ok := obj.Object["metadata"].(map[string]any)
	if !ok {
		if obj.Object["metadata"] != nil {
			return
		}
		metadata = map[string]any{}
		obj.Object["metadata"] = metadata
	}
	switch annotations := metadata["annotations"].(type) {
	case nil:
		metadata["annotations"] = map[string]any{key: value}
	case map[string]any:
		annotations[key] = value
	case resource.Computed:
	}
}
