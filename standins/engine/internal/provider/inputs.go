package provider

import (
	"context"
	"sort"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (s *Server) Check(_ context.Context, r *rpc.CheckRequest) (*rpc.CheckResponse, error) {
	res, err := s.resource(r.GetUrn())
	if err != nil {
		return nil, err
	}
	news, err := s.unmarshal("news", r.GetNews())
	if err != nil {
		return nil, err
	}
	news = prepare(res.Inputs, news)
	if _, has := news["name"]; res.AutoName && !has {
		olds, err := s.unmarshal("olds", r.GetOlds())
		if err != nil {
			return nil, err
		}
		if news["name"], err = autoName(r, olds); err != nil {
			return nil, err
		}
	}
	fails := checkFields("", res.Inputs, news)
	if len(fails) == 0 && res.Check != nil {
		fails = res.Check(news)
	}
	return s.checked(news, fails)
}

// autoName makes the name of a resource for which the program gives none. A preview and the update after it get the same one, as
// the engine gives both the same seed.
func autoName(r *rpc.CheckRequest, olds Props) (resource.PropertyValue, error) {
	if v, has := olds["name"]; has {
		return v, nil
	}
	if n := r.GetAutonaming(); n.GetProposedName() != "" {
		return resource.NewProperty(n.GetProposedName()), nil
	} else if n != nil && n.GetMode() == rpc.CheckRequest_AutonamingOptions_DISABLE {
		return resource.PropertyValue{}, status.Errorf(codes.InvalidArgument, "automatic naming is switched off and %s has no name", r.GetUrn())
	}
	name, err := resource.NewUniqueName(r.GetRandomSeed(), resource.URN(r.GetUrn()).Name()+"-", 7, 0, nil)
	return resource.NewProperty(name), err
}

func (s *Server) checked(news Props, fails []Failure) (*rpc.CheckResponse, error) {
	inputs, err := s.marshal("inputs", news)
	if err != nil {
		return nil, err
	}
	out := &rpc.CheckResponse{Inputs: inputs}
	for _, f := range fails {
		out.Failures = append(out.Failures, &rpc.CheckFailure{Property: f.Property, Reason: f.Reason})
	}
	return out, nil
}

func (s *Server) Diff(ctx context.Context, r *rpc.DiffRequest) (*rpc.DiffResponse, error) {
	res, err := s.resource(r.GetUrn())
	if err != nil {
		return nil, err
	}
	c, end := s.call(ctx, r.GetUrn(), r.GetId(), 0)
	defer end()
	if err := s.read(&c.Inputs, r.GetNews(), &c.State, r.GetOlds(), &c.OldInputs, r.GetOldInputs()); err != nil {
		return nil, err
	}
	d := diffInputs(res.Inputs, c.OldInputs, c.Inputs, c.State)
	for _, path := range r.GetIgnoreChanges() {
		delete(d.Changed, path)
	}
	d.DeleteBeforeReplace = res.DeleteFirst
	if res.Diff != nil {
		res.Diff(c, d)
	}
	return diffResponse(d), nil
}

func diffResponse(d *Diff) *rpc.DiffResponse {
	out := &rpc.DiffResponse{Changes: rpc.DiffResponse_DIFF_NONE, HasDetailedDiff: true, DetailedDiff: map[string]*rpc.PropertyDiff{}, DeleteBeforeReplace: d.DeleteBeforeReplace}
	for name, c := range d.Changed {
		out.Changes = rpc.DiffResponse_DIFF_SOME
		out.Diffs = append(out.Diffs, name)
		kind := rpc.PropertyDiff_UPDATE
		switch {
		case c.Add && c.Replace:
			kind = rpc.PropertyDiff_ADD_REPLACE
		case c.Add:
			kind = rpc.PropertyDiff_ADD
		case c.Remove && c.Replace:
			kind = rpc.PropertyDiff_DELETE_REPLACE
		case c.Remove:
			kind = rpc.PropertyDiff_DELETE
		case c.Replace:
			kind = rpc.PropertyDiff_UPDATE_REPLACE
		}
		if c.Replace {
			out.Replaces = append(out.Replaces, name)
		}
		paths := c.Paths
		if len(paths) == 0 {
			paths = []string{name}
		}
		for _, p := range paths {
			out.DetailedDiff[p] = &rpc.PropertyDiff{Kind: kind, InputDiff: !c.Output}
		}
	}
	if d.Force {
		out.Changes = rpc.DiffResponse_DIFF_SOME
	}
	sort.Strings(out.Diffs)
	sort.Strings(out.Replaces)
	return out
}
