package kube

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// clusterScoped are the built-in kinds that live outside namespaces, so that no request is needed to tell, nor a
// cluster.
var clusterScoped = func() map[string]bool {
	kinds := map[string]bool{}
	for _, kind := range strings.Fields(`
		APIService CSIDriver CSINode CertificateSigningRequest ClusterRole ClusterRoleBinding ClusterTrustBundle
		ComponentStatus CustomResourceDefinition DeviceClass DeviceTaintRule FlowSchema IPAddress IngressClass
		MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration Namespace Node
		PersistentVolume PriorityClass PriorityLevelConfiguration ResourceSlice RuntimeClass SelfSubjectAccessReview
		SelfSubjectReview SelfSubjectRulesReview ServiceCIDR StorageClass StorageVersion StorageVersionMigration
		SubjectAccessReview TokenReview ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding
		ValidatingWebhookConfiguration VolumeAttachment VolumeAttributesClass`) {
		kinds[kind] = true
	}
	return kinds
}()

// builtinScope answers for kinds of Kubernetes itself.
func builtinScope(gvk schema.GroupVersionKind) (namespaced, known bool) {
	switch gvk.Group {
	case "apiextensions.k8s.io", "apiregistration.k8s.io":
		return false, true
	}
	if !scheme.Scheme.Recognizes(gvk) {
		return false, false
	}
	return !clusterScoped[gvk.Kind], true
}
