package await

import (
	"context"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// settle is how long a new Service may stay without any pod before that is taken for its intended state: a Service can
// be made before what it points to. The official provider gives ten seconds. An updated Service's pods show at once.
const (
	settle       = 5 * time.Second
	settleUpdate = time.Second
)

var (
	endpointSlices = schema.GroupVersionKind{Group: "discovery.k8s.io", Version: "v1", Kind: "EndpointSlice"}
	storageClasses = schema.GroupVersionKind{Group: "storage.k8s.io", Version: "v1", Kind: "StorageClass"}
	services       = schema.GroupVersionKind{Version: "v1", Kind: "Service"}
)

// related is what else to watch for an object: a Service's endpoints.
func (w *Waiter) related(obj *unstructured.Unstructured) *relatedWatch {
	if obj.GetKind() != "Service" || obj.GetAPIVersion() != "v1" || !targetsPods(obj) {
		return nil
	}
	client, err := w.Client.ForKind(endpointSlices, obj.GetNamespace())
	if err != nil {
		return nil
	}
	return &relatedWatch{client: client, labels: "kubernetes.io/service-name=" + obj.GetName()}
}

// targetsPods is whether a Service sends traffic to pods that Kubernetes selects, through an address of its own.
func targetsPods(obj *unstructured.Unstructured) bool {
	selector, _, _ := unstructured.NestedMap(obj.Object, "spec", "selector")
	return len(selector) > 0 && text(obj.Object, "spec", "clusterIP") != "None" &&
		text(obj.Object, "spec", "type") != "ExternalName"
}

// service is ready when its pods are, and when it has its address if it is a LoadBalancer.
func service(ctx context.Context, w *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	if targetsPods(obj) {
		ready, pending, err := w.endpoints(ctx, obj)
		if err != nil {
			return verdict{}, err
		}
		left := settle - time.Since(w.started)
		if w.Updating {
			left = settleUpdate - time.Since(w.started)
		}
		switch {
		case pending > 0:
			return waiting("waiting for the Service's pods to be ready (%d/%d)", ready, ready+pending), nil
		case ready == 0 && left > 0:
			v := waiting("looking for pods to send traffic to")
			v.again = min(left, time.Second)
			return v, nil
		}
	}
	if text(obj.Object, "spec", "type") == "LoadBalancer" && len(items(obj.Object, "status", "loadBalancer", "ingress")) == 0 {
		return waiting("waiting for the load balancer's address"), nil
	}
	return done(), nil
}

// endpoints counts a Service's endpoints: those that serve, and those that do not yet. Pods on their way out count as
// neither.
func (w *Waiter) endpoints(ctx context.Context, obj *unstructured.Unstructured) (ready, pending int64, err error) {
	client, err := w.Client.ForKind(endpointSlices, obj.GetNamespace())
	if err != nil {
		return 0, 0, err
	}
	list, err := client.List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=" + obj.GetName()})
	if err != nil {
		return 0, 0, err
	}
	for i := range list.Items {
		for _, endpoint := range items(list.Items[i].Object, "endpoints") {
			isReady, found, _ := unstructured.NestedBool(endpoint, "conditions", "ready")
			terminating, _, _ := unstructured.NestedBool(endpoint, "conditions", "terminating")
			switch {
			case isReady || !found:
				ready++
			case !terminating:
				pending++
			}
		}
	}
	return ready, pending, nil
}

// ingress is ready when it has an address and the Services of its rules exist.
func ingress(ctx context.Context, w *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	client, err := w.Client.ForKind(services, obj.GetNamespace())
	if err != nil {
		return verdict{}, err
	}
	for _, rule := range items(obj.Object, "spec", "rules") {
		for _, path := range items(rule, "http", "paths") {
			name := text(path, "backend", "service", "name")
			if name == "" || time.Since(w.started) > settle {
				continue
			}
			if _, err := client.Get(ctx, name, metav1.GetOptions{}); apierrors.IsNotFound(err) {
				v := waiting("looking for Service %q of rule %s%s", name, text(rule, "host"), text(path, "path"))
				v.again = time.Second
				return v, nil
			} else if err != nil {
				return verdict{}, err
			}
		}
	}
	if len(items(obj.Object, "status", "loadBalancer", "ingress")) == 0 {
		return waiting("waiting for the Ingress's address"), nil
	}
	return done(), nil
}

// persistentVolume is ready when a claim can have it or has it.
func persistentVolume(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	switch phase := text(obj.Object, "status", "phase"); phase {
	case "Available", "Bound":
		return done(), nil
	default:
		return waiting("waiting for the volume to be available (%s)", phase), nil
	}
}

// persistentVolumeClaim is ready when bound, or pending if its class binds only once a pod uses it.
func persistentVolumeClaim(ctx context.Context, w *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	phase := text(obj.Object, "status", "phase")
	if phase == "Bound" {
		return done(), nil
	}
	if name := text(obj.Object, "spec", "storageClassName"); name != "" && phase == "Pending" {
		client, err := w.Client.ForKind(storageClasses, "")
		if err != nil {
			return verdict{}, err
		}
		class, err := client.Get(ctx, name, metav1.GetOptions{})
		if err == nil && text(class.Object, "volumeBindingMode") == "WaitForFirstConsumer" {
			return done(), nil
		}
	}
	return waiting("waiting for the claim to be bound (%s)", phase), nil
}

// resourceQuota is ready when the server enforces the limits of its spec.
func resourceQuota(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	hard, _, _ := unstructured.NestedMap(obj.Object, "spec", "hard")
	enforced, _, _ := unstructured.NestedMap(obj.Object, "status", "hard")
	if len(hard) == 0 || reflect.DeepEqual(hard, enforced) {
		return done(), nil
	}
	return waiting("waiting for the quota to be enforced"), nil
}

// secret is ready at once, unless a controller fills it with a service account's token.
func secret(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	data, _, _ := unstructured.NestedMap(obj.Object, "data")
	if text(obj.Object, "type") != "kubernetes.io/service-account-token" || len(data) > 0 {
		return done(), nil
	}
	return waiting("waiting for the service account's token"), nil
}

// customResourceDefinition is ready when the server serves its kind.
func customResourceDefinition(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
	if accepted, _, message := condition(obj, "NamesAccepted"); accepted == "False" {
		return hopeless("its names are taken: %s", message), nil
	}
	if established, _, _ := condition(obj, "Established"); established == "True" {
		return done(), nil
	}
	return waiting("waiting for the definition to be established"), nil
}
