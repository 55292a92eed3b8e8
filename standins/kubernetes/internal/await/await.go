// Package await waits until an object does what it was made for: a Deployment has its pods, a claim its volume, a
// deleted object is gone. It watches and does not poll, so that an object that is ready costs nothing more than the
// answer that created it.
package await

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"groundwork.dev/standins/kubernetes/internal/kube"
)

// Error is an await that did not end well: the object is there, but not as it should be.
type Error struct {
	Summary string
	Reasons []string // what the cluster says about it: conditions, pods, events
	Object  *unstructured.Unstructured
}

func (e *Error) Error() string { return e.Summary }

// verdict is what a check makes of an object as it is now.
type verdict struct {
	ready bool
	// progress is one line on what is missing.
	progress string
	// failed is why it cannot become ready any more; empty while there is hope.
	failed string
	// again asks for another look after this time even if nothing changes.
	again time.Duration
}

func done() verdict { return verdict{ready: true} }
func waiting(format string, args ...any) verdict {
	return verdict{progress: fmt.Sprintf(format, args...)}
}
func hopeless(format string, args ...any) verdict {
	return verdict{failed: fmt.Sprintf(format, args...)}
}
func plural(n int64, one string) string {
	return fmt.Sprintf("%d %s%s", n, one, map[bool]string{true: "", false: "s"}[n == 1])
}
func quoted(obj *unstructured.Unstructured) string {
	return fmt.Sprintf("%s %q", obj.GetKind(), obj.GetName())
}
func minutes(d time.Duration) string { return d.Round(time.Second).String() }

// check judges an object. It may read related objects through the waiter.
type check func(ctx context.Context, w *Waiter, obj *unstructured.Unstructured) (verdict, error)

// Waiter waits for one object.
type Waiter struct {
	Client *kube.Client
	// Status shows a line of progress; it may be called with the same line again.
	Status func(string)
	// Updating is whether the object existed before this operation.
	Updating bool

	started time.Time
}

// Ready waits until the object is ready, as its kind or its pulumi.com/waitFor annotation has it, and returns it as it
// then is. On timeout or cancellation the error is an *Error with the reasons that the cluster gives.
func (w *Waiter) Ready(ctx context.Context, obj *unstructured.Unstructured, timeout time.Duration) (*unstructured.Unstructured, error) {
	test, err := checkFor(obj)
	if err != nil || test == nil {
		return obj, err
	}
	w.started = time.Now()
	within, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	last := obj
	err = w.follow(within, obj, true, func(current *unstructured.Unstructured) (bool, time.Duration, error) {
		if current == nil {
			return false, 0, &Error{Summary: quoted(obj) + " was deleted while waiting for it to become ready", Object: last}
		}
		last = current
		v, err := test(within, w, current)
		switch {
		case err != nil:
			return false, 0, err
		case v.failed != "":
			return false, 0, &Error{Summary: quoted(obj) + " failed: " + v.failed, Object: current}
		case v.ready:
			return true, 0, nil
		}
		w.Status(v.progress)
		return false, v.again, nil
	})
	var known *Error
	switch {
	case err == nil:
		w.Status("")
		return last, nil
	case errors.As(err, &known):
	case ctx.Err() != nil:
		known = &Error{Summary: "the operation was cancelled while waiting for " + quoted(obj), Object: last}
	case within.Err() != nil:
		known = &Error{Summary: fmt.Sprintf("%s timed out: not ready after %s", quoted(obj), minutes(timeout)), Object: last}
	default:
		known = &Error{Summary: fmt.Sprintf("waiting for %s: %v", quoted(obj), err), Object: last}
	}
	known.Reasons = append(known.Reasons, w.explain(obj, test, last)...)
	return last, known
}

// Check judges an object once, for a refresh. It is nil if the object is ready or its kind needs no waiting.
func (w *Waiter) Check(ctx context.Context, obj *unstructured.Unstructured) error {
	test, err := checkFor(obj)
	if err != nil || test == nil || !checkedOnRead[obj.GetKind()] {
		return nil
	}
	// A refresh does not sit out the time in which things settle.
	w.started, w.Updating = time.Time{}, true
	v, err := test(ctx, w, obj)
	if err != nil || v.ready {
		return nil
	}
	return &Error{Summary: quoted(obj) + " is not ready", Reasons: w.explain(obj, test, obj), Object: obj}
}

// related are namespaces' objects whose changes also make a check worth repeating.
type relatedWatch struct {
	client dynamic.ResourceInterface
	labels string
}

// follow calls step with the object as it is, at first and after each change, until step says that it is done or fails.
// A nil object means that it is gone. known is whether obj is fresh enough for the first step.
func (w *Waiter) follow(
	ctx context.Context, obj *unstructured.Unstructured, known bool,
	step func(*unstructured.Unstructured) (bool, time.Duration, error),
) error {
	client, err := w.Client.For(obj)
	if err != nil {
		return err
	}
	current := obj
	if known {
		if finished, _, err := step(current); finished || err != nil {
			return err
		}
	}
	related := w.related(obj)
	for {
		// One round is one watch: the server ends watches after some minutes, and connections break.
		if err := kube.Retry(ctx, kube.Transient, func() error {
			var err error
			current, err = client.Get(ctx, obj.GetName(), metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				current, err = nil, nil
			}
			return err
		}); err != nil {
			return err
		}
		finished, err := w.round(ctx, client, related, obj, current, step)
		if finished || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// round steps through the changes that one watch brings.
func (w *Waiter) round(
	ctx context.Context, client dynamic.ResourceInterface, related *relatedWatch, obj, current *unstructured.Unstructured,
	step func(*unstructured.Unstructured) (bool, time.Duration, error),
) (bool, error) {
	options := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", obj.GetName()).String()}
	if current != nil {
		options.ResourceVersion = current.GetResourceVersion()
	}
	finished, again, err := step(current)
	if finished || err != nil {
		return finished, err
	}
	stream, err := client.Watch(ctx, options)
	if err != nil {
		if kube.IsTransient(err) || apierrors.IsGone(err) || apierrors.IsResourceExpired(err) {
			return false, nil
		}
		return false, err
	}
	defer stream.Stop()
	var others <-chan watch.Event
	if related != nil {
		if s, err := related.client.Watch(ctx, metav1.ListOptions{LabelSelector: related.labels}); err == nil {
			defer s.Stop()
			others = s.ResultChan()
		}
	}
	for {
		// Without any event the object is looked at again now and then: checks may depend on time or on other objects.
		pause := 5 * time.Second
		if again > 0 {
			pause = again
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false, ctx.Err()
		case event, open := <-stream.ResultChan():
			timer.Stop()
			if !open {
				return false, nil
			}
			switch changed, isObject := event.Object.(*unstructured.Unstructured); {
			case event.Type == watch.Error, !isObject:
				return false, nil
			case event.Type == watch.Deleted:
				current = nil
			case event.Type == watch.Added, event.Type == watch.Modified:
				current = changed
			default:
				continue
			}
		case _, open := <-others:
			timer.Stop()
			if !open {
				others = nil
			}
		case <-timer.C:
			if again == 0 {
				return false, nil
			}
		}
		if finished, again, err = step(current); finished || err != nil {
			return finished, err
		}
	}
}
