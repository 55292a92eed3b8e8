package await

import (
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	obj := &unstructured.Unstructured{}
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	// The same decoder as for answers of the server: whole numbers become int64.
	if err := obj.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return obj
}

// judge gives "ready", "failed: why" or what is waited for.
func judge(t *testing.T, text string) string {
	t.Helper()
	obj := parse(t, text)
	test, err := checkFor(obj)
	if err != nil {
		return "error: " + err.Error()
	}
	if test == nil {
		return "ready"
	}
	v, err := test(context.Background(), &Waiter{}, obj)
	switch {
	case err != nil:
		return "error: " + err.Error()
	case v.ready:
		return "ready"
	case v.failed != "":
		return "failed: " + v.failed
	}
	return v.progress
}

func TestChecks(t *testing.T) {
	const available = "conditions: [{type: Available, status: 'True'}, {type: Progressing, status: 'True', reason: NewReplicaSetAvailable}]"
	for name, test := range map[string]struct{ object, want string }{
		"Deployment not seen yet": {
			"{apiVersion: apps/v1, kind: Deployment, metadata: {generation: 2}, spec: {replicas: 1}, status: {observedGeneration: 1, updatedReplicas: 1, readyReplicas: 1, " + available + "}}",
			"waiting for the Deployment's controller"},
		"Deployment ready": {
			"{apiVersion: apps/v1, kind: Deployment, metadata: {generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2, replicas: 2, updatedReplicas: 2, readyReplicas: 2, " + available + "}}",
			"ready"},
		"Deployment with pods of the old template": {
			"{apiVersion: apps/v1, kind: Deployment, metadata: {generation: 2}, spec: {replicas: 2}, status: {observedGeneration: 2, replicas: 3, updatedReplicas: 1, readyReplicas: 2, conditions: [{type: Available, status: 'True'}, {type: Progressing, status: 'True', reason: ReplicaSetUpdated}]}}",
			"waiting for pods of the new template (1/2 made)"},
		"Deployment whose pods do not start": {
			"{apiVersion: apps/v1, kind: Deployment, metadata: {generation: 1}, status: {observedGeneration: 1, replicas: 1, updatedReplicas: 1, conditions: [{type: Available, status: 'False'}]}}",
			"waiting for pods to be ready (0/1)"},
		"Deployment of none": {
			"{apiVersion: apps/v1, kind: Deployment, metadata: {generation: 1}, spec: {replicas: 0}, status: {observedGeneration: 1, " + available + "}}", "ready"},
		"StatefulSet in a rollout": {
			"{apiVersion: apps/v1, kind: StatefulSet, spec: {replicas: 2}, status: {readyReplicas: 2, updatedReplicas: 1, currentRevision: a, updateRevision: b}}",
			"waiting for pods of the new revision (1/2)"},
		"StatefulSet updated by hand": {
			"{apiVersion: apps/v1, kind: StatefulSet, spec: {replicas: 2, updateStrategy: {type: OnDelete}}, status: {readyReplicas: 2, currentRevision: a, updateRevision: b}}", "ready"},
		"StatefulSet with a partition": {
			"{apiVersion: apps/v1, kind: StatefulSet, spec: {replicas: 3, updateStrategy: {rollingUpdate: {partition: 2}}}, status: {readyReplicas: 3, updatedReplicas: 1, currentRevision: a, updateRevision: b}}", "ready"},
		"DaemonSet": {
			"{apiVersion: apps/v1, kind: DaemonSet, status: {desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1}}", "waiting for pods to be available (1/2)"},
		"Job complete": {"{apiVersion: batch/v1, kind: Job, status: {conditions: [{type: Complete, status: 'True'}]}}", "ready"},
		"Job failed": {
			"{apiVersion: batch/v1, kind: Job, status: {conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded, message: too often}]}}",
			"failed: [BackoffLimitExceeded] too often"},
		"Pod that ran to its end": {"{apiVersion: v1, kind: Pod, status: {phase: Succeeded}}", "ready"},
		"Pod that crashes": {
			"{apiVersion: v1, kind: Pod, status: {phase: Running, containerStatuses: [{name: c, state: {waiting: {reason: CrashLoopBackOff, message: back-off}}, lastState: {terminated: {reason: Error, exitCode: 3}}}]}}",
			`container "c" is waiting: [CrashLoopBackOff] back-off; before that it ended with code 3 [Error]`},
		"claim bound":   {"{apiVersion: v1, kind: PersistentVolumeClaim, status: {phase: Bound}}", "ready"},
		"claim pending": {"{apiVersion: v1, kind: PersistentVolumeClaim, status: {phase: Pending}}", "waiting for the claim to be bound (Pending)"},
		"quota":         {"{apiVersion: v1, kind: ResourceQuota, spec: {hard: {pods: '1'}}, status: {hard: {pods: '2'}}}", "waiting for the quota to be enforced"},
		"definition whose names are taken": {
			"{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, status: {conditions: [{type: NamesAccepted, status: 'False', message: things}]}}",
			"failed: its names are taken: things"},
		"headless Service":          {"{apiVersion: v1, kind: Service, spec: {clusterIP: None, selector: {a: b}}}", "ready"},
		"Service without address":   {"{apiVersion: v1, kind: Service, spec: {type: LoadBalancer}}", "waiting for the load balancer's address"},
		"kind without a notion":     {"{apiVersion: v1, kind: ConfigMap}", "ready"},
		"Deployment of another API": {"{apiVersion: example.org/v1, kind: Deployment}", "ready"},
		"told not to wait":          {"{apiVersion: v1, kind: Pod, metadata: {annotations: {pulumi.com/skipAwait: 'true'}}}", "ready"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := judge(t, test.object); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWaitFor(t *testing.T) {
	const status = "status: {phase: Running, size: 3, list: [{name: a, ip: x}], conditions: [{type: Ready, status: 'True', observedGeneration: 1}, {type: Idle, status: 'False', reason: Busy, message: working}]}"
	for expression, want := range map[string]string{
		"jsonpath={.status.phase}=Running":                        "ready",
		"jsonpath={.status.phase}=Done":                           "waiting for {.status.phase}=Done (now Running)",
		"jsonpath={.status.size}=3":                               "ready",
		"jsonpath={.status.none}":                                 "waiting for {.status.none}",
		`jsonpath={.status.list[?(@.name=="a")].ip}=x`:            "ready",
		"condition=Ready":                                         "ready",
		"condition=Idle":                                          "waiting for condition Idle=True (Busy: working)",
		"condition=Idle=False":                                    "ready",
		"condition=None":                                          "waiting for condition None=True",
		`["condition=Ready", "jsonpath={.status.phase}=Running"]`: "ready",
		`["condition=Ready", "jsonpath={.status.phase}=Done"]`:    "waiting for {.status.phase}=Done (now Running)",
		"Ready":                `error: annotation pulumi.com/waitFor: expected a "jsonpath=" or "condition=" prefix, got "Ready"`,
		"[]":                   "error: annotation pulumi.com/waitFor: at least one condition must be specified",
		"jsonpath=.status":     `error: annotation pulumi.com/waitFor: jsonpath should be {.path} or {.path}=value, got ".status"`,
		"jsonpath={.status}=":  `error: annotation pulumi.com/waitFor: jsonpath should be {.path} or {.path}=value, got "{.status}="`,
		"jsonpath={.status}=x": "error: annotation pulumi.com/waitFor: {.status} has no simple value",
	} {
		obj := "{apiVersion: example.org/v1, kind: Thing, metadata: {generation: 1, annotations: {pulumi.com/waitFor: " + quote(t, expression) + "}}, " + status + "}"
		if got := judge(t, obj); got != want {
			t.Errorf("%s: got %q, want %q", expression, got, want)
		}
	}
	stale := "{apiVersion: example.org/v1, kind: Thing, metadata: {generation: 2, annotations: {pulumi.com/waitFor: condition=Ready}}, " + status + "}"
	if got := judge(t, stale); got != "waiting for condition Ready=True of the latest generation" {
		t.Errorf("a condition of an older generation: got %q", got)
	}
}

func quote(t *testing.T, text string) string {
	t.Helper()
	out, err := yaml.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return "'" + strings.ReplaceAll(strings.Trim(strings.TrimSpace(string(out)), "'\""), "'", "''") + "'"
}

func TestExplainDeletion(t *testing.T) {
	obj := parse(t, "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {finalizers: [kubernetes.io/pvc-protection, example.org/x]}}")
	got := strings.Join(explainDeletion(obj), "\n")
	want := "finalizer \"kubernetes.io/pvc-protection\" is not done: it is still in use\n" +
		"finalizer \"example.org/x\" is not done: the controller that set it must remove it; is it still running?"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
