// Command acmesolver answers one HTTP-01 challenge of ACME, put together from cert-manager's own library. Upstream's
// command of the same name is in a nested module that has no published versions; the flags are those that the
// controller gives it.
package main

import (
	"context"
	"errors"
	"flag"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
)

func main() {
	var challenge solver.HTTP01Solver
	flag.IntVar(&challenge.ListenPort, "listen-port", 8089, "port to listen on")
	flag.StringVar(&challenge.Domain, "domain", "", "name that is being proved")
	flag.StringVar(&challenge.Token, "token", "", "token of the challenge")
	flag.StringVar(&challenge.Key, "key", "", "answer to the challenge")
	flag.Parse()
	logf.InitLogs()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = challenge.Shutdown(last)
	}()
	if err := challenge.Listen(logf.Log); err != nil && !errors.Is(err, http.ErrServerClosed) {
		logf.Log.Error(err, "the solver ended")
		os.Exit(1)
	}
}
