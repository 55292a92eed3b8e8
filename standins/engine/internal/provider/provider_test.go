package provider

import (
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

const thing = "test:index:Thing"

// definition is a provider with one resource of every kind of field.
func definition() *Definition {
	sub := Field{Kind: Object, Fields: map[string]Field{"need": {Kind: String, Required: true}, "port": {Kind: Number, Default: 22.0}}}
	return &Definition{Name: "test", Version: "1.0.0", Resources: map[string]*Resource{thing: {
		Inputs: map[string]Field{
			"name": {Kind: String}, "fixed": {Kind: String, Replace: true}, "size": {Kind: Integer, Default: 3}, "token": {Kind: String, Secret: true},
			"auto": {Kind: String, Computed: true}, "sub": sub, "list": {Kind: List, Elem: &Field{Kind: Number}}, "mode": {Kind: String, OneOf: []string{"a", "b"}},
		},
		Outputs:  map[string]Field{"made": {Kind: String}, "hidden": {Kind: String, Secret: true}},
		AutoName: true,
		Create: func(c *Call) (string, Props, error) {
			return "id", PropsOf(map[string]any{"made": "yes", "hidden": "no", "auto": "chosen"}), nil
		},
		Update: func(c *Call) (Props, error) { return PropsOf(map[string]any{"made": "again", "hidden": "no"}), nil },
	}}}
}

func TestCheckNamesEachBadInput(t *testing.T) {
	p := NewTester(definition())
	for want, in := range map[string]map[string]any{
		"size: expected a whole number": {"size": 1.5},
		"name: expected a string":       {"name": 4},
		"sub.need: Missing required":    {"sub": map[string]any{}},
		"list[1]: expected a number":    {"list": []any{1, "x"}},
		"mode: expected one of a, b":    {"mode": "c"},
	} {
		if _, err := p.Check(thing, PropsOf(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestUnknownInputsPassTheCheck(t *testing.T) {
	in := Props{"size": resource.MakeComputed(resource.NewProperty("")), "sub": resource.MakeComputed(resource.NewProperty(""))}
	s, err := NewTester(definition()).Create(thing, in, true)
	if err != nil || !Unknown(s.Props["size"]) || !Unknown(s.Props["made"]) || !Unknown(s.Props["auto"]) {
		t.Fatalf("%v %v", s, err)
	}
}

func TestDefaultsGoInBelowSecretsToo(t *testing.T) {
	in := Props{"sub": resource.MakeSecret(Value(map[string]any{"need": "x"}))}
	got, err := NewTester(definition()).Check(thing, in)
	if err != nil || !got["sub"].IsSecret() || Bare(got["sub"]).ObjectValue()["port"].NumberValue() != 22 || got["size"].NumberValue() != 3 {
		t.Fatalf("%v %v", got, err)
	}
}

func TestWhatAnOfficialProviderMadeIsTakenOver(t *testing.T) {
	p := NewTester(definition())
	in := PropsOf(map[string]any{"name": "n", "sub": map[string]any{"need": "x", "port": 22.0}, "size": 3})
	s, err := p.Create(thing, in, false)
	if err != nil {
		t.Fatal(err)
	}
	s.Inputs = s.Inputs.Copy()
	s.Inputs["__defaults"] = Value([]any{"size"})
	s.Inputs["sub"] = resource.MakeSecret(Value(map[string]any{"need": "x", "port": 22.0, "__defaults": []any{"port"}}))
	d, err := p.Diff(s, in)
	if err != nil || len(d.GetDiffs()) != 0 {
		t.Fatalf("%v %v", d, err)
	}
}

func TestSecretsStaySecret(t *testing.T) {
	in := PropsOf(map[string]any{"token": "t"})
	in["name"] = resource.MakeSecret(Value("n"))
	s, err := NewTester(definition()).Create(thing, in, false)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[resource.PropertyKey]bool{"token": true, "name": true, "hidden": true, "made": false} {
		if s.Props[key].IsSecret() != want {
			t.Errorf("%s: secret %v", key, !want)
		}
	}
}

func TestDiff(t *testing.T) {
	p := NewTester(definition())
	base := map[string]any{"name": "n", "fixed": "f", "sub": map[string]any{"need": "x", "port": 1}}
	s, err := p.Create(thing, PropsOf(base), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name            string
		change          map[string]any
		diffs, replaces string
	}{
		{"nothing", nil, "", ""},
		{"a fixed input", map[string]any{"fixed": "g"}, "fixed", "fixed"},
		{"a nested value", map[string]any{"sub": map[string]any{"need": "x", "port": 2}}, "sub", ""},
		{"what the provider chose", map[string]any{"auto": "chosen"}, "", ""},
		{"another than the provider chose", map[string]any{"auto": "mine"}, "auto", ""},
		{"the default given", map[string]any{"size": 3}, "", ""},
	} {
		in := PropsOf(base)
		for k, v := range PropsOf(c.change) {
			in[k] = v
		}
		d, err := p.Diff(s, in)
		if err != nil || strings.Join(d.GetDiffs(), " ") != c.diffs || strings.Join(d.GetReplaces(), " ") != c.replaces {
			t.Errorf("%s: %v %v", c.name, d, err)
		}
		if c.name == "a nested value" && d.GetDetailedDiff()["sub.port"] == nil {
			t.Errorf("the path of a nested change is missing: %v", d)
		}
	}
	in := PropsOf(base)
	in["name"] = resource.MakeSecret(Value("n"))
	if d, err := p.Diff(s, in); err != nil || len(d.GetDiffs()) != 0 {
		t.Errorf("secrecy alone is no change of the resource: %v %v", d, err)
	}
	in["fixed"] = resource.MakeComputed(resource.NewProperty(""))
	if d, err := p.Diff(s, in); err != nil || strings.Join(d.GetReplaces(), " ") != "fixed" {
		t.Errorf("an unknown value may be another one: %v %v", d, err)
	}
}

func TestNamesAreMadeOnceAndKept(t *testing.T) {
	p := NewTester(definition())
	s, err := p.Create(thing, Props{}, false)
	if err != nil || !strings.HasPrefix(s.Text("name"), "it-") || len(s.Text("name")) != len("it-")+7 {
		t.Fatalf("%v %v", s, err)
	}
}

func TestUnknownTypesAreNamed(t *testing.T) {
	if _, err := NewTester(definition()).Create("test:index:Other", Props{}, false); err == nil || !strings.Contains(err.Error(), "test:index:Other") {
		t.Fatalf("error %v", err)
	}
}
