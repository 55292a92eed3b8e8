package provider

import (
	"context"
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Tester drives a provider through the same requests as the engine, without an engine. It is for tests.
type Tester struct {
	*Server
}

// NewTester makes a tester of a definition.
func NewTester(def *Definition) *Tester { return &Tester{Server: NewServer(def)} }

// State is what the engine would keep of a resource.
type State struct {
	ID     string
	Inputs Props
	Props  Props
	token  string
}

func urnOf(token string) string { return "urn:pulumi:test::test::" + token + "::it" }

// Configure configures the provider.
func (t *Tester) Configure(args Props) error {
	m, err := t.marshal("args", args)
	if err != nil {
		return err
	}
	_, err = t.Server.Configure(context.Background(), &rpc.ConfigureRequest{Args: m})
	return err
}

// Check runs Check and gives the inputs, or the failures as an error.
func (t *Tester) Check(token string, in Props) (Props, error) {
	news, err := t.marshal("news", in)
	if err != nil {
		return nil, err
	}
	r, err := t.Server.Check(context.Background(), &rpc.CheckRequest{Urn: urnOf(token), News: news})
	if err != nil {
		return nil, err
	}
	for _, f := range r.GetFailures() {
		return nil, fmt.Errorf("%s: %s", f.GetProperty(), f.GetReason())
	}
	return t.unmarshal("checked", r.GetInputs())
}

// Create checks and creates, or previews.
func (t *Tester) Create(token string, in Props, preview bool) (*State, error) {
	inputs, err := t.Check(token, in)
	if err != nil {
		return nil, err
	}
	m, err := t.marshal("inputs", inputs)
	if err != nil {
		return nil, err
	}
	r, err := t.Server.Create(context.Background(), &rpc.CreateRequest{Urn: urnOf(token), Properties: m, Preview: preview})
	if err != nil {
		return nil, err
	}
	props, err := t.unmarshal("props", r.GetProperties())
	return &State{ID: r.GetId(), Inputs: inputs, Props: props, token: token}, err
}

// Diff compares new inputs with a state.
func (t *Tester) Diff(s *State, in Props) (*rpc.DiffResponse, error) {
	inputs, err := t.Check(s.token, in)
	if err != nil {
		return nil, err
	}
	news, err := t.marshal("news", inputs)
	if err != nil {
		return nil, err
	}
	olds, err := t.marshal("olds", s.Props)
	if err != nil {
		return nil, err
	}
	oldInputs, err := t.marshal("oldInputs", s.Inputs)
	if err != nil {
		return nil, err
	}
	return t.Server.Diff(context.Background(), &rpc.DiffRequest{Id: s.ID, Urn: urnOf(s.token), Olds: olds, News: news, OldInputs: oldInputs})
}

// Update updates a state in place.
func (t *Tester) Update(s *State, in Props) (*State, error) {
	inputs, err := t.Check(s.token, in)
	if err != nil {
		return nil, err
	}
	news, err := t.marshal("news", inputs)
	if err != nil {
		return nil, err
	}
	olds, err := t.marshal("olds", s.Props)
	if err != nil {
		return nil, err
	}
	oldInputs, err := t.marshal("oldInputs", s.Inputs)
	if err != nil {
		return nil, err
	}
	r, err := t.Server.Update(context.Background(), &rpc.UpdateRequest{Id: s.ID, Urn: urnOf(s.token), Olds: olds, News: news, OldInputs: oldInputs})
	if err != nil {
		return nil, err
	}
	props, err := t.unmarshal("props", r.GetProperties())
	return &State{ID: s.ID, Inputs: inputs, Props: props, token: s.token}, err
}

// Read refreshes a state, or imports when the state has no inputs and properties. A nil state says that the resource is gone.
func (t *Tester) Read(token, id string, s *State) (*State, error) {
	if s == nil {
		s = &State{ID: id, token: token}
	}
	props, err := t.marshal("props", s.Props)
	if err != nil {
		return nil, err
	}
	inputs, err := t.marshal("inputs", s.Inputs)
	if err != nil {
		return nil, err
	}
	r, err := t.Server.Read(context.Background(), &rpc.ReadRequest{Id: id, Urn: urnOf(token), Properties: props, Inputs: inputs})
	if err != nil || r.GetId() == "" {
		return nil, err
	}
	out := &State{ID: r.GetId(), token: token}
	if out.Props, err = t.unmarshal("props", r.GetProperties()); err != nil {
		return nil, err
	}
	out.Inputs, err = t.unmarshal("inputs", r.GetInputs())
	return out, err
}

// Delete deletes a resource.
func (t *Tester) Delete(s *State) error {
	props, err := t.marshal("props", s.Props)
	if err != nil {
		return err
	}
	inputs, err := t.marshal("inputs", s.Inputs)
	if err != nil {
		return err
	}
	_, err = t.Server.Delete(context.Background(), &rpc.DeleteRequest{Id: s.ID, Urn: urnOf(s.token), Properties: props, OldInputs: inputs})
	return err
}

// Text gives a string property of a state with its secret wrapper taken off.
func (s *State) Text(key string) string {
	text, _ := Plain(s.Props[resource.PropertyKey(key)]).(string)
	return text
}

// Invoke calls a function.
func (t *Tester) Invoke(token string, args Props) (Props, error) {
	m, err := t.marshal("args", args)
	if err != nil {
		return nil, err
	}
	r, err := t.Server.Invoke(context.Background(), &rpc.InvokeRequest{Tok: token, Args: m})
	if err != nil {
		return nil, err
	}
	for _, f := range r.GetFailures() {
		return nil, fmt.Errorf("%s: %s", f.GetProperty(), f.GetReason())
	}
	return t.unmarshal("result", r.GetReturn())
}
