package volumes

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	gibibyte = 1 << 30
	// smallest is the cloud's least size of a volume, in GB as it counts them (they are GiB).
	smallest = 10
)

// Controller makes, attaches and grows volumes by the cloud's API.
type Controller struct {
	csi.UnimplementedControllerServer
	Client *hcloud.Client
	// Location is where volumes are made for claims that name no place.
	Location string
	// Labels are put on every volume that is made.
	Labels map[string]string
}

func (c *Controller) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	var can []*csi.ControllerServiceCapability
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_PUBLISH_UNPUBLISH_VOLUME,
		csi.ControllerServiceCapability_RPC_EXPAND_VOLUME,
	} {
		can = append(can, &csi.ControllerServiceCapability{Type: &csi.ControllerServiceCapability_Rpc{
			Rpc: &csi.ControllerServiceCapability_RPC{Type: kind},
		}})
	}
	return &csi.ControllerGetCapabilitiesResponse{Capabilities: can}, nil
}

func (c *Controller) CreateVolume(ctx context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	size, err := sizeOf(request.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	if reason := refuses(request.GetVolumeCapabilities()); reason != "" {
		return nil, status.Error(codes.InvalidArgument, reason)
	}
	where := c.Location
	if wanted := request.GetAccessibilityRequirements(); wanted != nil {
		for _, place := range append(wanted.GetPreferred(), wanted.GetRequisite()...) {
			if named := place.GetSegments()[location]; named != "" {
				where = named
				break
			}
		}
	}
	// The name is the claim's own: a call that is made again finds what the first one made.
	volume, _, err := c.Client.Volume.GetByName(ctx, request.GetName())
	if err != nil {
		return nil, translate(err)
	}
	if volume == nil {
		labels := map[string]string{"managed-by": "csi-driver"}
		maps.Copy(labels, c.Labels)
		for key, label := range map[string]string{"pvc/name": "pvc-name", "pvc/namespace": "pvc-namespace", "pv/name": "pv-name"} {
			if value := request.GetParameters()["csi.storage.k8s.io/"+key]; value != "" {
				labels[label] = labelled(value)
			}
		}
		made, _, err := c.Client.Volume.Create(ctx, hcloud.VolumeCreateOpts{
			Name: request.GetName(), Size: size, Location: &hcloud.Location{Name: where}, Labels: labels,
		})
		if err != nil {
			return nil, translate(err)
		}
		if err := c.Client.Action.WaitFor(ctx, append(made.NextActions, made.Action)...); err != nil {
			return nil, translate(err)
		}
		volume = made.Volume
	}
	if volume.Size < size || volume.Location.Name != where {
		return nil, status.Errorf(codes.AlreadyExists, "volume %s is there with %d GB in %s", volume.Name, volume.Size, volume.Location.Name)
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId:           strconv.FormatInt(volume.ID, 10),
		CapacityBytes:      int64(volume.Size) * gibibyte,
		AccessibleTopology: []*csi.Topology{{Segments: map[string]string{location: volume.Location.Name}}},
	}}, nil
}

func (c *Controller) DeleteVolume(ctx context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	volume, err := c.find(ctx, request.GetVolumeId())
	if volume == nil || err != nil {
		return &csi.DeleteVolumeResponse{}, err
	}
	if volume.Server != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "volume %s is still attached to server %d", volume.Name, volume.Server.ID)
	}
	_, err = c.Client.Volume.Delete(ctx, volume)
	if hcloud.IsError(err, hcloud.ErrorCodeNotFound) {
		err = nil
	}
	return &csi.DeleteVolumeResponse{}, translate(err)
}

func (c *Controller) ControllerPublishVolume(ctx context.Context, request *csi.ControllerPublishVolumeRequest) (*csi.ControllerPublishVolumeResponse, error) {
	volume, err := c.find(ctx, request.GetVolumeId())
	if err != nil {
		return nil, err
	}
	id, err := strconv.ParseInt(request.GetNodeId(), 10, 64)
	if volume == nil || err != nil {
		return nil, status.Errorf(codes.NotFound, "no volume %s, or no server %q", request.GetVolumeId(), request.GetNodeId())
	}
	if volume.Server == nil {
		action, _, err := c.Client.Volume.Attach(ctx, volume, &hcloud.Server{ID: id})
		if err == nil {
			err = c.Client.Action.WaitFor(ctx, action)
		}
		if err != nil {
			return nil, translate(err)
		}
		if volume, err = c.find(ctx, request.GetVolumeId()); err != nil || volume == nil {
			return nil, status.Errorf(codes.NotFound, "volume %s has gone meanwhile: %v", request.GetVolumeId(), err)
		}
	}
	if volume.Server == nil || volume.Server.ID != id {
		return nil, status.Errorf(codes.FailedPrecondition, "volume %s is attached to another server", volume.Name)
	}
	return &csi.ControllerPublishVolumeResponse{PublishContext: map[string]string{"devicePath": volume.LinuxDevice}}, nil
}

func (c *Controller) ControllerUnpublishVolume(ctx context.Context, request *csi.ControllerUnpublishVolumeRequest) (*csi.ControllerUnpublishVolumeResponse, error) {
	volume, err := c.find(ctx, request.GetVolumeId())
	elsewhere := volume != nil && volume.Server != nil && strconv.FormatInt(volume.Server.ID, 10) != request.GetNodeId()
	if err != nil || volume == nil || volume.Server == nil || elsewhere {
		return &csi.ControllerUnpublishVolumeResponse{}, err
	}
	action, _, err := c.Client.Volume.Detach(ctx, volume)
	if err == nil {
		err = c.Client.Action.WaitFor(ctx, action)
	}
	return &csi.ControllerUnpublishVolumeResponse{}, translate(err)
}

func (c *Controller) ControllerExpandVolume(ctx context.Context, request *csi.ControllerExpandVolumeRequest) (*csi.ControllerExpandVolumeResponse, error) {
	size, err := sizeOf(request.GetCapacityRange())
	if err != nil {
		return nil, err
	}
	volume, err := c.find(ctx, request.GetVolumeId())
	if err != nil || volume == nil {
		return nil, status.Errorf(codes.NotFound, "no volume %s: %v", request.GetVolumeId(), err)
	}
	if volume.Size < size {
		action, _, err := c.Client.Volume.Resize(ctx, volume, size)
		if err == nil {
			err = c.Client.Action.WaitFor(ctx, action)
		}
		if err != nil {
			return nil, translate(err)
		}
	}
	block := request.GetVolumeCapability().GetBlock() != nil
	return &csi.ControllerExpandVolumeResponse{CapacityBytes: int64(max(size, volume.Size)) * gibibyte, NodeExpansionRequired: !block}, nil
}

func (c *Controller) ValidateVolumeCapabilities(ctx context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	volume, err := c.find(ctx, request.GetVolumeId())
	if err != nil || volume == nil {
		return nil, status.Errorf(codes.NotFound, "no volume %s: %v", request.GetVolumeId(), err)
	}
	if reason := refuses(request.GetVolumeCapabilities()); reason != "" {
		return &csi.ValidateVolumeCapabilitiesResponse{Message: reason}, nil
	}
	return &csi.ValidateVolumeCapabilitiesResponse{Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{
		VolumeCapabilities: request.GetVolumeCapabilities(),
	}}, nil
}

// find gives a volume; nil where there is none of that id, which may be no id at all.
func (c *Controller) find(ctx context.Context, text string) (*hcloud.Volume, error) {
	if text == "" {
		return nil, status.Error(codes.InvalidArgument, "the volume's id is missing")
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, nil
	}
	volume, _, err := c.Client.Volume.GetByID(ctx, id)
	return volume, translate(err)
}

// sizeOf rounds up to whole units of the cloud.
func sizeOf(wanted *csi.CapacityRange) (int, error) {
	size := max(smallest, int((wanted.GetRequiredBytes()+gibibyte-1)/gibibyte))
	if limit := wanted.GetLimitBytes(); limit > 0 && int64(size)*gibibyte > limit {
		return 0, status.Errorf(codes.OutOfRange, "the smallest volume that fits has %d GB, more than the limit", size)
	}
	return size, nil
}

func refuses(capabilities []*csi.VolumeCapability) string {
	if len(capabilities) == 0 {
		return "no capability is asked for"
	}
	for _, capability := range capabilities {
		if mode := capability.GetAccessMode().GetMode(); mode != csi.VolumeCapability_AccessMode_SINGLE_NODE_WRITER {
			return fmt.Sprintf("a volume is for one node, and can't be %s", mode)
		}
	}
	return ""
}

// labelled cuts a value to what a label of the cloud may be: the end tells names apart, the beginning must be a letter.
func labelled(value string) string {
	if len(value) > 63 {
		value = strings.TrimLeft(value[len(value)-63:], "-_.")
	}
	return value
}

// translate says by a code of gRPC whether another try can help.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case hcloud.IsError(err, hcloud.ErrorCodeLocked, hcloud.ErrorCodeConflict, hcloud.ErrorCodeRateLimitExceeded):
		return status.Error(codes.Unavailable, err.Error())
	case hcloud.IsError(err, hcloud.ErrorCodeNotFound):
		return status.Error(codes.NotFound, err.Error())
	case hcloud.IsError(err, hcloud.ErrorCodeResourceLimitExceeded):
		return status.Error(codes.ResourceExhausted, err.Error())
	case hcloud.IsError(err, hcloud.ErrorCodeInvalidInput):
		return status.Error(codes.InvalidArgument, err.Error())
	default:
		return status.Error(codes.Internal, err.Error())
	}
}
