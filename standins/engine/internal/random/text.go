package random

import (
	"errors"
	"fmt"
	"hash/crc64"
	"strconv"
	"time"

	"golang.org/x/crypto/bcrypt"

	"groundwork.dev/standins/engine/internal/provider"
)

const (
	lower    = "abcdefghijklmnopqrstuvwxyz"
	upper    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits   = "0123456789"
	specials = "!@#$%&*()-_=+[]{}<>:?"
)

// shown are the inputs that an import finds: the length, and each class of characters.
var shown = []string{"length", "lower", "number", "numeric", "special", "upper"}

type textInputs struct {
	Length                                     int
	Lower, Upper, Numeric, Number, Special     bool
	MinLower, MinUpper, MinNumeric, MinSpecial int
	OverrideSpecial                            string
}

// text is RandomPassword, or RandomString when it is no secret.
func text(secret bool) *provider.Resource {
	on := provider.Field{Kind: provider.Bool, Replace: true, Computed: true}
	least := provider.Field{Kind: provider.Integer, Replace: true, Computed: true}
	outputs := map[string]provider.Field{"result": {Kind: provider.String, Secret: secret}}
	if secret {
		outputs["bcryptHash"] = provider.Field{Kind: provider.String, Secret: true}
	}
	defaults := func(in provider.Props) provider.Props {
		out := provider.Props{}
		for _, name := range []string{"lower", "upper", "numeric", "number", "special"} {
			out[provider.Key(name)] = provider.Value(true)
		}
		for _, name := range []string{"minLower", "minUpper", "minNumeric", "minSpecial"} {
			out[provider.Key(name)] = provider.Value(0)
		}
		for k, v := range in {
			if _, known := out[k]; known {
				out[k] = v
			}
		}
		// number is the old name of numeric: what one says goes for both.
		if v, has := in["number"]; has {
			if _, both := in["numeric"]; !both {
				out["numeric"] = v
			}
		}
		if v, has := in["numeric"]; has {
			out["number"] = v
		}
		return out
	}
	return &provider.Resource{
		Inputs: map[string]provider.Field{
			"length": {Kind: provider.Integer, Required: true, Replace: true},
			"lower":  on, "upper": on, "numeric": on, "number": on, "special": on,
			"minLower": least, "minUpper": least, "minNumeric": least, "minSpecial": least,
			"overrideSpecial": fixed(provider.Field{Kind: provider.String}),
			"keepers":         keepers,
		},
		Outputs: outputs,
		Check: func(in provider.Props) []provider.Failure {
			var t textInputs
			bad := provider.Decode(defaults(in), &t) != nil || provider.Decode(in, &t) != nil || provider.Unknown(provider.Value(in))
			if !bad && !t.Lower && !t.Upper && !t.Numeric && !t.Special {
				return []provider.Failure{{Property: "special", Reason: errNoCharacters.Error()}}
			}
			if !bad && t.Length > 0 && t.Length < t.MinLower+t.MinUpper+t.MinNumeric+t.MinSpecial {
				return []provider.Failure{{Property: "length", Reason: fmt.Sprintf("length %d is less than the sum of minLower, minUpper, minNumeric and minSpecial", t.Length)}}
			}
			return atLeast("length", 1)(in)
		},
		Preview: func(c *provider.Call) provider.Props { return defaults(c.Inputs) },
		Create: func(c *provider.Call) (string, provider.Props, error) {
			outs := defaults(c.Inputs)
			all := provider.Props{}
			for k, v := range c.Inputs {
				all[k] = v
			}
			for k, v := range outs {
				all[k] = v
			}
			var t textInputs
			if err := provider.Decode(all, &t); err != nil {
				return "", nil, err
			}
			s, err := generate(t)
			if err != nil {
				return "", nil, err
			}
			outs["result"] = provider.Value(s)
			if !secret {
				return s, outs, nil
			}
			hash, err := hashed(s)
			if err != nil {
				return "", nil, err
			}
			outs["bcryptHash"] = provider.Value(hash)
			return "none", outs, nil
		},
		Update: func(c *provider.Call) (provider.Props, error) {
			outs := defaults(c.Inputs)
			for _, k := range []string{"result", "bcryptHash"} {
				if v, has := c.State[provider.Key(k)]; has {
					outs[provider.Key(k)] = v
				}
			}
			return outs, nil
		},
		Import: func(c *provider.Call) (*provider.Reading, error) {
			outs := defaults(provider.Props{})
			outs["result"] = provider.Value(c.ID)
			outs["length"] = provider.Value(len([]rune(c.ID)))
			if !secret {
				return imported(c.ID, outs, shown...), nil
			}
			hash, err := hashed(c.ID)
			if err != nil {
				return nil, err
			}
			outs["bcryptHash"] = provider.Value(hash)
			return imported("none", outs, shown...), nil
		},
	}
}

// hashed is bcrypt's hash; bcrypt looks at 72 bytes at most.
func hashed(s string) (string, error) {
	b := []byte(s)
	if len(b) > 72 {
		b = b[:72]
	}
	h, err := bcrypt.GenerateFromPassword(b, bcrypt.DefaultCost)
	return string(h), err
}

var errNoCharacters = errors.New("the character set of the random string is empty: switch on at least one of lower, upper, numeric and special")

func generate(t textInputs) (string, error) {
	special := specials
	if t.OverrideSpecial != "" {
		special = t.OverrideSpecial
	}
	all := ""
	var out []byte
	for _, class := range []struct {
		on    bool
		least int
		chars string
	}{{t.Special, t.MinSpecial, special}, {t.Lower, t.MinLower, lower}, {t.Upper, t.MinUpper, upper}, {t.Numeric, t.MinNumeric, digits}} {
		if class.on {
			all += class.chars
		}
		for i := 0; i < class.least; i++ {
			out = append(out, class.chars[below(int64(len(class.chars)))])
		}
	}
	if all == "" {
		return "", errNoCharacters
	}
	for len(out) < t.Length {
		out = append(out, all[below(int64(len(all)))])
	}
	for i := len(out) - 1; i > 0; i-- {
		j := below(int64(i + 1))
		out[i], out[j] = out[j], out[i]
	}
	return string(out), nil
}

func crc(seed string) uint64 {
	// A number is taken as it is; other seeds are hashed.
	if n, err := strconv.ParseInt(seed, 0, 64); err == nil {
		return uint64(n)
	}
	return crc64.Checksum([]byte(seed), crc64.MakeTable(crc64.ISO))
}

func uuid(version byte) string {
	b := random(16)
	if version == 7 {
		ms := time.Now().UnixMilli()
		for i := 5; i >= 0; i-- {
			b[i] = byte(ms)
			ms >>= 8
		}
	}
	b[6] = b[6]&0x0f | version<<4
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
