package provider

import (
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// prepare puts the table's defaults into inputs that the program left out, and marks as secret what the table says, at any depth.
func prepare(fields map[string]Field, in Props) Props {
	out := Props{}
	for k, v := range in {
		if v.IsNull() {
			continue
		}
		out[k] = v
	}
	for name, f := range fields {
		key := resource.PropertyKey(name)
		if _, has := out[key]; !has && f.Default != nil {
			out[key] = Value(f.Default)
		}
		if v, has := out[key]; has && f.Kind == Object {
			out[key] = mapSecret(v, func(v resource.PropertyValue) resource.PropertyValue {
				if !v.IsObject() {
					return v
				}
				return resource.NewProperty(prepare(f.Fields, v.ObjectValue()))
			})
		}
		if v, has := out[key]; has && f.Secret && !v.IsSecret() {
			out[key] = resource.MakeSecret(v)
		}
	}
	return out
}

// checkFields compares inputs with the table.
func checkFields(prefix string, fields map[string]Field, in Props) []Failure {
	var fails []Failure
	for name, f := range fields {
		v, has := in[resource.PropertyKey(name)]
		if !has || v.IsNull() {
			if f.Required {
				fails = append(fails, Failure{prefix + name, "Missing required property '" + prefix + name + "'"})
			}
			continue
		}
		fails = append(fails, checkValue(prefix+name, f, v)...)
	}
	sort.Slice(fails, func(i, j int) bool { return fails[i].Property < fails[j].Property })
	return fails
}

func checkValue(path string, f Field, v resource.PropertyValue) []Failure {
	v = bare(v)
	if v.IsComputed() || v.IsOutput() || v.IsNull() {
		return nil
	}
	wrong := func(want string) []Failure {
		return []Failure{{path, fmt.Sprintf("expected %s, got %s", want, v.TypeString())}}
	}
	switch f.Kind {
	case String:
		if !v.IsString() {
			return wrong("a string")
		}
		if len(f.OneOf) > 0 && !contains(f.OneOf, v.StringValue()) {
			return []Failure{{path, fmt.Sprintf("expected one of %s, got %q", strings.Join(f.OneOf, ", "), v.StringValue())}}
		}
	case Number, Integer:
		n, ok := number(v)
		if !ok {
			return wrong("a number")
		}
		if f.Kind == Integer && n != math.Trunc(n) {
			return []Failure{{path, fmt.Sprintf("expected a whole number, got %v", n)}}
		}
	case Bool:
		if !v.IsBool() {
			return wrong("true or false")
		}
	case List:
		if !v.IsArray() {
			return wrong("a list")
		}
		if f.Elem != nil {
			var fails []Failure
			for i, e := range v.ArrayValue() {
				fails = append(fails, checkValue(path+"["+strconv.Itoa(i)+"]", *f.Elem, e)...)
			}
			return fails
		}
	case Map, Object:
		if !v.IsObject() {
			return wrong("an object")
		}
		if f.Kind == Object {
			return checkFields(path+".", f.Fields, v.ObjectValue())
		}
		if f.Elem != nil {
			var fails []Failure
			for k, e := range v.ObjectValue() {
				fails = append(fails, checkValue(path+"."+string(k), *f.Elem, e)...)
			}
			return fails
		}
	}
	return nil
}

func number(v resource.PropertyValue) (float64, bool) {
	switch {
	case v.IsNumber():
		return v.NumberValue(), true
	case v.IsString():
		n, err := strconv.ParseFloat(v.StringValue(), 64)
		return n, err == nil
	}
	return 0, false
}

func contains(list []string, s string) bool {
	for _, e := range list {
		if e == s {
			return true
		}
	}
	return false
}
