// Package provider serves a Pulumi resource provider over gRPC from a table of resources. It does what every provider needs:
// marshalling with secrets and unknowns kept, checking of inputs, diffs against the last inputs, previews and logging, so that
// a resource only says what its fields are and what create, read, update and delete do.
package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// Props is a property bag as the engine sends it: it may hold secrets, unknowns, assets and archives.
type Props = resource.PropertyMap

// Kind is the type of a field.
type Kind int

// The kinds of fields. Any takes every value as it is.
const (
	Any Kind = iota
	String
	Number
	Integer
	Bool
	List
	Map
	Object
)

// Field describes one input or output property.
type Field struct {
	Kind     Kind
	Required bool
	// Replace says that a change of the input makes a new resource.
	Replace bool
	// Secret marks the value as secret in the state, whatever the program says.
	Secret bool
	// Computed says that the provider fills an input in which the program left out: leaving it out is then no change.
	Computed bool
	// Default is put in when the program leaves the input out; nil for none.
	Default any
	// Elem describes the values of a List or Map.
	Elem *Field
	// Fields describes the properties of an Object.
	Fields map[string]Field
	// OneOf lists the values that a string may have.
	OneOf []string
}

// Resource is one resource type of a provider. Inputs of the functions are plain or secret, never unknown; the results are
// merged over the inputs to form the state.
type Resource struct {
	Inputs  map[string]Field
	Outputs map[string]Field

	// Check looks at inputs that passed the table's own checks. Unknown values may be there.
	Check func(in Props) []Failure
	// Diff may change the answer that the table gives.
	Diff func(c *Call, d *Diff)
	// Preview gives the outputs that are known before the create or update; nil leaves all Outputs unknown. In an update the
	// old state stands in c.State.
	Preview func(c *Call) Props
	// Create makes the resource and returns its id and outputs.
	Create func(c *Call) (string, Props, error)
	// Read looks at the real resource: an empty id says that it is gone. Without it the state is taken as true.
	Read func(c *Call) (*Reading, error)
	// Import reads a resource of which only the id is known; nil when the official provider can't either.
	Import func(c *Call) (*Reading, error)
	// Update changes the resource in place. Without it changes that need no replacement only change the state.
	Update func(c *Call) (Props, error)
	// Delete removes the resource. Without it only the state goes.
	Delete func(c *Call) error
	// AutoName fills a missing name in: the logical name and a random ending, kept from then on.
	AutoName bool
	// NoIDProperty takes the resource out of its provider's IDProperty.
	NoIDProperty bool
	// DeleteFirst says that a replacement can't stand beside what it replaces.
	DeleteFirst bool
}

// Function is an invoke.
type Function struct {
	Inputs map[string]Field
	Run    func(c *Call) (Props, error)
}

// Failure is one bad input.
type Failure struct{ Property, Reason string }

// Reading is what Read and Import found. A nil Inputs leaves the inputs as they were.
type Reading struct {
	ID      string
	Inputs  Props
	Outputs Props
}

// Diff is the answer to a diff request, by top-level property.
type Diff struct {
	Changed map[string]Change
	// Force says that there is a change though no input changed.
	Force bool
	// DeleteBeforeReplace is set from the resource's DeleteFirst.
	DeleteBeforeReplace bool
}

// Change is the change of one property.
type Change struct {
	Replace bool
	Add     bool
	Remove  bool
	// Output says that it is an output that will change, not an input.
	Output bool
	// Paths are the detailed paths below the property, when they are known.
	Paths []string
}

// Call is the context of one request.
type Call struct {
	context.Context
	URN resource.URN
	// Name is the resource's logical name.
	Name string
	ID   string
	// Inputs are the new inputs, defaults put in.
	Inputs Props
	// OldInputs and State are those of the last operation.
	OldInputs Props
	State     Props
	Preview   bool
	Timeout   time.Duration
	server    *Server
}

// Decode reads the inputs into a struct with json tags; secrets are laid bare and unknowns left out.
func (c *Call) Decode(into any) error { return Decode(c.Inputs, into) }

// Decode reads properties into a struct with json tags; secrets are laid bare, unknowns and assets left out.
func Decode(props Props, into any) error {
	b, err := json.Marshal(Plain(resource.NewProperty(props)))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("inputs do not have the expected shape: %w", err)
	}
	return nil
}

// Plain turns a property value into plain Go values without secrets, unknowns and assets.
func Plain(v resource.PropertyValue) any {
	switch {
	case v.IsSecret():
		return Plain(v.SecretValue().Element)
	case v.IsOutput():
		if !v.OutputValue().Known {
			return nil
		}
		return Plain(v.OutputValue().Element)
	case v.IsObject():
		out := map[string]any{}
		for k, e := range v.ObjectValue() {
			if p := Plain(e); p != nil {
				out[string(k)] = p
			}
		}
		return out
	case v.IsArray():
		out := []any{}
		for _, e := range v.ArrayValue() {
			out = append(out, Plain(e))
		}
		return out
	case v.IsBool():
		return v.BoolValue()
	case v.IsNumber():
		return v.NumberValue()
	case v.IsString():
		return v.StringValue()
	default:
		return nil
	}
}

// Value makes a property value of a plain one.
func Value(v any) resource.PropertyValue {
	switch v := v.(type) {
	case resource.PropertyValue:
		return v
	case Props:
		return resource.NewProperty(v)
	case int64:
		return resource.NewProperty(float64(v))
	case []int64:
		out := make([]resource.PropertyValue, len(v))
		for i := range v {
			out[i] = resource.NewProperty(float64(v[i]))
		}
		return resource.NewProperty(out)
	}
	return resource.NewPropertyValue(v)
}

// PropsOf makes a property bag of plain values.
func PropsOf(m map[string]any) Props {
	out := Props{}
	for k, v := range m {
		if v != nil {
			out[resource.PropertyKey(k)] = Value(v)
		}
	}
	return out
}

func typeOf(urn string) tokens.Type { return resource.URN(urn).Type() }

// Key makes a property key of a name.
func Key(name string) resource.PropertyKey { return resource.PropertyKey(name) }
