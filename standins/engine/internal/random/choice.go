package random

import (
	"errors"
	"fmt"
	mathrand "math/rand"
	"strconv"
	"strings"

	"groundwork.dev/standins/engine/internal/provider"
)

func integerResource() *provider.Resource {
	return &provider.Resource{
		Inputs: map[string]provider.Field{
			"min":     {Kind: provider.Integer, Required: true, Replace: true},
			"max":     {Kind: provider.Integer, Required: true, Replace: true},
			"seed":    fixed(provider.Field{Kind: provider.String}),
			"keepers": keepers,
		},
		Outputs: map[string]provider.Field{"result": {Kind: provider.Integer}},
		Create: func(c *provider.Call) (string, provider.Props, error) {
			var in struct {
				Min, Max int64
				Seed     string
			}
			if err := c.Decode(&in); err != nil {
				return "", nil, err
			}
			if in.Max < in.Min {
				return "", nil, errors.New("the minimum (min) value needs to be smaller than or equal to maximum (max) value")
			}
			var n int64
			if in.Seed != "" {
				n = seeded(in.Seed).Int63n(in.Max-in.Min+1) + in.Min
			} else {
				n = below(in.Max-in.Min+1) + in.Min
			}
			return strconv.FormatInt(n, 10), provider.PropsOf(map[string]any{"result": n}), nil
		},
		Import: func(c *provider.Call) (*provider.Reading, error) {
			parts := strings.Split(c.ID, ",")
			if len(parts) != 3 && len(parts) != 4 {
				return nil, errors.New("the id of an imported RandomInteger is result,min,max or result,min,max,seed")
			}
			props := provider.Props{}
			for i, name := range []string{"result", "min", "max"} {
				n, err := strconv.ParseInt(parts[i], 10, 64)
				if err != nil {
					return nil, fmt.Errorf("%s of the imported RandomInteger is no whole number: %w", name, err)
				}
				props[provider.Key(name)] = provider.Value(n)
			}
			if len(parts) == 4 {
				props["seed"] = provider.Value(parts[3])
			}
			return imported(parts[0], props, "min", "max", "seed"), nil
		},
	}
}

// seeded gives the generator that the official provider derives from a seed, so that seeded results agree.
func seeded(seed string) *mathrand.Rand {
	return mathrand.New(mathrand.NewSource(int64(crc(seed)))) // #nosec G404: a seed asks for a repeatable result
}

func shuffleResource() *provider.Resource {
	return &provider.Resource{
		Inputs: map[string]provider.Field{
			"inputs":      {Kind: provider.List, Required: true, Replace: true, Elem: &provider.Field{Kind: provider.String}},
			"resultCount": fixed(provider.Field{Kind: provider.Integer}),
			"seed":        fixed(provider.Field{Kind: provider.String}),
			"keepers":     keepers,
		},
		Outputs: map[string]provider.Field{"results": {Kind: provider.List}},
		Create: func(c *provider.Call) (string, provider.Props, error) {
			var in struct {
				Inputs      []string
				ResultCount *int
				Seed        string
			}
			if err := c.Decode(&in); err != nil {
				return "", nil, err
			}
			n := len(in.Inputs)
			if in.ResultCount != nil {
				n = *in.ResultCount
			}
			r := seeded(in.Seed)
			if in.Seed == "" {
				r = mathrand.New(mathrand.NewSource(below(1 << 62))) // #nosec G404: an order, no secret
			}
			return "-", provider.PropsOf(map[string]any{"results": shuffle(in.Inputs, n, r)}), nil
		},
	}
}

// shuffle takes whole permutations of the inputs until there are n results.
func shuffle(inputs []string, n int, r *mathrand.Rand) []string {
	out := make([]string, 0, n)
	for len(out) < n && len(inputs) > 0 {
		for _, i := range r.Perm(len(inputs)) {
			if len(out) == n {
				break
			}
			out = append(out, inputs[i])
		}
	}
	return out
}
