// Package deploy applies the YAML files in server/manifests, as K3s's deploy controller does: at the start and whenever
// a file changes. A file's objects are applied server-side; removing a file leaves them, as in K3s.
package deploy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"
)

const (
	manager  = "deploy@k3s" // field manager; K3s's deploy controller is seen under the same word
	interval = 3 * time.Second
)

// Controller watches one folder.
type Controller struct {
	Folder  string
	Dynamic dynamic.Interface
	Client  kubernetes.Interface
	Log     io.Writer

	applied map[string][32]byte // by path: what was last applied whole
	told    map[string]string   // by path: the last error, told once
}

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) {
	c.applied, c.told = map[string][32]byte{}, map[string]string{}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(c.Client.Discovery()))
	for {
		files, err := c.files()
		if err != nil {
			fmt.Fprintf(c.Log, "deploy: %v\n", err)
		}
		failed := false
		for _, f := range files {
			if err := c.file(ctx, mapper, f); err != nil {
				failed = true
				if c.told[f] != err.Error() {
					c.told[f] = err.Error()
					fmt.Fprintf(c.Log, "deploy: %s: %v\n", f, err)
				}
			}
		}
		wait := interval
		if failed {
			wait = time.Second
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// files lists the manifests in order, but for those with a .skip file beside them.
func (c *Controller) files() ([]string, error) {
	var out []string
	skip := map[string]bool{}
	err := filepath.WalkDir(c.Folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if s, ok := strings.CutSuffix(path, ".skip"); ok {
			skip[s] = true
		}
		switch filepath.Ext(path) {
		case ".yaml", ".yml", ".json":
			out = append(out, path)
		}
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	kept := out[:0]
	for _, f := range out {
		if !skip[f] {
			kept = append(kept, f)
		}
	}
	sort.Strings(kept)
	return kept, err
}

// file applies one file if it changed since it was applied whole.
func (c *Controller) file(ctx context.Context, mapper *restmapper.DeferredDiscoveryRESTMapper, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	if c.applied[path] == sum {
		return nil
	}
	objects, err := Parse(b)
	if err != nil {
		return err
	}
	var errs []error
	for _, o := range objects {
		if err := c.apply(ctx, mapper, o); err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err))
		}
	}
	if len(errs) == 0 {
		c.applied[path] = sum
		delete(c.told, path)
		fmt.Fprintf(c.Log, "deploy: applied %s (%d objects)\n", filepath.Base(path), len(objects))
	}
	return errors.Join(errs...)
}

func (c *Controller) apply(ctx context.Context, mapper *restmapper.DeferredDiscoveryRESTMapper, o *unstructured.Unstructured) error {
	gvk := o.GroupVersionKind()
	m, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		mapper.Reset() // its CRD may have come since
		m, err = mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	if err != nil {
		return err
	}
	var r dynamic.ResourceInterface = c.Dynamic.Resource(m.Resource)
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		if o.GetNamespace() == "" {
			o.SetNamespace("default")
		}
		r = c.Dynamic.Resource(m.Resource).Namespace(o.GetNamespace())
	}
	body, err := o.MarshalJSON()
	if err != nil {
		return err
	}
	force := true
	_, err = r.Patch(ctx, o.GetName(), types.ApplyPatchType, body, metav1.PatchOptions{FieldManager: manager, Force: &force})
	return err
}

// Parse splits a multi-document YAML file into objects; lists are flattened.
func Parse(b []byte) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	r := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(b)))
	for {
		doc, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		var raw map[string]any
		if err := yaml.Unmarshal(doc, &raw); err != nil {
			return nil, err
		}
		if len(raw) == 0 {
			continue
		}
		o := &unstructured.Unstructured{Object: raw}
		if o.IsList() {
			l, err := o.ToList()
			if err != nil {
				return nil, err
			}
			for i := range l.Items {
				out = append(out, &l.Items[i])
			}
			continue
		}
		if o.GetKind() == "" || o.GetAPIVersion() == "" || o.GetName() == "" {
			return nil, fmt.Errorf("document %d lacks apiVersion, kind or metadata.name", len(out)+1)
		}
		out = append(out, o)
	}
}
