package hcloud

import (
	"fmt"

	"groundwork.dev/standins/engine/internal/provider"
)

// part describes a resource that the API has as a part of another object, made and removed by actions on it: a subnet, a route, an
// attachment.
type part struct {
	inputs, outputs map[string]provider.Field
	// owner gives path, key and id of the object that the part belongs to.
	owner func(in object) (path, key, id string)
	// id makes the part's own id.
	id func(in object) string
	// inputsOf gives the inputs that an id names, for imports; nil when there is no import.
	inputsOf func(id string) (object, error)
	// find finds the part in the owner, as properties; nil when it is not there.
	find func(owner object, in object) object
	// add and remove name the actions, with their bodies.
	add, remove func(in object) (string, object)
	// after does what the action that adds it can't say.
	after func(a *api, c *provider.Call, in object) error
	// update changes the part in place.
	update func(a *api, c *provider.Call, old, in object) error
	// mustBeThere makes it an error to remove what its owner does not have any more, as the official provider does with some.
	mustBeThere bool
	// removed says that an error of the removal means that there is nothing to remove.
	removed func(err error) bool
}

func (p part) resource(a *api) *provider.Resource {
	look := func(c *provider.Call, in object) (object, error) {
		path, key, id := p.owner(in)
		o, err := a.get(c, path, id, key)
		if err != nil || o == nil {
			return nil, err
		}
		return p.find(o, in), nil
	}
	must := func(c *provider.Call, in object) (provider.Props, error) {
		found, err := look(c, in)
		if err != nil {
			return nil, err
		}
		if found == nil {
			return nil, fmt.Errorf("%s was made and is not to be seen", p.id(in))
		}
		return provider.PropsOf(found), nil
	}
	r := &provider.Resource{
		Inputs: p.inputs, Outputs: p.outputs,
		Create: func(c *provider.Call) (string, provider.Props, error) {
			in := plain(c.Inputs)
			path, _, id := p.owner(in)
			action, body := p.add(in)
			if err := a.act(c, path, id, action, body); err != nil {
				return "", nil, err
			}
			if p.after != nil {
				if err := p.after(a, c, in); err != nil {
					return p.id(in), nil, err
				}
			}
			outs, err := must(c, in)
			return p.id(in), outs, err
		},
		Read: func(c *provider.Call) (*provider.Reading, error) {
			found, err := look(c, plain(c.Inputs))
			if err != nil || found == nil {
				return nil, err
			}
			outs, news := provider.PropsOf(found), provider.Props{}
			for k, v := range c.Inputs {
				news[k] = v
				if seen, has := outs[k]; has {
					news[k] = within(v, seen)
				}
			}
			return &provider.Reading{ID: c.ID, Inputs: news, Outputs: outs}, nil
		},
		Delete: func(c *provider.Call) error {
			in := plain(c.State)
			path, key, id := p.owner(in)
			o, err := a.get(c, path, id, key)
			if err == nil && o != nil && p.find(o, in) == nil && p.mustBeThere {
				return fmt.Errorf("%s is not there any more", p.id(in))
			}
			if err != nil || o == nil || p.find(o, in) == nil {
				return err
			}
			action, body := p.remove(in)
			if err := a.act(c, path, id, action, body); err != nil && !gone(err) && (p.removed == nil || !p.removed(err)) {
				return err
			}
			return nil
		},
	}
	if p.inputsOf != nil {
		r.Import = func(c *provider.Call) (*provider.Reading, error) {
			in, err := p.inputsOf(c.ID)
			if err != nil {
				return nil, err
			}
			found, err := look(c, in)
			if err != nil || found == nil {
				return nil, err
			}
			news := provider.Props{}
			for k, v := range provider.PropsOf(found) {
				if _, input := p.inputs[string(k)]; input && !empty(v) {
					news[k] = v
				}
			}
			return &provider.Reading{ID: c.ID, Inputs: news, Outputs: provider.PropsOf(found)}, nil
		}
	}
	if p.update != nil {
		r.Update = func(c *provider.Call) (provider.Props, error) {
			in := plain(c.Inputs)
			if err := p.update(a, c, plain(c.OldInputs), in); err != nil {
				return nil, err
			}
			return must(c, in)
		}
	}
	return r
}
