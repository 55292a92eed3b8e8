package server

import (
	"context"
	"os"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// dropOwnLeases deletes leader leases that this machine's own dead processes still hold: a server that comes back after
// a hard stop would otherwise do nothing until they end.
func (s *Server) dropOwnLeases(ctx context.Context, names []string) error {
	rest, err := clientcmd.BuildConfigFromFlags("", s.Config.Server("cred", "supervisor.kubeconfig"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(rest)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	leases := client.CoordinationV1().Leases("kube-system")
	for _, name := range names {
		l, err := leases.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		} else if err != nil {
			return err
		}
		// An identity is the host's name and a random part.
		if l.Spec.HolderIdentity == nil || !strings.HasPrefix(*l.Spec.HolderIdentity, host+"_") {
			continue
		}
		if err := leases.Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{ResourceVersion: &l.ResourceVersion}}); err != nil {
			return err
		}
	}
	return nil
}
