package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Invoke answers kubernetes:yaml:decode, which turns manifests into objects.
func (p *Provider) Invoke(_ context.Context, req *pulumirpc.InvokeRequest) (*pulumirpc.InvokeResponse, error) {
	if req.GetTok() != "kubernetes:yaml:decode" {
		return nil, status.Errorf(codes.Unimplemented, "the stand-in has no function %s", req.GetTok())
	}
	args, err := plugin.UnmarshalProperties(req.GetArgs(), plugin.MarshalOptions{KeepUnknowns: true})
	if err != nil {
		return nil, err
	}
	if !args["text"].IsString() {
		return nil, errors.New("kubernetes:yaml:decode: text must be a string")
	}
	namespace := ""
	if value := args["defaultNamespace"]; value.IsString() {
		namespace = value.StringValue()
	}
	objects, err := p.decode(args["text"].StringValue(), namespace)
	if err != nil {
		return nil, err
	}
	out, err := plugin.MarshalProperties(resource.NewPropertyMapFromMap(map[string]any{"result": objects}),
		plugin.MarshalOptions{KeepUnknowns: true})
	return &pulumirpc.InvokeResponse{Return: out}, err
}

// decode reads the documents of a manifest; empty ones are left out. Objects of namespaced kinds get the namespace if
// they have none.
func (p *Provider) decode(text, namespace string) ([]any, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	objects := []any{}
	for {
		var document map[string]any
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, fmt.Errorf("document %d: %w", len(objects)+1, err)
		}
		obj := &unstructured.Unstructured{Object: document}
		if obj.GetKind() == "" || obj.GetAPIVersion() == "" {
			continue
		}
		if namespace != "" && obj.GetNamespace() == "" {
			if namespaced, _ := p.cluster.Namespaced(kindOf(obj)); namespaced {
				obj.SetNamespace(namespace)
			}
		}
		objects = append(objects, obj.Object)
	}
}
