package hcloud

import (
	"fmt"
	"sort"

	"groundwork.dev/standins/engine/internal/provider"
)

// kind describes a resource that the API has as an object of its own: how it is made, seen and changed.
type kind struct {
	path, key       string
	inputs, outputs map[string]provider.Field
	// make makes the object where a plain request to its path does not.
	make func(a *api, c *provider.Call, in object) (object, error)
	// body is the request that makes the object.
	body func(a *api, c *provider.Call, in object) (object, error)
	// made runs after the object was made, with its first form.
	made func(a *api, c *provider.Call, id string, in object) error
	// view gives properties of the object as the API shows it.
	view func(o object) object
	// put names the inputs that a plain update changes, with the API's names.
	put map[string]string
	// change changes one input by an action.
	change map[string]func(a *api, c *provider.Call, id string, old, in object) error
	// before runs before the object is deleted.
	before func(a *api, c *provider.Call, id string, o object) error
	// mustBeThere makes it an error to delete what is gone, as the official provider does with some kinds.
	mustBeThere bool
	// unseen names inputs that the API does not show as they were given.
	unseen []string
}

var (
	str     = provider.Field{Kind: provider.String}
	integer = provider.Field{Kind: provider.Integer}
	boolean = provider.Field{Kind: provider.Bool}
	labels  = provider.Field{Kind: provider.Map, Elem: &str}
	ids     = provider.Field{Kind: provider.List, Elem: &integer}
	strs    = provider.Field{Kind: provider.List, Elem: &str}
)

func required(f provider.Field) provider.Field         { f.Required = true; return f }
func replaces(f provider.Field) provider.Field         { f.Replace = true; return f }
func computed(f provider.Field) provider.Field         { f.Computed = true; return f }
func defaulted(f provider.Field, v any) provider.Field { f.Default = v; return f }

func plain(p provider.Props) object {
	if p == nil {
		return object{}
	}
	o, _ := provider.Plain(provider.Value(p)).(object)
	return o
}

// protection is the change of deleteProtection of most kinds.
func protection(path string) func(a *api, c *provider.Call, id string, old, in object) error {
	return func(a *api, c *provider.Call, id string, _, in object) error {
		return a.act(c, path, id, "change_protection", object{"delete": in["deleteProtection"] == true})
	}
}

// resource makes the table's entry of a kind.
func (k kind) resource(a *api) *provider.Resource {
	_, named := k.inputs["name"]
	show := func(o object) provider.Props {
		view := k.view(o)
		if named {
			view["name"] = o["name"]
		}
		if _, has := k.inputs["labels"]; has {
			view["labels"] = o["labels"]
		}
		if _, has := k.inputs["deleteProtection"]; has {
			view["deleteProtection"] = sub(o, "protection")["delete"] == true
		}
		return provider.PropsOf(view)
	}
	read := func(c *provider.Call, in provider.Props) (*provider.Reading, error) {
		o, err := a.get(c, k.path, c.ID, k.key)
		if err != nil || o == nil {
			return nil, err
		}
		outs := show(o)
		for _, name := range k.unseen {
			delete(outs, provider.Key(name))
			if v, has := c.State[provider.Key(name)]; has {
				outs[provider.Key(name)] = v
			}
		}
		news := provider.Props{}
		for name := range k.inputs {
			key := provider.Key(name)
			seen, has := outs[key]
			given, was := in[key]
			switch {
			case in == nil && has && !empty(seen):
				news[key] = seen
			case was && has && !contains(k.unseen, name):
				news[key] = within(given, seen)
			case was:
				news[key] = given
			}
		}
		return &provider.Reading{ID: c.ID, Inputs: news, Outputs: outs}, nil
	}
	return &provider.Resource{
		Inputs: k.inputs, Outputs: k.outputs, AutoName: named,
		Create: func(c *provider.Call) (string, provider.Props, error) {
			in := plain(c.Inputs)
			answer, err := k.create(a, c, in)
			id := text(sub(answer, k.key)["id"])
			if id == "" {
				return "", nil, err
			}
			if err == nil && k.made != nil {
				err = k.made(a, c, id, in)
			}
			if err == nil && in["deleteProtection"] == true {
				err = k.change["deleteProtection"](a, c, id, nil, in)
			}
			o, rerr := a.get(c, k.path, id, k.key)
			if o == nil {
				o = sub(answer, k.key)
			}
			outs := show(o)
			k.hide(outs, in)
			if err == nil {
				err = rerr
			}
			return id, outs, err
		},
		Read:   func(c *provider.Call) (*provider.Reading, error) { return read(c, c.Inputs) },
		Import: func(c *provider.Call) (*provider.Reading, error) { return read(c, nil) },
		Update: func(c *provider.Call) (provider.Props, error) {
			in, old := plain(c.Inputs), plain(c.OldInputs)
			put := object{}
			changed := provider.Changes(k.inputs, c.OldInputs, c.Inputs, c.State)
			sort.Strings(changed)
			for _, name := range changed {
				if to, has := k.put[name]; has {
					put[to] = in[name]
				} else if name == "name" || name == "labels" {
					if put[name] = in[name]; name == "labels" && in[name] == nil {
						put[name] = object{}
					}
				} else if f := k.change[name]; f != nil {
					if err := f(a, c, c.ID, old, in); err != nil {
						return nil, err
					}
				}
			}
			if len(put) > 0 {
				if _, err := a.do(c, "PUT", k.path+"/"+c.ID, put); err != nil {
					return nil, err
				}
			}
			o, err := a.get(c, k.path, c.ID, k.key)
			if err != nil {
				return nil, err
			}
			if o == nil {
				return nil, fmt.Errorf("%s %s is gone", k.key, c.ID)
			}
			outs := show(o)
			k.hide(outs, in)
			return outs, nil
		},
		Delete: func(c *provider.Call) error {
			if k.before != nil {
				o, err := a.get(c, k.path, c.ID, k.key)
				if err == nil && o == nil && k.mustBeThere {
					err = fmt.Errorf("%s with ID '%s' not found (not_found)", k.key, c.ID)
				}
				if err != nil || o == nil {
					return err
				}
				if err := k.before(a, c, c.ID, o); err != nil {
					return err
				}
			}
			_, err := a.do(c, "DELETE", k.path+"/"+c.ID, nil)
			if gone(err) && !k.mustBeThere {
				return nil
			}
			return err
		},
	}
}

// create sends what makes the object and gives the API's answer.
func (k kind) create(a *api, c *provider.Call, in object) (object, error) {
	if k.make != nil {
		return k.make(a, c, in)
	}
	body, err := k.body(a, c, in)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"name", "labels"} {
		if v, has := in[name]; has {
			body[name] = v
		}
	}
	return a.do(c, "POST", k.path, body)
}

// hide takes away what the API shows in another form than the inputs, which then stand in the state as they were given; of user
// data, which may hold keys, the state gets a digest.
func (k kind) hide(outs provider.Props, in object) {
	for _, name := range k.unseen {
		delete(outs, provider.Key(name))
	}
	if data, has := in["userData"]; has {
		outs["userData"] = provider.Value(userDataDigest(text(data)))
	}
}

func contains(l []string, s string) bool {
	for _, e := range l {
		if e == s {
			return true
		}
	}
	return false
}
