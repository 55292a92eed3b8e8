package await

import (
	"context"
	"fmt"
	"sort"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	// maxEvents and maxPods bound an error's length; the latest and the worst come first.
	maxEvents, maxPods = 5, 5
	explainTime        = 5 * time.Second
)

var (
	eventKind = schema.GroupVersionKind{Version: "v1", Kind: "Event"}
	podKind   = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}
)

// explain gathers why an object is not ready: what the check misses, conditions that are not as they should be, its
// pods' containers, and the latest events. It has its own short time, since the await's own is over.
func (w *Waiter) explain(obj *unstructured.Unstructured, test check, last *unstructured.Unstructured) []string {
	ctx, cancel := context.WithTimeout(context.Background(), explainTime)
	defer cancel()
	var reasons []string
	if v, err := test(ctx, w, last); err == nil && v.progress != "" {
		reasons = append(reasons, v.progress)
	}
	for _, c := range items(last.Object, "status", "conditions") {
		if message := text(c, "message"); message != "" && suspicious(c) {
			reasons = append(reasons, fmt.Sprintf("condition %s=%s [%s] %s", c["type"], c["status"], text(c, "reason"), message))
		}
	}
	pods := w.podsOf(ctx, last)
	for i, pod := range pods {
		if i == maxPods {
			reasons = append(reasons, fmt.Sprintf("and %d more pods", len(pods)-maxPods))
			break
		}
		problems := podProblems(&pod)
		if len(problems) == 0 {
			problems = []string{fmt.Sprintf("is %s and not ready", text(pod.Object, "status", "phase"))}
		}
		for _, problem := range problems {
			reasons = append(reasons, fmt.Sprintf("Pod %q: %s", pod.GetName(), problem))
		}
	}
	reasons = append(reasons, w.events(ctx, last)...)
	for i, pod := range pods {
		if i == maxPods {
			break
		}
		reasons = append(reasons, w.events(ctx, &pod)...)
	}
	return unique(reasons)
}

// suspicious is whether a condition looks like a reason: negative where it should hold, or positive where it tells of a
// failure.
func suspicious(c map[string]any) bool {
	switch c["type"] {
	case "Failed", "ReplicaFailure", "FailureTarget":
		return c["status"] == "True"
	case "Progressing":
		return c["status"] != "True"
	default:
		return c["status"] == "False"
	}
}

// podsOf lists an object's pods that are not ready, by the selector that the object itself uses.
func (w *Waiter) podsOf(ctx context.Context, obj *unstructured.Unstructured) []unstructured.Unstructured {
	if obj.GetKind() == "Pod" {
		return []unstructured.Unstructured{*obj}
	}
	selector := ""
	if simple, found, _ := unstructured.NestedStringMap(obj.Object, "spec", "selector"); found && len(simple) > 0 {
		selector = labels.SelectorFromSet(simple).String()
	} else if full, found, _ := unstructured.NestedStringMap(obj.Object, "spec", "selector", "matchLabels"); found && len(full) > 0 {
		selector = labels.SelectorFromSet(full).String()
	}
	if selector == "" {
		return nil
	}
	client, err := w.Client.ForKind(podKind, obj.GetNamespace())
	if err != nil {
		return nil
	}
	list, err := client.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil
	}
	var bad []unstructured.Unstructured
	for _, pod := range list.Items {
		if ready, _, _ := condition(&pod, "Ready"); ready != "True" && text(pod.Object, "status", "phase") != "Succeeded" {
			bad = append(bad, pod)
		}
	}
	return bad
}

// podProblems says what keeps a pod from running: not scheduled, containers that wait, crash or are not ready.
func podProblems(pod *unstructured.Unstructured) []string {
	var problems []string
	if status, reason, message := condition(pod, "PodScheduled"); status == "False" {
		problems = append(problems, fmt.Sprintf("[%s] %s", reason, message))
	}
	for _, field := range []string{"initContainerStatuses", "containerStatuses"} {
		for _, c := range items(pod.Object, "status", field) {
			name := text(c, "name")
			if reason := text(c, "state", "waiting", "reason"); reason != "" && reason != "ContainerCreating" && reason != "PodInitializing" {
				line := fmt.Sprintf("container %q is waiting: [%s] %s", name, reason, text(c, "state", "waiting", "message"))
				if last := terminated(c, "lastState"); last != "" {
					line += "; before that it " + last
				}
				problems = append(problems, line)
			} else if code := integer(c, "state", "terminated", "exitCode"); code != 0 {
				problems = append(problems, fmt.Sprintf("container %q %s", name, terminated(c, "state")))
			} else if _, running, _ := unstructured.NestedMap(c, "state", "running"); running && c["ready"] == false {
				problems = append(problems, fmt.Sprintf("container %q runs and is not ready (%s)", name,
					plural(integer(c, "restartCount"), "restart")))
			}
		}
	}
	return problems
}

func terminated(c map[string]any, field string) string {
	reason := text(c, field, "terminated", "reason")
	if reason == "" {
		return ""
	}
	line := fmt.Sprintf("ended with code %d [%s]", integer(c, field, "terminated", "exitCode"), reason)
	if message := text(c, field, "terminated", "message"); message != "" {
		line += ": " + message
	}
	return line
}

// events gives an object's latest warnings, or its latest events where there is no warning.
func (w *Waiter) events(ctx context.Context, obj *unstructured.Unstructured) []string {
	namespace := obj.GetNamespace()
	client, err := w.Client.ForKind(eventKind, namespace)
	if err != nil || obj.GetUID() == "" {
		return nil
	}
	list, err := client.List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.uid=" + string(obj.GetUID())})
	if err != nil {
		return nil
	}
	sort.SliceStable(list.Items, func(i, j int) bool { return when(&list.Items[i]) > when(&list.Items[j]) })
	var warnings, others []string
	for i := range list.Items {
		event := list.Items[i].Object
		line := fmt.Sprintf("%s %q: [%s] %s", obj.GetKind(), obj.GetName(), text(event, "reason"), text(event, "message"))
		if text(event, "type") == "Warning" {
			warnings = append(warnings, line)
		} else {
			others = append(others, line)
		}
	}
	if len(warnings) == 0 {
		warnings = others
	}
	return warnings[:min(len(warnings), maxEvents)]
}

func when(event *unstructured.Unstructured) string {
	for _, field := range []string{"lastTimestamp", "eventTime"} {
		if at := text(event.Object, field); at != "" {
			return at
		}
	}
	return event.GetCreationTimestamp().UTC().Format(time.RFC3339)
}

func unique(lines []string) []string {
	seen := map[string]bool{}
	out := lines[:0]
	for _, line := range lines {
		if !seen[line] {
			seen[line] = true
			out = append(out, line)
		}
	}
	return out
}
