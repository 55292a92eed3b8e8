// Command webhook serves cert-manager's admission webhooks, put together from the module's own libraries. Upstream's
// command of the same name is in a nested module that has no published versions. The configuration is upstream's
// WebhookConfiguration file; there are no other flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/cert-manager/cert-manager/internal/apis/config/webhook/validation"
	"github.com/cert-manager/cert-manager/internal/webhook"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	files "github.com/cert-manager/cert-manager/pkg/util/configfile"
	features "github.com/cert-manager/cert-manager/pkg/util/feature"
	"github.com/cert-manager/cert-manager/pkg/webhook/configfile"
)

func main() {
	file := flag.String("config", "", "file with a WebhookConfiguration")
	flag.Parse()
	logf.InitLogs()
	ctrl.SetLogger(logf.Log)
	defer logf.FlushLogs()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx = logf.NewContext(ctx, logf.Log, "webhook")
	if err := run(ctx, *file); err != nil && !errors.Is(err, context.Canceled) {
		logf.Log.Error(err, "the webhook ended")
		logf.FlushLogs()
		os.Exit(1)
	}
}

func run(ctx context.Context, file string) error {
	loader, err := files.NewConfigurationFSLoader(nil, file)
	if err != nil {
		return err
	}
	loaded := configfile.New()
	if err := loader.Load(loaded); err != nil {
		return err
	}
	settings := loaded.Config
	if err := features.DefaultMutableFeatureGate.SetFromMap(settings.FeatureGates); err != nil {
		return err
	}
	if problems := validation.ValidateWebhookConfiguration(settings, nil); len(problems) > 0 {
		return fmt.Errorf("%s: %w", file, problems.ToAggregate())
	}
	if err := logf.ValidateAndApply(&settings.Logging); err != nil {
		return err
	}
	log := logf.FromContext(ctx)
	log.Info("starting cert-manager webhook", "version", util.VersionInfo().GitVersion)
	server, err := webhook.NewCertManagerWebhookServer(log, *settings)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}
