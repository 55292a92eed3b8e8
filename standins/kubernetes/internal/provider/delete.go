package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/urn"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/emptypb"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"groundwork.dev/standins/kubernetes/internal/await"
	"groundwork.dev/standins/kubernetes/internal/kube"
	"groundwork.dev/standins/kubernetes/internal/object"
)

// Delete deletes the object, dependents first, and waits until it is gone. A kind or object that is not there counts as
// deleted. A patch resource only gives up its fields.
func (p *Provider) Delete(ctx context.Context, req *pulumirpc.DeleteRequest) (*emptypb.Empty, error) {
	ctx, stop := p.working(ctx)
	defer stop()
	state, err := read(req.GetProperties())
	if err != nil {
		return nil, err
	}
	inputs, live := parseCheckpoint(state)
	if p.config.renderTo != "" {
		return &emptypb.Empty{}, p.unrender(live)
	}
	if p.unreachable != "" {
		p.log.Warn(ctx, req.GetUrn(), "the Kubernetes cluster cannot be used: "+p.unreachable)
		if p.config.deleteUnreachable {
			return &emptypb.Empty{}, nil
		}
		return nil, errors.New("nothing can be deleted while the cluster is unreachable. If the cluster is gone, run again with " +
			"PULUMI_K8S_DELETE_UNREACHABLE=true to drop its resources from the state")
	}
	client, err := p.client(ctx, live)
	if gone(err) {
		return &emptypb.Empty{}, nil
	}
	if err != nil {
		return nil, err
	}
	manager := p.fieldManager(req.GetUrn(), state, inputs)
	if isPatch(urn.URN(req.GetUrn()), live.GetKind()) {
		return &emptypb.Empty{}, relinquished(kube.Relinquish(ctx, client, live, manager))
	}
	name := req.GetId()
	if _, after, ok := strings.Cut(name, "/"); ok {
		name = after
	}
	policy := object.Propagation(inputs)
	options := metav1.DeleteOptions{PropagationPolicy: &policy}
	err = kube.Retry(ctx, kube.Transient, func() error { return client.Delete(ctx, name, options) })
	if gone(err) {
		return &emptypb.Empty{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("deleting %s %q: %w", live.GetKind(), name, err)
	}
	if object.IsCRD(live) {
		defer p.cluster.Forget()
	}
	waitErr := p.waiter(ctx, req.GetUrn(), true).Gone(ctx, live, inputs, object.Timeout(req.GetTimeout(), inputs))
	if waitErr == nil {
		return &emptypb.Empty{}, nil
	}
	last := live
	var failed *await.Error
	if errors.As(waitErr, &failed) && failed.Object != nil {
		last = failed.Object
	}
	out, err := p.write(checkpoint(inputs, last, state, initialVersion(state, inputs), manager))
	if err != nil {
		return nil, err
	}
	return nil, partial(identifier(last), waitErr.Error(), waitErr, out, nil)
}

func gone(err error) bool { return kube.IsNoMatch(err) || apierrors.IsNotFound(err) }

// relinquished explains why a patch cannot be taken back.
func relinquished(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	if apierrors.IsInvalid(err) && strings.Contains(err.Error(), "Required value") {
		return fmt.Errorf("this patch owns a field that the object needs: set retainOnDelete, or let another manager own the field first: %w", err)
	}
	return err
}
