package provider

// schemaOf renders the little of a Pulumi package schema that the engine and `pulumi schema check` look at: names, types and
// which properties are required, secret or replace.
func schemaOf(def *Definition) map[string]any {
	resources, functions := map[string]any{}, map[string]any{}
	for token, r := range def.Resources {
		props := properties(r.Outputs)
		for k, v := range properties(r.Inputs) {
			props[k] = v
		}
		resources[token] = map[string]any{"inputProperties": properties(r.Inputs), "properties": props, "requiredInputs": required(r.Inputs)}
	}
	for token, f := range def.Functions {
		functions[token] = map[string]any{"inputs": map[string]any{"type": "object", "properties": properties(f.Inputs), "required": required(f.Inputs)}}
	}
	return map[string]any{
		"name": def.Name, "version": def.Version,
		"description": "Stand-in for the official " + def.Name + " provider.",
		"config":      map[string]any{"variables": properties(def.Config)},
		"provider":    map[string]any{"inputProperties": properties(def.Config)},
		"resources":   resources, "functions": functions,
	}
}

func properties(fields map[string]Field) map[string]any {
	out := map[string]any{}
	for name, f := range fields {
		p := typeSpec(f)
		if f.Secret {
			p["secret"] = true
		}
		if f.Replace {
			p["willReplaceOnChanges"] = true
		}
		out[name] = p
	}
	return out
}

func typeSpec(f Field) map[string]any {
	elem := func() map[string]any {
		if f.Elem == nil {
			return map[string]any{"$ref": "pulumi.json#/Any"}
		}
		return typeSpec(*f.Elem)
	}
	switch f.Kind {
	case String:
		return map[string]any{"type": "string"}
	case Number:
		return map[string]any{"type": "number"}
	case Integer:
		return map[string]any{"type": "integer"}
	case Bool:
		return map[string]any{"type": "boolean"}
	case List:
		return map[string]any{"type": "array", "items": elem()}
	case Map:
		return map[string]any{"type": "object", "additionalProperties": elem()}
	default:
		return map[string]any{"$ref": "pulumi.json#/Any"}
	}
}

func required(fields map[string]Field) []string {
	out := []string{}
	for name, f := range fields {
		if f.Required {
			out = append(out, name)
		}
	}
	return out
}
