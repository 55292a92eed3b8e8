package provider

import (
	"context"
	"encoding/json"
	"fmt"
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
	props, err := plugin.UnmarshalProperties(in, plugin.MarshalOptions{Label: label, KeepUnknowns: true, KeepSecrets: true, SkipNulls: true})
	return withoutBridgeKeys(props), err
}

func (s *Server) marshal(label string, in Props) (*structpb.Struct, error) {
	return plugin.MarshalProperties(in, plugin.MarshalOptions{Label: label, KeepUnknowns: true, KeepSecrets: true, SkipNulls: true})
}
