package provider

import (
	"sort"
	"strconv"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// bare takes the secret wrappers off the top of a value.
func bare(v resource.PropertyValue) resource.PropertyValue {
	for {
		switch {
		case v.IsSecret():
			v = v.SecretValue().Element
		case v.IsOutput() && v.OutputValue().Known:
			v = v.OutputValue().Element
		default:
			return v
		}
	}
}

// mapSecret applies f below the secret wrapper of v and wraps the result again.
func mapSecret(v resource.PropertyValue, f func(resource.PropertyValue) resource.PropertyValue) resource.PropertyValue {
	if v.IsSecret() {
		return resource.MakeSecret(mapSecret(v.SecretValue().Element, f))
	}
	return f(v)
}

// Bare takes all secret wrappers off, however deep.
func Bare(v resource.PropertyValue) resource.PropertyValue {
	v = bare(v)
	switch {
	case v.IsObject():
		out := Props{}
		for k, e := range v.ObjectValue() {
			out[k] = Bare(e)
		}
		return resource.NewProperty(out)
	case v.IsArray():
		out := make([]resource.PropertyValue, 0, len(v.ArrayValue()))
		for _, e := range v.ArrayValue() {
			out = append(out, Bare(e))
		}
		return resource.NewProperty(out)
	}
	return v
}

// HasSecret says whether a value holds a secret at any depth.
func HasSecret(v resource.PropertyValue) bool { return v.ContainsSecrets() }

// Unknown says whether a value holds an unknown at any depth.
func Unknown(v resource.PropertyValue) bool { return v.ContainsUnknowns() }

func same(a, b resource.PropertyValue) bool {
	a, b = Bare(a), Bare(b)
	if a.ContainsUnknowns() || b.ContainsUnknowns() {
		return false
	}
	return a.DeepEquals(b)
}

// withoutBridgeKeys takes away the lists of defaults that official providers keep in the inputs of what they made: they say nothing of
// the resource, and would look like a change of everything to who takes over the state.
func withoutBridgeKeys(p Props) Props {
	if p == nil {
		return nil
	}
	out := Props{}
	for k, v := range p {
		if k != "__defaults" {
			out[k] = withoutBridgeKeysIn(v)
		}
	}
	return out
}

func withoutBridgeKeysIn(v resource.PropertyValue) resource.PropertyValue {
	switch {
	case v.IsSecret():
		return resource.MakeSecret(withoutBridgeKeysIn(v.SecretValue().Element))
	case v.IsObject():
		return resource.NewProperty(withoutBridgeKeys(v.ObjectValue()))
	case v.IsArray():
		out := make([]resource.PropertyValue, len(v.ArrayValue()))
		for i, e := range v.ArrayValue() {
			out[i] = withoutBridgeKeysIn(e)
		}
		return resource.NewProperty(out)
	}
	return v
}

// diffInputs compares two sets of inputs by the table.
func diffInputs(fields map[string]Field, olds, news, state Props) *Diff {
	d := &Diff{Changed: map[string]Change{}}
	for name, f := range fields {
		key := resource.PropertyKey(name)
		before, had := olds[key]
		after, has := news[key]
		had, has = had && !before.IsNull(), has && !after.IsNull()
		switch {
		case !had && !has:
		case had && !has:
			if f.Computed {
				continue
			}
			d.Changed[name] = Change{Replace: f.Replace, Remove: true}
		case !had && has:
			if s, ok := state[key]; ok && f.Computed && same(s, after) {
				continue
			}
			d.Changed[name] = Change{Replace: f.Replace, Add: true}
		case !same(before, after):
			d.Changed[name] = Change{Replace: f.Replace, Paths: changedPaths(name, Bare(before), Bare(after))}
		}
	}
	return d
}

// changedPaths lists the paths below a property that differ.
func changedPaths(path string, a, b resource.PropertyValue) []string {
	switch {
	case a.IsObject() && b.IsObject():
		keys := map[string]bool{}
		for k := range a.ObjectValue() {
			keys[string(k)] = true
		}
		for k := range b.ObjectValue() {
			keys[string(k)] = true
		}
		var out []string
		for k := range keys {
			x, y := a.ObjectValue()[resource.PropertyKey(k)], b.ObjectValue()[resource.PropertyKey(k)]
			if !same(x, y) {
				p := resource.PropertyPath{k}.String()
				if len(p) > 0 && p[0] != '[' {
					p = "." + p
				}
				out = append(out, changedPaths(path+p, x, y)...)
			}
		}
		sort.Strings(out)
		return out
	case a.IsArray() && b.IsArray() && len(a.ArrayValue()) == len(b.ArrayValue()):
		var out []string
		for i := range a.ArrayValue() {
			if !same(a.ArrayValue()[i], b.ArrayValue()[i]) {
				out = append(out, changedPaths(path+"["+strconv.Itoa(i)+"]", a.ArrayValue()[i], b.ArrayValue()[i])...)
			}
		}
		return out
	}
	return []string{path}
}

// Changes lists the inputs of a table that differ.
func Changes(fields map[string]Field, olds, news, state Props) []string {
	var out []string
	for name := range diffInputs(fields, olds, news, state).Changed {
		out = append(out, name)
	}
	return out
}
