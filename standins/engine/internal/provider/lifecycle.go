package provider

import (
	"context"
	"errors"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

func (s *Server) Create(ctx context.Context, r *rpc.CreateRequest) (*rpc.CreateResponse, error) {
	res, err := s.resource(r.GetUrn())
	if err != nil {
		return nil, err
	}
	c, end := s.call(ctx, r.GetUrn(), "", r.GetTimeout())
	defer end()
	c.Preview = r.GetPreview()
	if err := s.read(&c.Inputs, r.GetProperties()); err != nil {
		return nil, err
	}
	if c.Preview {
		props, err := s.marshal("preview", s.preview(res, c))
		return &rpc.CreateResponse{Properties: props}, err
	}
	id, outs, err := res.Create(c)
	if err != nil && id == "" {
		return nil, err
	}
	props, merr := s.marshal("outputs", s.withID(res, state(res, c.Inputs, outs), id))
	if merr != nil {
		return nil, merr
	}
	if err != nil {
		return nil, initFailed(id, props, r.GetProperties(), err)
	}
	return &rpc.CreateResponse{Id: id, Properties: props}, nil
}

// initFailed says that the resource exists although making it failed half way, so that the engine keeps it in the state.
func initFailed(id string, props, inputs *structpb.Struct, err error) error {
	st, derr := status.New(codes.Unknown, err.Error()).WithDetails(&rpc.ErrorResourceInitFailed{
		Id: id, Properties: props, Inputs: inputs, Reasons: []string{err.Error()},
	})
	if derr != nil {
		return errors.Join(err, derr)
	}
	return st.Err()
}

// preview gives the state that a create or update will have, with unknowns for what only doing it will tell.
func (s *Server) preview(res *Resource, c *Call) Props {
	outs := Props{}
	for name := range res.Outputs {
		outs[resource.PropertyKey(name)] = resource.MakeComputed(resource.NewProperty(""))
	}
	if c.State != nil && res.Update == nil {
		for k := range outs {
			if v, has := c.State[k]; has {
				outs[k] = v
			} else {
				delete(outs, k)
			}
		}
	}
	for name, f := range res.Inputs {
		if key := resource.PropertyKey(name); f.Computed {
			if _, has := c.Inputs[key]; !has {
				outs[key] = resource.MakeComputed(resource.NewProperty(""))
				if v, was := c.State[key]; was {
					outs[key] = v
				}
			}
		}
	}
	if res.Preview != nil {
		for k, v := range res.Preview(c) {
			outs[k] = v
		}
	}
	return state(res, c.Inputs, outs)
}

// state lays outputs over inputs and marks what is secret.
func state(res *Resource, inputs, outs Props) Props {
	all := Props{}
	for k, v := range inputs {
		if !strings.HasPrefix(string(k), "__") {
			all[k] = v
		}
	}
	for k, v := range outs {
		if in, has := inputs[k]; has && HasSecret(in) && same(in, v) {
			continue
		}
		if v.IsNull() {
			delete(all, k)
			continue
		}
		all[k] = v
	}
	for k, v := range all {
		if (res.Inputs[string(k)].Secret || res.Outputs[string(k)].Secret) && !v.IsSecret() {
			all[k] = resource.MakeSecret(v)
		}
	}
	return all
}

func (s *Server) withID(res *Resource, props Props, id string) Props {
	if s.def.IDProperty && !res.NoIDProperty {
		props["id"] = resource.NewProperty(id)
	}
	return props
}

func (s *Server) Update(ctx context.Context, r *rpc.UpdateRequest) (*rpc.UpdateResponse, error) {
	res, err := s.resource(r.GetUrn())
	if err != nil {
		return nil, err
	}
	c, end := s.call(ctx, r.GetUrn(), r.GetId(), r.GetTimeout())
	defer end()
	c.Preview = r.GetPreview()
	if err := s.read(&c.Inputs, r.GetNews(), &c.State, r.GetOlds(), &c.OldInputs, r.GetOldInputs()); err != nil {
		return nil, err
	}
	if c.Preview {
		props, err := s.marshal("preview", s.preview(res, c))
		return &rpc.UpdateResponse{Properties: props}, err
	}
	outs := Props{}
	if res.Update == nil {
		for name := range res.Outputs {
			if v, has := c.State[resource.PropertyKey(name)]; has {
				outs[resource.PropertyKey(name)] = v
			}
		}
	} else if outs, err = res.Update(c); err != nil {
		return nil, err
	}
	props, err := s.marshal("outputs", s.withID(res, state(res, c.Inputs, outs), c.ID))
	return &rpc.UpdateResponse{Properties: props}, err
}

func (s *Server) Delete(ctx context.Context, r *rpc.DeleteRequest) (*emptypb.Empty, error) {
	res, err := s.resource(r.GetUrn())
	if err != nil {
		return nil, err
	}
	c, end := s.call(ctx, r.GetUrn(), r.GetId(), r.GetTimeout())
	defer end()
	if err := s.read(&c.State, r.GetProperties(), &c.OldInputs, r.GetOldInputs()); err != nil {
		return nil, err
	}
	c.Inputs = c.OldInputs
	if res.Delete != nil {
		if err := res.Delete(c); err != nil {
			return nil, err
		}
	}
	return &emptypb.Empty{}, nil
}
