// Package kube is the provider's way to the API server: clients by kind, server-side and client-side apply, and which
// errors pass by themselves.
package kube

import (
	"context"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Client reaches one cluster.
type Client struct {
	Dynamic   dynamic.Interface
	discovery *discovery.DiscoveryClient

	mu    sync.Mutex
	kinds map[schema.GroupVersion]*groupVersion
	// defined are the scopes of CRDs that the program is about to create, seen before the server knows them.
	defined map[schema.GroupKind]bool
}

// groupVersion is what the server said of one group and version, and when: a kind that is missing is asked for again,
// but not with each call of many resources that wait for the same CRD.
type groupVersion struct {
	mu    sync.Mutex
	asked time.Time
	kinds map[string]resourceInfo
	err   error
}

type resourceInfo struct {
	name       string
	namespaced bool
}

// askAgain is the least time between two questions for the same missing kind.
const askAgain = 200 * time.Millisecond

// New makes a client from a REST configuration. It does not connect.
func New(config *rest.Config) (*Client, error) {
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return newWith(config, httpClient)
}

func newWith(config *rest.Config, httpClient *http.Client) (*Client, error) {
	dyn, err := dynamic.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	disco, err := discovery.NewDiscoveryClientForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, err
	}
	return &Client{
		Dynamic: dyn, discovery: disco, kinds: map[schema.GroupVersion]*groupVersion{}, defined: map[schema.GroupKind]bool{},
	}, nil
}

// Ping asks the server for its version, so that a cluster that cannot be reached is known at once.
func (c *Client) Ping(ctx context.Context) error {
	return c.discovery.RESTClient().Get().AbsPath("/version").Do(ctx).Error()
}

// Define notes a CRD that the program creates in this run, so that its custom resources' scope is known in previews.
func (c *Client) Define(crd *unstructured.Unstructured) {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	scope, _, _ := unstructured.NestedString(crd.Object, "spec", "scope")
	if group == "" || kind == "" || scope == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.defined[schema.GroupKind{Group: group, Kind: kind}] = scope == "Namespaced"
}

// Forget drops what discovery said, after a CRD came or went.
func (c *Client) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kinds = map[schema.GroupVersion]*groupVersion{}
}

// Namespaced is whether a kind lives in namespaces. known is false where neither the server, nor the program's own
// CRDs, nor the table of built-in kinds can tell.
func (c *Client) Namespaced(gvk schema.GroupVersionKind) (namespaced, known bool) {
	if builtin, ok := builtinScope(gvk); ok {
		return builtin, true
	}
	if c == nil {
		return true, false
	}
	c.mu.Lock()
	scope, ok := c.defined[gvk.GroupKind()]
	c.mu.Unlock()
	if ok {
		return scope, true
	}
	info, err := c.lookup(gvk)
	if err != nil {
		return true, false
	}
	return info.namespaced, true
}

// Exists is whether the server serves the kind now.
func (c *Client) Exists(gvk schema.GroupVersionKind) bool {
	_, err := c.lookup(gvk)
	return err == nil
}

// For gives the client for an object's kind, in its namespace.
func (c *Client) For(obj *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	return c.ForKind(obj.GroupVersionKind(), obj.GetNamespace())
}

// ForKind gives the client for a kind; namespace is ignored for kinds of the cluster and "default" if empty.
// The error is a meta.NoKindMatchError where the server does not serve the kind.
func (c *Client) ForKind(gvk schema.GroupVersionKind, namespace string) (dynamic.ResourceInterface, error) {
	info, err := c.lookup(gvk)
	if err != nil {
		return nil, err
	}
	resource := c.Dynamic.Resource(gvk.GroupVersion().WithResource(info.name))
	if !info.namespaced {
		return resource, nil
	}
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	return resource.Namespace(namespace), nil
}

// lookup finds how the server names a kind. One request a group and version; a kind that is not there is looked up
// again, since its CRD may have been made in the meantime.
func (c *Client) lookup(gvk schema.GroupVersionKind) (resourceInfo, error) {
	gv := gvk.GroupVersion()
	c.mu.Lock()
	entry := c.kinds[gv]
	if entry == nil {
		entry = &groupVersion{}
		c.kinds[gv] = entry
	}
	c.mu.Unlock()

	entry.mu.Lock()
	defer entry.mu.Unlock()
	if info, ok := entry.kinds[gvk.Kind]; ok {
		return info, nil
	}
	if time.Since(entry.asked) > askAgain {
		entry.kinds, entry.err = c.discover(gv)
		entry.asked = time.Now()
	}
	if entry.err != nil {
		return resourceInfo{}, entry.err
	}
	info, ok := entry.kinds[gvk.Kind]
	if !ok {
		return resourceInfo{}, &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
	}
	return info, nil
}

func (c *Client) discover(gv schema.GroupVersion) (map[string]resourceInfo, error) {
	list, err := c.discovery.ServerResourcesForGroupVersion(gv.String())
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	kinds := map[string]resourceInfo{}
	for _, resource := range list.APIResources {
		if _, seen := kinds[resource.Kind]; !seen && !isSubresource(resource.Name) {
			kinds[resource.Kind] = resourceInfo{name: resource.Name, namespaced: resource.Namespaced}
		}
	}
	return kinds, nil
}

func isSubresource(name string) bool {
	for _, r := range name {
		if r == '/' {
			return true
		}
	}
	return false
}
