package hcloud

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"groundwork.dev/standins/engine/internal/provider"
)

// within gives what is seen in the form of what was given: parts that the program left out are left out, equal parts stay as they
// were written. What is left differs for a reason: somebody changed it.
func within(given, seen resource.PropertyValue) resource.PropertyValue {
	g, s := provider.Bare(given), provider.Bare(seen)
	switch {
	case g.IsObject() && s.IsObject():
		out := provider.Props{}
		for k, v := range s.ObjectValue() {
			if was, has := g.ObjectValue()[k]; has {
				out[k] = within(was, v)
			} else if isMap(g.ObjectValue()) {
				out[k] = v
			}
		}
		return resource.NewProperty(out)
	case g.IsArray() && s.IsArray() && inAnyOrder(g.ArrayValue(), s.ArrayValue()):
		return given
	case g.IsArray() && s.IsArray() && len(g.ArrayValue()) == len(s.ArrayValue()):
		out := make([]resource.PropertyValue, len(s.ArrayValue()))
		for i := range out {
			out[i] = within(g.ArrayValue()[i], s.ArrayValue()[i])
		}
		return resource.NewProperty(out)
	case sameText(g, s):
		return given
	}
	return seen
}

// inAnyOrder says that two lists have the same elements: the API has no order for rules, keys and networks, and gives them in the
// order in which they were sent, which is another one with the official provider.
func inAnyOrder(given, seen []resource.PropertyValue) bool {
	left := append([]resource.PropertyValue{}, seen...)
	for _, g := range given {
		found := false
		for i, s := range left {
			if found = within(g, s).DeepEquals(g); found {
				left = append(left[:i], left[i+1:]...)
				break
			}
		}
		if !found {
			return false
		}
	}
	return len(left) == 0
}

// isMap says that an object holds strings only, as labels do: a key more in it is drift and no default of the API.
func isMap(o provider.Props) bool {
	for _, v := range o {
		if !provider.Bare(v).IsString() {
			return false
		}
	}
	return true
}

// sameText compares values as the API may write them: numbers as text, names in any case, keys with or without a line end.
func sameText(a, b resource.PropertyValue) bool {
	x, y := provider.Plain(a), provider.Plain(b)
	return x != nil && y != nil && !a.IsObject() && !a.IsArray() && strings.EqualFold(strings.TrimSpace(asText(x)), strings.TrimSpace(asText(y)))
}

func asText(v any) string {
	if b, ok := v.(bool); ok {
		if b {
			return "true"
		}
		return "false"
	}
	return text(v)
}

func empty(v resource.PropertyValue) bool {
	switch v = provider.Bare(v); {
	case v.IsNull():
		return true
	case v.IsString():
		return v.StringValue() == ""
	case v.IsBool():
		return !v.BoolValue()
	case v.IsArray():
		return len(v.ArrayValue()) == 0
	case v.IsObject():
		return len(v.ObjectValue()) == 0
	}
	return false
}
