package provider

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil/rpcerror"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"groundwork.dev/standins/kubernetes/internal/await"
	"groundwork.dev/standins/kubernetes/internal/kube"
	"groundwork.dev/standins/kubernetes/internal/object"
)

// The state of a resource is the live object, with three more properties.
const (
	inputsKey         = "__inputs"
	initialVersionKey = "__initialApiVersion"
	fieldManagerKey   = "__fieldManager"
)

// checkpoint makes the state. What was secret in the inputs is secret in both halves.
func checkpoint(inputs, live *unstructured.Unstructured, from resource.PropertyMap, initialVersion, manager string) resource.PropertyMap {
	state := object.ToProperties(live)
	in := object.ToProperties(inputs)
	keepSecret(state, from)
	keepSecret(in, from)
	state[inputsKey] = resource.NewObjectProperty(in)
	state[initialVersionKey] = resource.NewStringProperty(initialVersion)
	state[fieldManagerKey] = resource.NewStringProperty(manager)
	return state
}

// parseCheckpoint takes a state apart, without secrecy. The three properties stay out of the live object.
func parseCheckpoint(state resource.PropertyMap) (inputs, live *unstructured.Unstructured) {
	live = object.FromProperties(state)
	in, _ := live.Object[inputsKey].(map[string]any)
	if in == nil {
		in = map[string]any{}
	}
	for _, key := range []string{inputsKey, initialVersionKey, fieldManagerKey} {
		delete(live.Object, key)
	}
	return &unstructured.Unstructured{Object: in}, live
}

// initialVersion is the API version under which the object was first made.
func initialVersion(state resource.PropertyMap, inputs *unstructured.Unstructured) string {
	if value, ok := state[initialVersionKey]; ok && value.IsString() {
		return value.StringValue()
	}
	return inputs.GetAPIVersion()
}

// fieldManager names the owner of the resource's fields: the annotation, else the state's, else a name made of the URN.
// The official provider makes up a random one; here a create that is repeated because the engine died before it wrote
// the state meets its own fields, not those of a manager that nobody knows any more.
func (p *Provider) fieldManager(urn string, state resource.PropertyMap, inputs *unstructured.Unstructured) string {
	if !p.config.serverSideApply {
		return kube.ClientSideManager
	}
	if name := object.Annotation(inputs, object.PatchFieldManagerAnnotation); name != "" {
		return name
	}
	if value, ok := state[fieldManagerKey]; ok && value.IsString() {
		return value.StringValue()
	}
	sum := sha256.Sum256([]byte(urn))
	return "pulumi-kubernetes-" + hex.EncodeToString(sum[:4])
}

// keepSecret marks in out what is secret in in, as deep as both are objects. All data of a core Secret is secret
// whether or not the program said so.
func keepSecret(out, in resource.PropertyMap) {
	if kind, ok := out["kind"]; ok && kind.IsString() && kind.StringValue() == "Secret" {
		for _, key := range []resource.PropertyKey{"data", "stringData"} {
			if value, ok := out[key]; ok && !value.IsSecret() {
				out[key] = resource.MakeSecret(value)
			}
		}
		return
	}
	for key, from := range in {
		value, ok := out[key]
		switch {
		case !ok:
		case value.IsObject() && from.IsObject():
			keepSecret(value.ObjectValue(), from.ObjectValue())
		case !value.IsSecret() && from.ContainsSecrets():
			out[key] = resource.MakeSecret(value)
		}
	}
}

// partial tells the engine that the object is there and is to be kept in the state, but is not as it should be.
func partial(id string, summary string, cause error, state, inputs *structpb.Struct) error {
	reasons := []string{summary}
	var failed *await.Error
	if errors.As(cause, &failed) {
		reasons = append(reasons, failed.Reasons...)
	}
	return rpcerror.WithDetails(rpcerror.New(codes.Unknown, summary), &pulumirpc.ErrorResourceInitFailed{
		Id: id, Properties: state, Reasons: reasons, Inputs: inputs,
	})
}
