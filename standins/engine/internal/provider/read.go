package provider

import (
	"context"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (s *Server) Read(ctx context.Context, r *rpc.ReadRequest) (*rpc.ReadResponse, error) {
	res, err := s.resource(r.GetUrn())
	if err != nil {
		return nil, err
	}
	c, end := s.call(ctx, r.GetUrn(), r.GetId(), 0)
	defer end()
	if err := s.read(&c.State, r.GetProperties(), &c.Inputs, r.GetInputs()); err != nil {
		return nil, err
	}
	c.OldInputs = c.Inputs
	reader := res.Read
	// An import, and a lookup by get(), come without any state.
	if len(c.State) == 0 && len(c.Inputs) == 0 {
		if reader = res.Import; reader == nil {
			return nil, status.Errorf(codes.Unimplemented, "resources of type %s can't be imported", typeOf(r.GetUrn()))
		}
	}
	if reader == nil {
		return &rpc.ReadResponse{Id: r.GetId(), Properties: r.GetProperties(), Inputs: r.GetInputs()}, nil
	}
	got, err := reader(c)
	if err != nil {
		return nil, err
	}
	if got == nil || got.ID == "" {
		return &rpc.ReadResponse{}, nil
	}
	if got.Inputs == nil {
		got.Inputs = c.Inputs
	}
	inputs, err := s.marshal("inputs", keepSecrets(res.Inputs, got.Inputs, c.Inputs))
	if err != nil {
		return nil, err
	}
	base := Props{}
	for k, v := range c.State {
		if _, out := res.Outputs[string(k)]; !out {
			base[k] = v
		}
	}
	for k, v := range got.Inputs {
		base[k] = v
	}
	props, err := s.marshal("state", s.withID(res, keepSecrets(nil, state(res, base, got.Outputs), c.State), got.ID))
	return &rpc.ReadResponse{Id: got.ID, Properties: props, Inputs: inputs}, err
}

// keepSecrets marks as secret what was secret before.
func keepSecrets(fields map[string]Field, news, olds Props) Props {
	out := Props{}
	for k, v := range news {
		if old, has := olds[k]; (fields[string(k)].Secret || (has && old.IsSecret())) && !v.IsSecret() {
			v = resource.MakeSecret(v)
		}
		out[k] = v
	}
	return out
}
