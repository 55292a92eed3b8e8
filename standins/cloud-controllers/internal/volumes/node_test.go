package volumes

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// device makes a block device of a file, which takes root; `grow` makes it larger as the cloud does.
func device(t *testing.T, mebibytes int64) (path string, grow func(int64)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting takes root")
	}
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, mebibytes<<20); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "--find", "--show", file).CombinedOutput()
	if err != nil {
		t.Skipf("no loop device: %s", out)
	}
	path = strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", path).Run() })
	return path, func(mebibytes int64) {
		if err := os.Truncate(file, mebibytes<<20); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("losetup", "--set-capacity", path).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

func TestAVolumeIsFormattedOnceMountedGrownAndLetGo(t *testing.T) {
	disk, grow := device(t, 32)
	ctx := context.Background()
	node := NewNode("42", "fsn1")
	target := filepath.Join(t.TempDir(), "pod", "mount")
	mounted := &csi.VolumeCapability{AccessType: &csi.VolumeCapability_Mount{Mount: &csi.VolumeCapability_MountVolume{FsType: "ext4"}}}
	publish := &csi.NodePublishVolumeRequest{
		VolumeId: "1", TargetPath: target, VolumeCapability: mounted, PublishContext: map[string]string{"devicePath": disk},
	}
	unpublish := &csi.NodeUnpublishVolumeRequest{VolumeId: "1", TargetPath: target}
	t.Cleanup(func() { _, _ = node.NodeUnpublishVolume(ctx, unpublish) })
	// Twice, as the kubelet may ask again.
	for range 2 {
		if _, err := node.NodePublishVolume(ctx, publish); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(target, "kept"), []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	total := func() int64 {
		stats, err := node.NodeGetVolumeStats(ctx, &csi.NodeGetVolumeStatsRequest{VolumeId: "1", VolumePath: target})
		if err != nil {
			t.Fatal(err)
		}
		return stats.GetUsage()[0].GetTotal()
	}
	before := total()
	grow(64)
	expand := &csi.NodeExpandVolumeRequest{VolumeId: "1", VolumePath: target, VolumeCapability: mounted}
	switch _, err := node.NodeExpandVolume(ctx, expand); {
	case err != nil && strings.Contains(err.Error(), "Permission denied to resize"):
		t.Log("not grown: this root has no CAP_SYS_RESOURCE, which growing a mounted file system takes")
	case err != nil:
		t.Fatal(err)
	case total() < before*3/2:
		t.Errorf("the file system had %d bytes and has %d after it was grown to twice its device", before, total())
	}
	for range 2 {
		if _, err := node.NodeUnpublishVolume(ctx, unpublish); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(target); !os.IsNotExist(err) {
		t.Errorf("the target is still there: %v", err)
	}
	if _, err := node.NodePublishVolume(ctx, publish); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(filepath.Join(target, "kept")); string(kept) != "data" {
		t.Errorf("what was written is gone: %v", err)
	}
}

func TestAnEncryptedVolumeIsRefusedAndNotFormatted(t *testing.T) {
	_, err := NewNode("42", "fsn1").NodePublishVolume(context.Background(), &csi.NodePublishVolumeRequest{
		VolumeId: "1", TargetPath: t.TempDir(), PublishContext: map[string]string{"devicePath": "/dev/null"},
		Secrets: map[string]string{"encryption-passphrase": "hidden"},
	})
	if status.Code(err) != codes.FailedPrecondition || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
}
