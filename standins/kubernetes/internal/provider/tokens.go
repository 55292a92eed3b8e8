package provider

import (
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// gvkOf reads group, version and kind from a resource's type token, kubernetes:apps/v1:Deployment. The core group goes
// by the name core there.
func gvkOf(id urn.URN) (schema.GroupVersionKind, error) {
	module := string(id.Type().Module().Name())
	group, version, ok := strings.Cut(module, "/")
	if string(id.Type().Package()) != "kubernetes" || !ok {
		return schema.GroupVersionKind{}, fmt.Errorf("%q is no resource type of the Kubernetes provider", id.Type())
	}
	if group == "core" {
		group = ""
	}
	return schema.GroupVersionKind{Group: group, Version: version, Kind: string(id.Type().Name())}, nil
}

// kindOf is the kind of an object as the inputs have it; core is an alias of the empty group.
func kindOf(obj *unstructured.Unstructured) schema.GroupVersionKind {
	gvk := obj.GroupVersionKind()
	if gvk.Group == "core" {
		gvk.Group = ""
	}
	return gvk
}

// isPatch is whether a resource owns only some fields of an object that somebody else made: its type is the kind with
// Patch behind.
func isPatch(id urn.URN, kind string) bool {
	name := string(id.Type().Name())
	return strings.HasSuffix(name, "Patch") && name != kind
}

// isList is whether a type token names a list of objects of a built-in kind.
func isList(gvk schema.GroupVersionKind) bool {
	kind, ok := strings.CutSuffix(gvk.Kind, "List")
	return ok && scheme.Scheme.Recognizes(gvk.GroupVersion().WithKind(kind))
}

// isRelease is whether a type token names a Helm release, which is no Kubernetes object.
func isRelease(gvk schema.GroupVersionKind) bool {
	return gvk.Group == "helm.sh" && gvk.Kind == "Release"
}
