package agent

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// hasSysResource tells whether the process may lower oom_score_adj and raise limits; inside some containers not.
func hasSysResource() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0
}

// prepareHost sets what K3s sets on a machine: forwarding, bridged packets through iptables, and inotify limits that
// a node full of pods needs. What can't be written must already hold.
func prepareHost(log io.Writer) error {
	if err := writableCgroups(); err != nil {
		fmt.Fprintf(log, "cgroups: %v\n", err)
	}
	for _, module := range []string{"overlay", "nf_conntrack", "br_netfilter", "iptable_nat", "iptable_filter"} {
		_ = exec.Command("modprobe", module).Run() // built in, or loaded outside the container
	}
	for _, s := range []struct {
		name, value string
		must        bool
	}{
		{"net/ipv4/ip_forward", "1", true},
		{"net/ipv4/conf/all/forwarding", "1", true},
		{"net/bridge/bridge-nf-call-iptables", "1", true},
		{"fs/inotify/max_user_instances", "8192", false},
		{"fs/inotify/max_user_watches", "524288", false},
	} {
		file := filepath.Join("/proc/sys", s.name)
		now, err := os.ReadFile(file)
		if err == nil && atLeast(strings.TrimSpace(string(now)), s.value) {
			continue
		}
		if err == nil {
			err = os.WriteFile(file, []byte(s.value), 0o644)
		}
		if err != nil && s.must {
			return fmt.Errorf("sysctl %s must be %s: %w", s.name, s.value, err)
		}
	}
	return nil
}

func atLeast(now, want string) bool {
	return len(now) > len(want) || (len(now) == len(want) && now >= want)
}

// writableCgroups makes cgroup v1 controllers writable that a container manager mounted read-only: the machine has its
// own part of each, and the kubelet makes its folders there.
func writableCgroups() error {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		m := strings.Fields(s.Text())
		if len(m) < 4 || m[2] != "cgroup" || !strings.HasPrefix(m[1], "/sys/fs/cgroup/") || strings.Contains(m[3], "name=systemd") {
			continue
		}
		if !strings.HasPrefix(m[3], "ro,") && m[3] != "ro" {
			continue
		}
		if err := unix.Mount("", m[1], "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return fmt.Errorf("%s is read-only: %w", m[1], err)
		}
	}
	return s.Err()
}

func registered(ctx context.Context, client kubernetes.Interface, node string) bool {
	_, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
	return err == nil
}
