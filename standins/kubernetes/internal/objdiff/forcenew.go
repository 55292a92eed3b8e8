package objdiff

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Mutability is what the provider's configuration lets change in place.
type Mutability struct {
	ConfigMaps bool
	Secrets    bool
}

// identity holds for every kind: an object cannot be renamed or moved.
var identity = []string{"metadata.name", "metadata.namespace"}

// podContainerFields are the container fields of a running Pod whose change makes a new Pod, in the official
// provider's table. Kubernetes itself would let an image change in place.
var podContainerFields = []string{
	"args", "command", "env", "image", "imagePullPolicy", "lifecycle", "livenessProbe", "ports", "readinessProbe",
	"resources", "securityContext", "stdin", "stdinOnce", "terminationMessagePath", "terminationMessagePolicy", "tty",
	"volumeDevices", "volumeMounts", "workingDir",
}

var podFields = strings.Fields(`affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks
	hostAliases hostIPC hostNetwork hostPID hostname imagePullSecrets nodeName nodeSelector overhead preemptionPolicy
	priority priorityClassName readinessGates restartPolicy runtimeClassName schedulerName securityContext
	serviceAccount serviceAccountName shareProcessNamespace subdomain terminationGracePeriodSeconds volumes`)

var persistentVolumeSources = strings.Fields(`awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume
	flocker gcePersistentDisk glusterfs hostPath iscsi local nfs photonPersistentDisk portworxVolume quobyte rbd scaleIO
	storageos vsphereVolume`)

// immutable maps group and kind to the fields that the official provider 4.34 replaces on, for every version of the
// group. A field stands for all below it; [*] for any position.
var immutable = map[string][]string{
	"/PersistentVolume":      prefixed("spec.", persistentVolumeSources),
	"/PersistentVolumeClaim": {"spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"},
	"/Pod":                   slices.Concat(prefixed("spec.", podFields), prefixed("spec.containers[*].", podContainerFields), prefixed("spec.initContainers[*].", podContainerFields)),
	"/ResourceQuota":         {"spec.scopes"},
	"/Secret":                {"type"},
	"/Service":               {"spec.clusterIP"},
	"apps/DaemonSet":         {"spec.selector"},
	"apps/Deployment":        {"spec.selector"},
	"apps/StatefulSet":       {"spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"},
	"batch/Job":              {"spec.completions", "spec.parallelism", "spec.selector", "spec.template"},
	"rbac.authorization.k8s.io/ClusterRoleBinding": {"roleRef"},
	"rbac.authorization.k8s.io/RoleBinding":        {"roleRef"},
	"storage.k8s.io/StorageClass":                  {"parameters", "provisioner"},
}

func prefixed(prefix string, fields []string) []string {
	out := make([]string, len(fields))
	for i, field := range fields {
		out[i] = prefix + field
	}
	return out
}

// ForceNew lists the fields of an object that cannot change in place. A patch resource owns only fields of somebody
// else's object, so only identity counts for it.
func ForceNew(obj *unstructured.Unstructured, patch bool, may Mutability) []string {
	if patch {
		return identity
	}
	gvk := obj.GroupVersionKind()
	fields := immutable[gvk.Group+"/"+gvk.Kind]
	frozen, _, _ := unstructured.NestedBool(obj.Object, "immutable")
	switch gvk.Group + "/" + gvk.Kind {
	case "/Secret":
		if !may.Secrets || frozen {
			fields = []string{"type", "stringData", "data"}
		}
	case "/ConfigMap":
		if !may.ConfigMaps || frozen {
			fields = []string{"binaryData", "data"}
		}
	}
	return slices.Concat(identity, fields)
}

// Forces is whether a change touches one of the fields: at it, below it, or by adding or taking away an object around it.
func Forces(change Change, fields []string) bool {
	return slices.ContainsFunc(fields, func(field string) bool { return touches(change, split(field)) })
}

func touches(change Change, field []string) bool {
	for i, want := range field {
		if i == len(change.Path) {
			return holds(change.Value, field[i:])
		}
		switch s := change.Path[i].(type) {
		case int:
			if want != "[*]" {
				return false
			}
		case string:
			if want != s {
				return false
			}
		}
	}
	return true
}

// holds is whether value has something at the remaining steps of a field.
func holds(value any, steps []string) bool {
	if len(steps) == 0 {
		return true
	}
	switch v := value.(type) {
	case map[string]any:
		inner, ok := v[steps[0]]
		return ok && holds(inner, steps[1:])
	case []any:
		return steps[0] == "[*]" && slices.ContainsFunc(v, func(item any) bool { return holds(item, steps[1:]) })
	}
	return false
}

func split(field string) []string {
	return strings.FieldsFunc(strings.ReplaceAll(field, "[*]", ".[*]"), func(r rune) bool { return r == '.' })
}

// FieldTouches is whether a change is at, above or below a field named the way the API server names causes
// (spec.template, spec.containers[0].image, spec.ports).
func FieldTouches(change Change, field string) bool {
	key := change.Key()
	return key == field || strings.HasPrefix(key, field+".") || strings.HasPrefix(key, field+"[") ||
		strings.HasPrefix(field, key+".") || strings.HasPrefix(field, key+"[")
}
