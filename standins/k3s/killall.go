package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// runKillall stops what a stopped service left: pods' processes, their mounts, the pod network and the firewall rules.
// It is the core of k3s-killall.sh; the script stops the service first.
func runKillall([]string) int {
	if pids := processes("/run/k3s/containerd/", "containerd-shim"); len(pids) > 0 {
		for _, p := range append(descendants(pids), pids...) {
			_ = syscall.Kill(p, syscall.SIGKILL)
		}
		time.Sleep(300 * time.Millisecond)
	}
	unmount("/run/k3s", "/var/lib/kubelet/pods", "/var/lib/kubelet/plugins", "/run/netns/cni-")
	for _, link := range []string{"cni0", "flannel.1"} {
		_ = exec.Command("ip", "link", "delete", link).Run()
	}
	netns, _ := filepath.Glob("/run/netns/cni-*")
	for _, n := range netns {
		_ = os.Remove(n)
	}
	_ = os.RemoveAll("/var/lib/cni")
	_ = os.RemoveAll("/run/k3s/containerd")
	cleanFirewall("iptables-save", "iptables-restore")
	cleanFirewall("ip6tables-save", "ip6tables-restore")
	return 0
}

// processes are those whose command line holds both parts.
func processes(parts ...string) []int {
	var out []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		line, hit := strings.ReplaceAll(string(b), "\x00", " "), true
		for _, p := range parts {
			hit = hit && strings.Contains(line, p)
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil && hit && pid != os.Getpid() {
			out = append(out, pid)
		}
	}
	return out
}

func descendants(of []int) []int {
	children := map[int][]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		_, after, ok := strings.Cut(string(b), ") ")
		fields := strings.Fields(after)
		if !ok || len(fields) < 2 {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		parent, _ := strconv.Atoi(fields[1])
		children[parent] = append(children[parent], pid)
	}
	var out []int
	for queue := of; len(queue) > 0; queue = queue[1:] {
		out = append(out, children[queue[0]]...)
		queue = append(queue, children[queue[0]]...)
	}
	return out
}

func unmount(prefixes ...string) {
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return
	}
	defer f.Close()
	var mounts []string
	s := bufio.NewScanner(f)
	for s.Scan() {
		if m := strings.Fields(s.Text()); len(m) > 1 {
			for _, p := range prefixes {
				if strings.HasPrefix(m[1], p) {
					mounts = append(mounts, m[1])
				}
			}
		}
	}
	sort.Sort(sort.Reverse(sort.StringSlice(mounts)))
	for _, m := range mounts {
		if syscall.Unmount(m, 0) != nil {
			_ = syscall.Unmount(m, syscall.MNT_DETACH)
		}
	}
}

// cleanFirewall drops every rule and chain of Kubernetes, CNI and this node, and keeps the rest.
func cleanFirewall(save, restore string) {
	out, err := exec.Command(save).Output()
	if err != nil {
		return
	}
	var kept []string
	for _, line := range strings.Split(string(out), "\n") {
		ours := false
		for _, word := range []string{"KUBE-", "CNI-", "FLANNEL-", "GW-NETPOL", "GW-POD-", "flanneld"} {
			ours = ours || strings.Contains(line, word)
		}
		if !ours {
			kept = append(kept, line)
		}
	}
	c := exec.Command(restore)
	c.Stdin = strings.NewReader(strings.Join(kept, "\n"))
	if out, err := c.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v: %s\n", restore, err, out)
	}
}
