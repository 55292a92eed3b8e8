// Package manifests holds the packaged components that K3s brings: one file each, written to server/manifests.
package manifests

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"text/template"
)

//go:embed *.yaml
var files embed.FS

// Values fill the manifests' placeholders.
type Values struct {
	ClusterDNS, ClusterDomain, StoragePath string
	// Forward is set where the machine has a resolver to which foreign names can be sent.
	Forward bool
}

// Packaged maps a component, as `disable` names it, to its file.
var Packaged = map[string]string{
	"coredns":        "coredns.yaml",
	"local-storage":  "local-storage.yaml",
	"metrics-server": "metrics-server.yaml",
	"rolebindings":   "rolebindings.yaml", // not to be disabled
}

// Render is a packaged component's manifest.
func Render(file string, v Values) ([]byte, error) {
	b, err := fs.ReadFile(files, file)
	if err != nil {
		return nil, err
	}
	t, err := template.New(file).Delims("<<", ">>").Parse(string(b))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, v); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return out.Bytes(), nil
}
