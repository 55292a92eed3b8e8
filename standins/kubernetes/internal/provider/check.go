package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"groundwork.dev/standins/kubernetes/internal/object"
)

// managedBy is the label that client-side applied objects carry.
const managedBy = "app.kubernetes.io/managed-by"

// Check completes the inputs: a name, a namespace, values in the server's own form.
func (p *Provider) Check(ctx context.Context, req *pulumirpc.CheckRequest) (*pulumirpc.CheckResponse, error) {
	if p.unreachable != "" && p.config.skipUpdateUnreachable && p.config.renderTo == "" {
		p.log.Warn(ctx, req.GetUrn(), "the cluster is unreachable and skipUpdateUnreachable is set: skipped")
		return &pulumirpc.CheckResponse{Inputs: req.GetOlds()}, nil
	}
	id := urn.URN(req.GetUrn())
	gvk, err := gvkOf(id)
	switch {
	case err != nil:
		return nil, err
	case isRelease(gvk):
		return nil, errors.New("the stand-in has no Helm: render the chart before the engine runs and use single resources")
	case isList(gvk):
		return nil, errors.New("lists cannot be created: use the kinds of their items")
	}
	olds, err := read(req.GetOlds())
	if err != nil {
		return nil, err
	}
	news, err := read(req.GetNews())
	if err != nil {
		return nil, err
	}
	old, inputs := object.FromProperties(olds), object.Normalize(object.FromProperties(news))
	p.warnAnnotations(ctx, req.GetUrn(), inputs)

	if isPatch(id, inputs.GetKind()) {
		if !p.config.serverSideApply {
			return nil, errors.New("patch resources need server-side apply: enableServerSideApply is off")
		}
		if !named(inputs, news) {
			return nil, errors.New("patch resources need metadata.name")
		}
	}
	if err := p.name(req, id, old, inputs, news); err != nil {
		return nil, err
	}
	if p.config.namespace != "" && inputs.GetNamespace() == "" && !unknownAt(news, "metadata", "namespace") {
		if namespaced, _ := p.cluster.Namespaced(kindOf(inputs)); namespaced {
			setNamespace(inputs, p.config.namespace)
		}
	}
	if object.IsCRD(inputs) && p.cluster != nil {
		p.cluster.Define(inputs)
	}
	checked := object.ToProperties(inputs)
	keepSecret(checked, news)
	out, err := p.write(checked)
	if err != nil {
		return nil, err
	}
	return &pulumirpc.CheckResponse{Inputs: out}, nil
}

// name gives a nameless object the name that it had, or a new one with a random end, and notes that it was made up.
func (p *Provider) name(
	req *pulumirpc.CheckRequest, id urn.URN, old, inputs *unstructured.Unstructured, news resource.PropertyMap,
) error {
	generated := !named(inputs, news) && (inputs.GetGenerateName() != "" || unknownAt(news, "metadata", "generateName"))
	switch {
	case generated && p.config.serverSideApply:
		return errors.New("metadata.generateName cannot be used with server-side apply: leave the name out instead")
	case generated && p.config.renderTo != "":
		return errors.New("metadata.generateName cannot be used when rendering to files")
	case generated:
	case len(old.Object) > 0:
		if !named(inputs, news) && object.Flag(old, object.AutonamedAnnotation) {
			inputs.SetName(old.GetName())
			object.SetAnnotation(inputs, object.AutonamedAnnotation, "true")
		}
		if old.GetLabels()[managedBy] == "pulumi" {
			label(inputs)
		}
		return nil
	case !named(inputs, news):
		name, err := resource.NewUniqueName(req.GetRandomSeed(), id.Name()+"-", 0, 0, nil)
		if err != nil {
			return err
		}
		if options := req.GetAutonaming(); options != nil {
			switch options.GetMode() {
			case pulumirpc.CheckRequest_AutonamingOptions_DISABLE:
				return errors.New("autonaming is disabled: set metadata.name")
			case pulumirpc.CheckRequest_AutonamingOptions_ENFORCE, pulumirpc.CheckRequest_AutonamingOptions_PROPOSE:
				name = options.GetProposedName()
			}
		}
		if _, unknown := inputs.Object["metadata"].(resource.Computed); !unknown {
			inputs.SetName(name)
			object.SetAnnotation(inputs, object.AutonamedAnnotation, "true")
		}
	}
	if len(old.Object) == 0 && !p.config.serverSideApply {
		label(inputs)
	}
	return nil
}

// warnAnnotations tells of annotations that have no effect.
func (p *Provider) warnAnnotations(ctx context.Context, id string, inputs *unstructured.Unstructured) {
	for key := range inputs.GetAnnotations() {
		switch {
		case strings.HasPrefix(key, object.AutonamedAnnotation):
			p.log.Warn(ctx, id, fmt.Sprintf("ignoring the internal annotation %q", key))
		case key == "helm.sh/hook":
			p.log.Warn(ctx, id, "Helm hooks are not executed: the object is made like any other")
		}
	}
}

// named is whether the object has a name, or will have one that is not known yet.
func named(obj *unstructured.Unstructured, props resource.PropertyMap) bool {
	return obj.GetName() != "" || unknownAt(props, "metadata", "name")
}

// unknownAt is whether the value at the path, or one around it, is not known yet.
func unknownAt(props resource.PropertyMap, path ...resource.PropertyKey) bool {
	for _, key := range path {
		value := props[key]
		for value.IsSecret() {
			value = value.SecretValue().Element
		}
		if value.IsComputed() || value.IsOutput() && !value.OutputValue().Known {
			return true
		}
		if !value.IsObject() {
			return false
		}
		props = value.ObjectValue()
	}
	return false
}

func setNamespace(obj *unstructured.Unstructured, namespace string) {
	if metadata, ok := obj.Object["metadata"].(map[string]any); ok {
		metadata["namespace"] = namespace
	}
}

func label(obj *unstructured.Unstructured) {
	metadata, ok := obj.Object["metadata"].(map[string]any)
	if !ok {
		return
	}
	switch labels := metadata["labels"].(type) {
	case nil:
		metadata["labels"] = map[string]any{managedBy: "pulumi"}
	case map[string]any:
		labels[managedBy] = "pulumi"
	}
}
