package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/plugin"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"
)

// Definition is a whole provider.
type Definition struct {
	Name    string
	Version string
	// IDProperty says that the state shows the id as a property too, as bridged Terraform providers do.
	IDProperty bool
	Resources  map[string]*Resource
	Functions  map[string]*Function
	// Config describes the provider's own inputs.
	Config map[string]Field
	// Configure takes the provider's inputs; unknown ones may be there in a preview.
	Configure func(c *Call) error
}

// Server answers the engine.
type Server struct {
	rpc.UnimplementedResourceProviderServer
	def    *Definition
	ctx    context.Context
	cancel context.CancelFunc
	host   logger
}

// NewServer makes a server of a definition.
func NewServer(def *Definition) *Server {
	ctx, cancel := context.WithCancel(context.Background())
	return &Server{def: def, ctx: ctx, cancel: cancel}
}

// Close stops what runs and the connection to the engine.
func (s *Server) Close() { s.cancel(); s.host.close() }

func (s *Server) Handshake(_ context.Context, r *rpc.ProviderHandshakeRequest) (*rpc.ProviderHandshakeResponse, error) {
	s.host.connect(r.GetEngineAddress())
	return &rpc.ProviderHandshakeResponse{AcceptSecrets: true, AcceptResources: true, AcceptOutputs: false}, nil
}

func (s *Server) Attach(_ context.Context, r *rpc.PluginAttach) (*emptypb.Empty, error) {
	s.host.connect(r.GetAddress())
	return &emptypb.Empty{}, nil
}

func (s *Server) GetPluginInfo(context.Context, *emptypb.Empty) (*rpc.PluginInfo, error) {
	return &rpc.PluginInfo{Version: s.def.Version}, nil
}

// Cancel ends what is under way: commands are killed and connections closed.
func (s *Server) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	s.cancel()
	return &emptypb.Empty{}, nil
}

func (s *Server) GetSchema(context.Context, *rpc.GetSchemaRequest) (*rpc.GetSchemaResponse, error) {
	b, err := json.Marshal(schemaOf(s.def))
	return &rpc.GetSchemaResponse{Schema: string(b)}, err
}

func (s *Server) GetMapping(context.Context, *rpc.GetMappingRequest) (*rpc.GetMappingResponse, error) {
	return &rpc.GetMappingResponse{}, nil
}

func (s *Server) GetMappings(context.Context, *rpc.GetMappingsRequest) (*rpc.GetMappingsResponse, error) {
	return &rpc.GetMappingsResponse{}, nil
}

func (s *Server) CheckConfig(_ context.Context, r *rpc.CheckRequest) (*rpc.CheckResponse, error) {
	news, err := s.unmarshal("news", r.GetNews())
	if err != nil {
		return nil, err
	}
	return s.checked(news, checkFields("", s.def.Config, news))
}

// DiffConfig never replaces a provider: a changed token or address is still the same account.
func (s *Server) DiffConfig(_ context.Context, r *rpc.DiffRequest) (*rpc.DiffResponse, error) {
	olds, err := s.unmarshal("olds", r.GetOldInputs())
	if err != nil {
		return nil, err
	}
	news, err := s.unmarshal("news", r.GetNews())
	if err != nil {
		return nil, err
	}
	if len(olds) == 0 {
		if olds, err = s.unmarshal("olds", r.GetOlds()); err != nil {
			return nil, err
		}
	}
	return diffResponse(diffInputs(s.def.Config, olds, news, nil)), nil
}

func (s *Server) Configure(ctx context.Context, r *rpc.ConfigureRequest) (*rpc.ConfigureResponse, error) {
	if s.def.Configure != nil {
		args, err := s.unmarshal("args", r.GetArgs())
		if err != nil {
			return nil, err
		}
		if err := s.def.Configure(&Call{Context: ctx, Inputs: args, server: s}); err != nil {
			return nil, err
		}
	}
	return &rpc.ConfigureResponse{AcceptSecrets: true, SupportsPreview: true, AcceptResources: true}, nil
}

func (s *Server) resource(urn string) (*Resource, error) {
	if r := s.def.Resources[string(typeOf(urn))]; r != nil {
		return r, nil
	}
	return nil, status.Errorf(codes.NotFound, "the stand-in for the %s provider has no resource type %s", s.def.Name, typeOf(urn))
}

// call makes the context of a request, which ends with the request, with the engine's Cancel, or with the resource's timeout.
func (s *Server) call(ctx context.Context, urn, id string, timeout float64) (*Call, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	c := &Call{Context: ctx, URN: resource.URN(urn), ID: id, server: s, Timeout: time.Duration(timeout * float64(time.Second))}
	if urn != "" {
		c.Name = c.URN.Name()
	}
	end := func() { stop(); cancel() }
	if c.Timeout > 0 {
		limited, done := context.WithTimeout(ctx, c.Timeout)
		c.Context = limited
		return c, func() { done(); end() }
	}
	return c, end
}

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

func (s *Server) Invoke(ctx context.Context, r *rpc.InvokeRequest) (*rpc.InvokeResponse, error) {
	f := s.def.Functions[r.GetTok()]
	if f == nil {
		return nil, status.Errorf(codes.NotFound, "the stand-in for the %s provider has no function %s", s.def.Name, r.GetTok())
	}
	c, end := s.call(ctx, "", "", 0)
	defer end()
	if err := s.read(&c.Inputs, r.GetArgs()); err != nil {
		return nil, err
	}
	out := &rpc.InvokeResponse{}
	c.Inputs = prepare(f.Inputs, c.Inputs)
	for _, fail := range checkFields("", f.Inputs, c.Inputs) {
		out.Failures = append(out.Failures, &rpc.CheckFailure{Property: fail.Property, Reason: fail.Reason})
	}
	if len(out.Failures) > 0 {
		return out, nil
	}
	props, err := f.Run(c)
	if err != nil {
		return nil, err
	}
	out.Return, err = s.marshal("result", props)
	return out, err
}

// read unmarshals pairs of a target and its source.
func (s *Server) read(pairs ...any) error {
	for i := 0; i < len(pairs); i += 2 {
		props, err := s.unmarshal(fmt.Sprintf("%s.%d", s.def.Name, i/2), pairs[i+1].(*structpb.Struct))
		if err != nil {
			return err
		}
		*pairs[i].(*Props) = props
	}
	return nil
}

func (s *Server) unmarshal(label string, in *structpb.Struct) (Props, error) {
	return plugin.UnmarshalProperties(in, plugin.MarshalOptions{Label: label, KeepUnknowns: true, KeepSecrets: true, SkipNulls: true})
}

func (s *Server) marshal(label string, in Props) (*structpb.Struct, error) {
	return plugin.MarshalProperties(in, plugin.MarshalOptions{Label: label, KeepUnknowns: true, KeepSecrets: true, SkipNulls: true})
}
