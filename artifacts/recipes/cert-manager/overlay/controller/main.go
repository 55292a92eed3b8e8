// Command controller runs cert-manager's control loops, put together from the module's own libraries. Upstream's command
// of the same name is in a nested module that has no published versions. The configuration is upstream's
// ControllerConfiguration file; there are no other flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	// Roots of the public authorities, for images that have none.
	_ "golang.org/x/crypto/x509roots/fallback"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"

	config "github.com/cert-manager/cert-manager/internal/apis/config/controller"
	defaults "github.com/cert-manager/cert-manager/internal/apis/config/controller/v1alpha1"
	"github.com/cert-manager/cert-manager/internal/apis/config/controller/validation"
	"github.com/cert-manager/cert-manager/internal/pem"
	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/configfile"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	dnsutil "github.com/cert-manager/cert-manager/pkg/issuer/acme/dns/util"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	files "github.com/cert-manager/cert-manager/pkg/util/configfile"
	features "github.com/cert-manager/cert-manager/pkg/util/feature"

	// Each registers its control loop or its kind of issuer.
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
)

func main() {
	file := flag.String("config", "", "file with a ControllerConfiguration")
	flag.Parse()
	logf.InitLogs()
	defer logf.FlushLogs()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx = logf.NewContext(ctx, logf.Log, "controller")
	if err := start(ctx, *file); err != nil && !errors.Is(err, context.Canceled) {
		logf.Log.Error(err, "the controller ended")
		logf.FlushLogs()
		os.Exit(1)
	}
}

func start(ctx context.Context, file string) error {
	settings, err := read(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if settings.LeaderElectionConfig.Enabled {
		return errors.New("leaderElectionConfig.enabled: this build runs as a single replica, set it to false")
	}
	limits := settings.PEMSizeLimitsConfig
	pem.SetGlobalSizeLimits(pem.NewSizeLimitsFromConfig(
		limits.MaxCertificateSize, limits.MaxPrivateKeySize, limits.MaxChainLength, limits.MaxBundleSize))
	return run(ctx, settings)
}

// read loads the file as upstream does: defaults, validation, feature gates, logging.
func read(file string) (*config.ControllerConfiguration, error) {
	loader, err := files.NewConfigurationFSLoader(nil, file)
	if err != nil {
		return nil, err
	}
	loaded := configfile.New()
	if err := loader.Load(loaded); err != nil {
		return nil, err
	}
	settings := loaded.Config
	if err := features.DefaultMutableFeatureGate.SetFromMap(settings.FeatureGates); err != nil {
		return nil, err
	}
	if problems := validation.ValidateControllerConfiguration(settings, nil); len(problems) > 0 {
		return nil, problems.ToAggregate()
	}
	return settings, logf.ValidateAndApply(&settings.Logging)
}

func run(parent context.Context, settings *config.ControllerConfiguration) error {
	group, ctx := errgroup.WithContext(parent)
	log := logf.FromContext(ctx)
	log.Info("starting cert-manager controller", "version", util.VersionInfo().GitVersion)
	options, err := contextOptions(settings)
	if err != nil {
		return err
	}
	factory, err := controller.NewContextFactory(ctx, options)
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}

	shared.Metrics.SetupACMECollector(shared.SharedInformerFactory.Acme().V1().Challenges().Lister())
	shared.Metrics.SetupCertificateCollector(shared.SharedInformerFactory.Certmanager().V1().Certificates().Lister())
	shared.Metrics.SetupIssuerCollector(shared.SharedInformerFactory.Certmanager().V1().Issuers().Lister())
	shared.Metrics.SetupClusterIssuerCollector(shared.SharedInformerFactory.Certmanager().V1().ClusterIssuers().Lister())
	if err := serve(ctx, group, settings, shared); err != nil {
		return err
	}

	wanted := enabled(settings.Controllers)
	for name, construct := range controller.Known() {
		if !wanted.Has(name) {
			continue
		}
		loop, err := construct(factory)
		if err != nil {
			return fmt.Errorf("controller %s: %w", name, err)
		}
		log.Info("starting controller", "controller", name)
		group.Go(func() error { return loop.Run(settings.NumberOfConcurrentWorkers, ctx) })
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}

// serve answers for metrics and for the probes until the context ends.
func serve(ctx context.Context, group *errgroup.Group, settings *config.ControllerConfiguration, shared *controller.Context) error {
	var listen net.ListenConfig
	metrics, err := listen.Listen(ctx, "tcp", settings.MetricsListenAddress)
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	server := shared.Metrics.NewServer(metrics)
	group.Go(func() error {
		if err := server.Serve(metrics); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return server.Shutdown(last)
	})
	probes, err := listen.Listen(ctx, "tcp", settings.HealthzListenAddress)
	if err != nil {
		return fmt.Errorf("probes: %w", err)
	}
	health := healthz.NewServer(settings.LeaderElectionConfig.HealthzTimeout)
	group.Go(func() error { return health.Start(ctx, probes) })
	return nil
}

// enabled resolves the list of controllers: names, "*" for the defaults, "-name" for all but that one.
func enabled(list []string) sets.Set[string] {
	wanted, unwanted := sets.New[string](), sets.New[string]()
	for _, name := range list {
		if name == "*" {
			wanted.Insert(defaults.DefaultEnabledControllers...)
		} else if rest, found := strings.CutPrefix(name, "-"); found {
			unwanted.Insert(rest)
		} else {
			wanted.Insert(name)
		}
	}
	if wanted.Len() == 0 {
		wanted.Insert(defaults.DefaultEnabledControllers...)
	}
	return wanted.Difference(unwanted)
}

func contextOptions(settings *config.ControllerConfiguration) (controller.ContextOptions, error) {
	http01, dns01 := settings.ACMEHTTP01Config, settings.ACMEDNS01Config
	nameservers := dns01.RecursiveNameservers
	if len(nameservers) == 0 {
		nameservers = dnsutil.RecursiveNameservers
	}
	var quantities [4]resource.Quantity
	for index, text := range []string{
		http01.SolverResourceRequestCPU, http01.SolverResourceRequestMemory,
		http01.SolverResourceLimitsCPU, http01.SolverResourceLimitsMemory,
	} {
		parsed, err := resource.ParseQuantity(text)
		if err != nil {
			return controller.ContextOptions{}, fmt.Errorf("acmeHTTP01Config: %q: %w", text, err)
		}
		quantities[index] = parsed
	}
	return controller.ContextOptions{
		Kubeconfig:         settings.KubeConfig,
		KubernetesAPIQPS:   settings.KubernetesAPIQPS,
		KubernetesAPIBurst: settings.KubernetesAPIBurst,
		APIServerHost:      settings.APIServerHost,
		Namespace:          settings.Namespace,
		ACMEOptions: controller.ACMEOptions{
			HTTP01SolverImage:                 http01.SolverImage,
			HTTP01SolverResourceRequestCPU:    quantities[0],
			HTTP01SolverResourceRequestMemory: quantities[1],
			HTTP01SolverResourceLimitsCPU:     quantities[2],
			HTTP01SolverResourceLimitsMemory:  quantities[3],
			ACMEHTTP01SolverRunAsNonRoot:      http01.SolverRunAsNonRoot,
			HTTP01SolverRuntimeClassName:      http01.SolverRuntimeClassName,
			HTTP01SolverNameservers:           http01.SolverNameservers,
			HTTP01SolverExtraLabels:           http01.SolverExtraLabels,
			DNS01Nameservers:                  nameservers,
			DNS01CheckAuthoritative:           !dns01.RecursiveNameserversOnly,
			DNS01CheckRetryPeriod:             dns01.CheckRetryPeriod,
		},
		IssuerOptions: controller.IssuerOptions{
			ClusterResourceNamespace:        settings.ClusterResourceNamespace,
			ClusterIssuerAmbientCredentials: settings.ClusterIssuerAmbientCredentials,
			IssuerAmbientCredentials:        settings.IssuerAmbientCredentials,
		},
		CertificateOptions: controller.CertificateOptions{
			EnableOwnerRef:                           settings.EnableCertificateOwnerRef,
			CopiedAnnotationPrefixes:                 settings.CopiedAnnotationPrefixes,
			CertificateRequestMinimumBackoffDuration: settings.CertificateRequestMinimumBackoffDuration,
			CertificateRequestMaximumBackoffDuration: settings.CertificateRequestMaximumBackoffDuration,
		},
		SchedulerOptions: controller.SchedulerOptions{MaxConcurrentChallenges: settings.MaxConcurrentChallenges},
	}, nil
}
