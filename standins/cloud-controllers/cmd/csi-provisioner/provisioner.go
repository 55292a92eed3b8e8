package main

import (
	"context"
	"fmt"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/sig-storage-lib-external-provisioner/v13/controller"
)

// Parameters of a storage class that name the Secret which kubelets hand to the driver.
const (
	secretName      = "csi.storage.k8s.io/node-publish-secret-name"
	secretNamespace = "csi.storage.k8s.io/node-publish-secret-namespace"
)

type provisioner struct {
	client       kubernetes.Interface
	driver       csi.ControllerClient
	name, format string
}

func newProvisioner(client kubernetes.Interface, connection *grpc.ClientConn, name, format string) *provisioner {
	return &provisioner{client: client, driver: csi.NewControllerClient(connection), name: name, format: format}
}

func (p *provisioner) SupportsBlock(context.Context) bool { return true }

func (p *provisioner) Provision(ctx context.Context, options controller.ProvisionOptions) (*v1.PersistentVolume, controller.ProvisioningState, error) {
	claim := options.PVC
	place, err := p.placeOf(ctx, options.SelectedNodeName)
	if err != nil {
		return nil, controller.ProvisioningNoChange, err
	}
	size := claim.Spec.Resources.Requests[v1.ResourceStorage]
	block := claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode == v1.PersistentVolumeBlock
	answer, err := p.driver.CreateVolume(ctx, &csi.CreateVolumeRequest{
		Name:               options.PVName,
		CapacityRange:      &csi.CapacityRange{RequiredBytes: size.Value()},
		VolumeCapabilities: []*csi.VolumeCapability{p.capability(block)},
		Parameters: map[string]string{
			"csi.storage.k8s.io/pvc/name":      claim.Name,
			"csi.storage.k8s.io/pvc/namespace": claim.Namespace,
			"csi.storage.k8s.io/pv/name":       options.PVName,
		},
		AccessibilityRequirements: place,
	})
	if err != nil {
		return nil, stateOf(err), err
	}
	volume := answer.GetVolume()
	source := &v1.CSIPersistentVolumeSource{
		Driver:           p.name,
		VolumeHandle:     volume.GetVolumeId(),
		VolumeAttributes: volume.GetVolumeContext(),
	}
	if !block {
		source.FSType = p.format
	}
	if parameters := options.StorageClass.Parameters; parameters[secretName] != "" {
		source.NodePublishSecretRef = &v1.SecretReference{Name: parameters[secretName], Namespace: parameters[secretNamespace]}
	}
	return &v1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: options.PVName},
		Spec: v1.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      v1.ResourceList{v1.ResourceStorage: *resource.NewQuantity(volume.GetCapacityBytes(), resource.BinarySI)},
			MountOptions:                  options.StorageClass.MountOptions,
			PersistentVolumeReclaimPolicy: *options.StorageClass.ReclaimPolicy,
			PersistentVolumeSource:        v1.PersistentVolumeSource{CSI: source},
			VolumeMode:                    claim.Spec.VolumeMode,
			NodeAffinity:                  affinityOf(volume.GetAccessibleTopology()),
		},
	}, controller.ProvisioningFinished, nil
}

func (p *provisioner) Delete(ctx context.Context, volume *v1.PersistentVolume) error {
	if volume.Spec.CSI == nil || volume.Spec.CSI.Driver != p.name {
		return &controller.IgnoredError{Reason: "it is another driver's"}
	}
	_, err := p.driver.DeleteVolume(ctx, &csi.DeleteVolumeRequest{VolumeId: volume.Spec.CSI.VolumeHandle})
	return err
}

func (p *provisioner) capability(block bool) *csi.VolumeCapability {
	mode := &csi.VolumeCapability_AccessMode{Mode: csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER}
	if block {
		return &csi.VolumeCapability{AccessMode: mode, AccessType: &csi.VolumeCapability_Block{Block: &csi.VolumeCapability_BlockVolume{}}}
	}
	mount := &csi.VolumeCapability_MountVolume{FsType: p.format}
	return &csi.VolumeCapability{AccessMode: mode, AccessType: &csi.VolumeCapability_Mount{Mount: mount}}
}

// placeOf asks for the place of the node that the scheduler chose, by the keys that the driver has told of it.
func (p *provisioner) placeOf(ctx context.Context, name string) (*csi.TopologyRequirement, error) {
	if name == "" {
		return nil, nil
	}
	drivers, err := p.client.StorageV1().CSINodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	node, err := p.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	for _, driver := range drivers.Spec.Drivers {
		if driver.Name != p.name {
			continue
		}
		segments := map[string]string{}
		for _, key := range driver.TopologyKeys {
			segments[key] = node.Labels[key]
		}
		place := []*csi.Topology{{Segments: segments}}
		return &csi.TopologyRequirement{Requisite: place, Preferred: place}, nil
	}
	return nil, fmt.Errorf("the driver is not registered on node %s yet", name)
}

// affinityOf says which nodes can reach a volume.
func affinityOf(places []*csi.Topology) *v1.VolumeNodeAffinity {
	var terms []v1.NodeSelectorTerm
	for _, place := range places {
		var expressions []v1.NodeSelectorRequirement
		for key, value := range place.GetSegments() {
			expressions = append(expressions, v1.NodeSelectorRequirement{Key: key, Operator: v1.NodeSelectorOpIn, Values: []string{value}})
		}
		terms = append(terms, v1.NodeSelectorTerm{MatchExpressions: expressions})
	}
	if terms == nil {
		return nil
	}
	return &v1.VolumeNodeAffinity{Required: &v1.NodeSelector{NodeSelectorTerms: terms}}
}

// stateOf tells errors after which a volume may be in the making from those after which there is none.
func stateOf(err error) controller.ProvisioningState {
	switch status.Code(err) {
	case codes.Canceled, codes.DeadlineExceeded, codes.Unavailable, codes.ResourceExhausted, codes.Aborted:
		return controller.ProvisioningInBackground
	default:
		return controller.ProvisioningFinished
	}
}
