// Package random stands in for the official random provider: values from crypto/rand that stay as they are until a keeper or
// another input changes.
package random

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"groundwork.dev/standins/engine/internal/provider"
)

// Definition describes the provider.
func Definition(version string) *provider.Definition {
	return &provider.Definition{
		Name: "random", Version: version, IDProperty: true,
		Resources: map[string]*provider.Resource{
			"random:index/randomPassword:RandomPassword": text(true),
			"random:index/randomString:RandomString":     text(false),
			"random:index/randomBytes:RandomBytes":       bytesResource(),
			"random:index/randomId:RandomId":             idResource(),
			"random:index/randomInteger:RandomInteger":   integerResource(),
			"random:index/randomPet:RandomPet":           petResource(),
			"random:index/randomUuid:RandomUuid":         uuidResource(4),
			"random:index/randomUuid4:RandomUuid4":       uuidResource(4),
			"random:index/randomUuid7:RandomUuid7":       uuidResource(7),
			"random:index/randomShuffle:RandomShuffle":   shuffleResource(),
		},
	}
}

var keepers = provider.Field{Kind: provider.Map, Elem: &provider.Field{Kind: provider.String}, Replace: true}

func fixed(f provider.Field) provider.Field { f.Replace = true; return f }

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return b
}

func below(n int64) int64 {
	v, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err)
	}
	return v.Int64()
}

func bytesResource() *provider.Resource {
	outs := func(b []byte) provider.Props {
		return provider.PropsOf(map[string]any{"base64": base64.StdEncoding.EncodeToString(b), "hex": hex.EncodeToString(b), "length": len(b)})
	}
	return &provider.Resource{
		Inputs: map[string]provider.Field{
			"length":  {Kind: provider.Integer, Required: true, Replace: true},
			"keepers": keepers,
		},
		NoIDProperty: true,
		Outputs:      map[string]provider.Field{"base64": {Kind: provider.String, Secret: true}, "hex": {Kind: provider.String, Secret: true}},
		Check:        atLeast("length", 1),
		Create: func(c *provider.Call) (string, provider.Props, error) {
			var in struct{ Length int }
			if err := c.Decode(&in); err != nil {
				return "", nil, err
			}
			// The id is the value, in plain, as in the official provider: what is to stay out of the state's plain part is a
			// RandomPassword.
			b := random(in.Length)
			return base64.StdEncoding.EncodeToString(b), outs(b), nil
		},
		Import: func(c *provider.Call) (*provider.Reading, error) {
			b, err := base64.StdEncoding.DecodeString(c.ID)
			if err != nil {
				return nil, fmt.Errorf("the id of an imported RandomBytes is its value in base64: %w", err)
			}
			return imported(c.ID, outs(b), "length"), nil
		},
	}
}

// imported makes a reading whose inputs are the named outputs.
func imported(id string, outs provider.Props, inputs ...string) *provider.Reading {
	in := provider.Props{}
	for k, v := range outs {
		for _, name := range inputs {
			if string(k) == name {
				in[k] = v
			}
		}
	}
	return &provider.Reading{ID: id, Inputs: in, Outputs: outs}
}

func atLeast(name string, least float64) func(provider.Props) []provider.Failure {
	return func(in provider.Props) []provider.Failure {
		if v, ok := provider.Plain(in[provider.Key(name)]).(float64); ok && v < least {
			return []provider.Failure{{Property: name, Reason: fmt.Sprintf("%s must be at least %v, got %v", name, least, v)}}
		}
		return nil
	}
}

func idResource() *provider.Resource {
	outs := func(prefix string, b []byte) provider.Props {
		return provider.PropsOf(map[string]any{
			"b64Std": prefix + base64.StdEncoding.EncodeToString(b),
			"b64Url": prefix + base64.RawURLEncoding.EncodeToString(b),
			"hex":    prefix + hex.EncodeToString(b),
			"dec":    prefix + new(big.Int).SetBytes(b).String(),
		})
	}
	return &provider.Resource{
		Inputs: map[string]provider.Field{
			"byteLength": {Kind: provider.Integer, Required: true, Replace: true},
			"prefix":     fixed(provider.Field{Kind: provider.String}),
			"keepers":    keepers,
		},
		Outputs: strs("b64Std", "b64Url", "hex", "dec"),
		Create: func(c *provider.Call) (string, provider.Props, error) {
			var in struct {
				ByteLength int
				Prefix     string
			}
			if err := c.Decode(&in); err != nil {
				return "", nil, err
			}
			if in.ByteLength < 1 {
				return "", nil, fmt.Errorf("byteLength must be at least 1, got %d", in.ByteLength)
			}
			b := random(in.ByteLength)
			return base64.RawURLEncoding.EncodeToString(b), outs(in.Prefix, b), nil
		},
		Import: func(c *provider.Call) (*provider.Reading, error) {
			prefix, id := "", c.ID
			if i := strings.LastIndex(id, ","); i >= 0 {
				prefix, id = id[:i], id[i+1:]
			}
			b, err := base64.RawURLEncoding.DecodeString(id)
			if err != nil {
				return nil, fmt.Errorf("the id of an imported RandomId is its value in unpadded url-safe base64, with the prefix and a comma before it: %w", err)
			}
			props := outs(prefix, b)
			props["byteLength"] = provider.Value(len(b))
			if prefix != "" {
				props["prefix"] = provider.Value(prefix)
			}
			return imported(id, props, "byteLength", "prefix"), nil
		},
	}
}

func strs(names ...string) map[string]provider.Field {
	out := map[string]provider.Field{}
	for _, n := range names {
		out[n] = provider.Field{Kind: provider.String}
	}
	return out
}

func uuidResource(version byte) *provider.Resource {
	outs := func(s string) provider.Props { return provider.PropsOf(map[string]any{"result": s}) }
	return &provider.Resource{
		Inputs:  map[string]provider.Field{"keepers": keepers},
		Outputs: strs("result"),
		Create: func(*provider.Call) (string, provider.Props, error) {
			s := uuid(version)
			return s, outs(s), nil
		},
		Import: func(c *provider.Call) (*provider.Reading, error) {
			b, err := hex.DecodeString(strings.ReplaceAll(c.ID, "-", ""))
			if err != nil || len(b) != 16 {
				return nil, fmt.Errorf("the id of an imported RandomUuid is a UUID, got %q", c.ID)
			}
			return imported(c.ID, outs(c.ID)), nil
		},
	}
}
