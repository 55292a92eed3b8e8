package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/spf13/cobra"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/compatibility"
	"k8s.io/component-base/featuregate"
	logsapi "k8s.io/component-base/logs/api/v1"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"

	"groundwork/standins/k3s/internal/supervisor"
)

// supervisorEnv carries the supervisor's settings (JSON) from the node to its kube-apiserver child.
const supervisorEnv = "GROUNDWORK_SUPERVISOR"

// runAPIServer is upstream's kube-apiserver with K3s's supervisor in front of its handler chain. K3s serves both on one
// port; here the API server owns the port, so that client certificates, watches and upgrades reach it unproxied.
func runAPIServer(args []string) int {
	os.Args = args
	var settings supervisor.Settings
	if err := json.Unmarshal([]byte(os.Getenv(supervisorEnv)), &settings); err != nil {
		fmt.Fprintf(os.Stderr, "kube-apiserver: %s: %v\n", supervisorEnv, err)
		return 1
	}
	s := options.NewServerRunOptions()
	registry := s.GenericServerRunOptions.ComponentGlobalsRegistry
	c := &cobra.Command{
		Use: "kube-apiserver", SilenceUsage: true,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := registry.Set(); err != nil {
				return err
			}
			gate := registry.FeatureGateFor(compatibility.DefaultKubeComponent)
			if err := logsapi.ValidateAndApply(s.Logs, gate); err != nil {
				return err
			}
			if mutable, ok := gate.(featuregate.MutableFeatureGate); ok {
				mutable.AddMetrics()
			}
			rest.SetDefaultWarningHandler(rest.NoWarnings{})
			return serveAPI(genericapiserver.SetupSignalContext(), s, settings)
		},
	}
	for _, set := range s.Flags().FlagSets {
		c.Flags().AddFlagSet(set)
	}
	return cobraMain(c, args)
}

func serveAPI(ctx context.Context, s *options.ServerRunOptions, settings supervisor.Settings) error {
	completed, err := s.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return utilerrors.NewAggregate(errs)
	}
	config, err := apiserver.NewConfig(completed)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config.KubeAPIs.ControlPlane.Generic.LoopbackClientConfig)
	if err != nil {
		return err
	}
	front, err := supervisor.New(settings, client)
	if err != nil {
		return err
	}
	// The aggregator's chain is the outermost of the three servers that make up kube-apiserver.
	generic := &config.Aggregator.GenericConfig.Config
	build := generic.BuildHandlerChainFunc
	generic.BuildHandlerChainFunc = func(h http.Handler, c *genericapiserver.Config) http.Handler {
		return front.Wrap(build(h, c))
	}
	ready, err := config.Complete()
	if err != nil {
		return err
	}
	chain, err := apiserver.CreateServerChain(ready)
	if err != nil {
		return err
	}
	prepared, err := chain.PrepareRun()
	if err != nil {
		return err
	}
	return prepared.Run(ctx)
}

func runKubelet(args []string) int {
	return cobraMain(kubelet.NewKubeletCommand(context.Background()), args)
}
