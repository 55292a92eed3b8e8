package volumes

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/mount-utils"
	"k8s.io/utils/exec"
)

// Node formats, mounts and grows the file systems of volumes that are attached to its machine.
type Node struct {
	csi.UnimplementedNodeServer
	// ID is the server's, and Location its place.
	ID, Location string
	mounter      *mount.SafeFormatAndMount
}

// NewNode makes the node's half.
func NewNode(id, location string) *Node {
	return &Node{ID: id, Location: location, mounter: mount.NewSafeFormatAndMount(mount.NewWithoutSystemd(""), exec.New())}
}

func (n *Node) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	place := &csi.Topology{Segments: map[string]string{location: n.Location}}
	return &csi.NodeGetInfoResponse{NodeId: n.ID, MaxVolumesPerNode: most, AccessibleTopology: place}, nil
}

func (n *Node) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	var can []*csi.NodeServiceCapability
	for _, kind := range []csi.NodeServiceCapability_RPC_Type{
		csi.NodeServiceCapability_RPC_EXPAND_VOLUME,
		csi.NodeServiceCapability_RPC_GET_VOLUME_STATS,
	} {
		can = append(can, &csi.NodeServiceCapability{Type: &csi.NodeServiceCapability_Rpc{
			Rpc: &csi.NodeServiceCapability_RPC{Type: kind},
		}})
	}
	return &csi.NodeGetCapabilitiesResponse{Capabilities: can}, nil
}

func (n *Node) NodePublishVolume(_ context.Context, request *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	device, target := request.GetPublishContext()["devicePath"], request.GetTargetPath()
	if device == "" || target == "" {
		return nil, status.Error(codes.InvalidArgument, "the device or the target is missing")
	}
	if request.GetSecrets()["encryption-passphrase"] != "" {
		return nil, status.Error(codes.FailedPrecondition, "this stand-in can't encrypt volumes: set cloud.volumes.encrypted to false")
	}
	if err := present(device); err != nil {
		return nil, status.Errorf(codes.Internal, "device %s: %v", device, err)
	}
	if done, err := n.mounter.IsMountPoint(target); done || (err != nil && !errors.Is(err, fs.ErrNotExist)) {
		return &csi.NodePublishVolumeResponse{}, internal(err)
	}
	var options []string
	if request.GetReadonly() {
		options = append(options, "ro")
	}
	if request.GetVolumeCapability().GetBlock() != nil {
		if err := touch(target); err != nil {
			return nil, internal(err)
		}
		return &csi.NodePublishVolumeResponse{}, internal(n.mounter.Mount(device, target, "", append(options, "bind")))
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, internal(err)
	}
	kind := request.GetVolumeCapability().GetMount()
	system := kind.GetFsType()
	if system == "" {
		system = "ext4"
	}
	return &csi.NodePublishVolumeResponse{}, internal(n.mounter.FormatAndMount(device, target, system, append(options, kind.GetMountFlags()...)))
}

func (n *Node) NodeUnpublishVolume(_ context.Context, request *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	if request.GetTargetPath() == "" {
		return nil, status.Error(codes.InvalidArgument, "the target is missing")
	}
	return &csi.NodeUnpublishVolumeResponse{}, internal(mount.CleanupMountPoint(request.GetTargetPath(), n.mounter, true))
}

func (n *Node) NodeExpandVolume(_ context.Context, request *csi.NodeExpandVolumeRequest) (*csi.NodeExpandVolumeResponse, error) {
	if request.GetVolumeCapability().GetBlock() != nil {
		return &csi.NodeExpandVolumeResponse{}, nil
	}
	device, _, err := mount.GetDeviceNameFromMount(n.mounter, request.GetVolumePath())
	if err != nil || device == "" {
		return nil, status.Errorf(codes.NotFound, "nothing is mounted at %s: %v", request.GetVolumePath(), err)
	}
	_, err = mount.NewResizeFs(n.mounter.Exec).Resize(device, request.GetVolumePath())
	return &csi.NodeExpandVolumeResponse{}, internal(err)
}

func (n *Node) NodeGetVolumeStats(_ context.Context, request *csi.NodeGetVolumeStatsRequest) (*csi.NodeGetVolumeStatsResponse, error) {
	var found syscall.Statfs_t
	if err := syscall.Statfs(request.GetVolumePath(), &found); err != nil {
		return nil, status.Errorf(codes.NotFound, "%s: %v", request.GetVolumePath(), err)
	}
	block := int64(found.Bsize)
	bytes := &csi.VolumeUsage{
		Unit: csi.VolumeUsage_BYTES, Total: int64(found.Blocks) * block,
		Available: int64(found.Bavail) * block, Used: int64(found.Blocks-found.Bfree) * block,
	}
	inodes := &csi.VolumeUsage{
		Unit: csi.VolumeUsage_INODES, Total: int64(found.Files),
		Available: int64(found.Ffree), Used: int64(found.Files - found.Ffree),
	}
	return &csi.NodeGetVolumeStatsResponse{Usage: []*csi.VolumeUsage{bytes, inodes}}, nil
}

// present waits for a device that was just attached: without, it would pass for one without a file system.
func present(device string) error {
	var err error
	for range 20 {
		if _, err = os.Stat(device); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
	return err
}

// touch makes the file that a block device is mounted on.
func touch(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE, 0o660)
	if err != nil {
		return err
	}
	return file.Close()
}

func internal(err error) error {
	if err == nil {
		return nil
	}
	return status.Error(codes.Internal, err.Error())
}
