// Package nodehost stands in for Pulumi's node language host. Programs, policy packs, node plugins and dynamic providers run
// through the entry points that the @pulumi/pulumi package beside the program ships.
package nodehost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/pulumi/pulumi/sdk/v3"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"groundwork.dev/standins/engine/internal/provider"
)

// toldUser is the exit code by which the SDK says that the user has seen the error already.
const toldUser = 32

type host struct {
	rpc.UnimplementedLanguageRuntimeServer
	version string
	ctx     context.Context
	cancel  context.CancelFunc
	mu      sync.Mutex
	engine  string
}

// Main serves the language host. The engine passes its flags first and its own address last.
func Main(version string, args []string) int {
	h := &host{version: version}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	defer h.cancel()
	for _, a := range args {
		if !strings.HasPrefix(a, "-") {
			h.engine = a
		}
	}
	return provider.Serve(func(s *grpc.Server) { rpc.RegisterLanguageRuntimeServer(s, h) }, h.cancel)
}

func (h *host) Handshake(_ context.Context, r *rpc.LanguageHandshakeRequest) (*rpc.LanguageHandshakeResponse, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.engine = r.GetEngineAddress()
	return &rpc.LanguageHandshakeResponse{}, nil
}

func (h *host) engineAddress() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.engine
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*rpc.PluginInfo, error) {
	return &rpc.PluginInfo{Version: h.version}, nil
}

// Cancel ends the node processes of this host.
func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	h.cancel()
	return &emptypb.Empty{}, nil
}

// Run runs a program to its end.
func (h *host) Run(ctx context.Context, r *rpc.RunRequest) (*rpc.RunResponse, error) {
	info := r.GetInfo()
	script, err := resolveEntry(info.GetProgramDirectory(), "cmd/run")
	if err != nil {
		return &rpc.RunResponse{Error: err.Error()}, nil
	}
	config, err := jsonOr(r.GetConfig(), len(r.GetConfig()), "{}")
	if err != nil {
		return nil, err
	}
	secretKeys, err := jsonOr(r.GetConfigSecretKeys(), len(r.GetConfigSecretKeys()), "[]")
	if err != nil {
		return nil, err
	}
	opts := optionsOf(info)
	args := append(opts.nodeArgs(), script)
	for _, f := range [][2]string{
		{"organization", r.GetOrganization()}, {"project", r.GetProject()}, {"root-directory", info.GetRootDirectory()},
		{"stack", r.GetStack()}, {"pwd", r.GetPwd()}, {"monitor", r.GetMonitorAddress()}, {"engine", h.engineAddress()},
		{"parallel", strconv.Itoa(int(r.GetParallel()))},
	} {
		if f[1] != "" {
			args = append(args, "--"+f[0], f[1])
		}
	}
	if r.GetDryRun() {
		args = append(args, "--dry-run")
	}
	entry := info.GetEntryPoint()
	if entry == "" {
		entry = "."
	}
	args = append(append(args, entry), r.GetArgs()...)

	cmd := exec.Command(opts.node(), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.GetPwd(), os.Stdout, os.Stderr
	cmd.Env = append(append(os.Environ(), opts.env(info.GetRootDirectory())...), "PULUMI_CONFIG="+config, "PULUMI_CONFIG_SECRET_KEYS="+secretKeys)
	err = h.run(ctx, cmd)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &rpc.RunResponse{}, nil
	case errors.As(err, &exit) && exit.ExitCode() == toldUser:
		return &rpc.RunResponse{Bail: true}, nil
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return &rpc.RunResponse{Error: fmt.Sprintf("the program exited with code %d; what it printed stands above", exit.ExitCode())}, nil
	default:
		return &rpc.RunResponse{Error: "the program could not be run: " + err.Error()}, nil
	}
}

// RunPlugin runs a policy pack or a provider that is written for node, for as long as the engine keeps the stream open.
func (h *host) RunPlugin(r *rpc.RunPluginRequest, s rpc.LanguageRuntime_RunPluginServer) error {
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(s, false)
	if err != nil {
		return err
	}
	defer closer.Close()
	opts := optionsOf(r.GetInfo())
	if r.GetKind() == "analyzer" {
		err = h.runPolicyPack(s.Context(), r, opts, stdout, stderr)
	} else {
		err = h.runNodePlugin(s.Context(), r, opts, stdout, stderr)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	code := 0
	if exit != nil {
		code = exit.ExitCode()
	}
	return s.Send(&rpc.RunPluginResponse{Output: &rpc.RunPluginResponse_Exitcode{Exitcode: int32(code)}})
}

func (h *host) runNodePlugin(ctx context.Context, r *rpc.RunPluginRequest, opts options, stdout, stderr io.Writer) error {
	dir := r.GetInfo().GetProgramDirectory()
	script, err := resolveEntry(dir, "cmd/run-plugin")
	if err != nil {
		return err
	}
	cmd := exec.Command(opts.node(), append(append(opts.nodeArgs(), script, dir), r.GetArgs()...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = r.GetPwd(), stdout, stderr, append(r.GetEnv(), opts.env(dir)...)
	return h.run(ctx, cmd)
}

// runPolicyPack runs a policy pack. Its library expects the stack's names and configuration in the environment when it starts,
// while the engine tells them to a pack that runs: the SDK's proxy stands between the two. A pack reads ./package.json, so its working
// directory is its own.
func (h *host) runPolicyPack(ctx context.Context, r *rpc.RunPluginRequest, opts options, stdout, stderr io.Writer) error {
	dir := r.GetInfo().GetProgramDirectory()
	script, err := resolveEntry(dir, "cmd/run-policy-pack")
	if err != nil {
		return err
	}
	proxy, packOut, err := sdk.NewPolicyProxy(ctx, stdout)
	if err != nil {
		return err
	}
	config, err := proxy.AwaitConfiguration(ctx)
	if err != nil {
		return fmt.Errorf("the engine did not tell the policy pack about the stack: %w", err)
	}
	cmd := exec.Command(opts.node(), append(append(append(opts.nodeArgs(), script), r.GetArgs()...), dir)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, packOut, stderr
	if cmd.Env, err = packEnv(append(r.GetEnv(), opts.env(dir)...), config); err != nil {
		return err
	}
	return h.runUntil(ctx, cmd, func() error { return proxy.Attach(ctx, cmd) })
}

// packEnv adds what a policy pack learns of the stack; there is none when a pack is only looked at.
func packEnv(env []string, config *rpc.AnalyzerStackConfigureRequest) ([]string, error) {
	if config == nil {
		return env, nil
	}
	for _, pair := range [][2]string{
		{"ORGANIZATION", config.GetOrganization()}, {"PROJECT", config.GetProject()}, {"STACK", config.GetStack()},
		{"DRY_RUN", strconv.FormatBool(config.GetDryRun())},
	} {
		if pair[1] != "" {
			env = append(env, "PULUMI_NODEJS_"+pair[0]+"="+pair[1])
		}
	}
	if config.GetConfig() == nil {
		return env, nil
	}
	text, err := json.Marshal(config.GetConfig())
	return append(env, "PULUMI_CONFIG="+string(text)), err
}

// Dynamic runs the SDK's provider of dynamic resources. It stays as its parent, so that the provider can't outlive the engine.
func Dynamic(args []string) int {
	h := &host{}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	provider.OnEnd(h.cancel)
	dir, err := os.Getwd()
	if err == nil {
		var script string
		if script, err = resolveEntry(dir, "cmd/dynamic-provider"); err == nil {
			cmd := exec.Command("node", append([]string{script}, args...)...)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
			err = h.run(h.ctx, cmd)
		}
	}
	if err != nil && h.ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "the provider of dynamic resources ended:", err)
		return 1
	}
	return 0
}

// jsonOr renders a map or list, or gives what stands for an empty one.
func jsonOr(v any, length int, empty string) (string, error) {
	if length == 0 {
		return empty, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

func readJSON(path string, into any) error {
	b, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
