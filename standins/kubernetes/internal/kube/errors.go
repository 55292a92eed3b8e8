package kube

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// IsNoMatch is whether the server does not serve the kind.
func IsNoMatch(err error) bool { return meta.IsNoMatchError(err) }

// IsNamespaceMissing is whether a request failed because its namespace is not there (yet).
func IsNamespaceMissing(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}

// IsImmutable is whether the server refused a change because the field cannot change in place, and which fields.
func IsImmutable(err error) (fields []string, ok bool) {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return nil, false
	}
	for _, cause := range status.Status().Details.Causes {
		if strings.Contains(cause.Message, "field is immutable") {
			fields = append(fields, cause.Field)
		}
	}
	return fields, len(fields) > 0
}

// IsTransient is whether the same request may succeed a moment later: the server is starting, overloaded, losing
// connections, or an admission webhook is not serving yet.
func IsTransient(err error) bool {
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case apierrors.IsTooManyRequests(err), apierrors.IsServerTimeout(err), apierrors.IsServiceUnavailable(err),
		apierrors.IsTimeout(err), utilnet.IsConnectionReset(err), utilnet.IsConnectionRefused(err),
		utilnet.IsHTTP2ConnectionLost(err), utilnet.IsProbableEOF(err):
		return true
	case apierrors.IsInternalError(err):
		text := err.Error()
		return strings.Contains(text, "failed calling webhook") || strings.Contains(text, "etcdserver: ") ||
			strings.Contains(text, "connection refused")
	}
	var netErr net.Error
	return errors.As(err, &netErr) && netErr.Timeout()
}

// Retry calls do until it succeeds, fails for good, or has failed for longer than its kind of error is given: retryable
// says for how long an error is worth another try. The pause doubles from 100 ms to 2 s; a kind that is not served yet
// is asked for every 250 ms, since its CRD is usually only just being published.
func Retry(ctx context.Context, retryable func(error) time.Duration, do func() error) error {
	start := time.Now()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := do()
		if IsNoMatch(err) {
			pause = min(pause, 250*time.Millisecond)
		}
		if err == nil || time.Since(start)+pause > retryable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// TransientFor is how long requests are repeated against a server that will probably answer soon.
const TransientFor = 30 * time.Second

// Transient is the retryable function for plain reads and writes.
func Transient(err error) time.Duration {
	if IsTransient(err) {
		return TransientFor
	}
	return 0
}
