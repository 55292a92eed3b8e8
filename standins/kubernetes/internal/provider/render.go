package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"groundwork.dev/standins/kubernetes/internal/object"
)

// render writes the object as a manifest, for the renderYamlToDirectory option. Files are for the user alone, since
// Secrets are among them.
func (p *Provider) render(ctx context.Context, id string, obj *unstructured.Unstructured, props resource.PropertyMap) error {
	path := p.manifestPath(obj)
	if props.ContainsSecrets() {
		p.log.Warn(ctx, id, fmt.Sprintf("%s has a secret value in plain text", path))
	}
	raw, err := json.Marshal(obj.Object)
	if err != nil {
		return err
	}
	manifest, err := yaml.JSONToYAML(raw)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, manifest, 0o600)
}

// unrender takes the manifest away; one that is gone already is no error.
func (p *Provider) unrender(obj *unstructured.Unstructured) error {
	if err := os.Remove(p.manifestPath(obj)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// manifestPath is where an object's manifest goes: CRDs into a folder that sorts before the others.
func (p *Provider) manifestPath(obj *unstructured.Unstructured) string {
	folder := "1-manifest"
	if object.IsCRD(obj) {
		folder = "0-crd"
	}
	namespace := obj.GetNamespace()
	if namespace == "" {
		namespace = "default"
	}
	safe := strings.NewReplacer("/", "_", ":", "_")
	file := fmt.Sprintf("%s-%s-%s-%s.yaml", safe.Replace(obj.GetAPIVersion()), strings.ToLower(obj.GetKind()), namespace, safe.Replace(obj.GetName()))
	return filepath.Join(p.config.renderTo, folder, file)
}
