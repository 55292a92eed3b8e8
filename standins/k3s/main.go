// Command k3s is a K3s-compatible node: upstream Kubernetes, etcd and containerd in one multi-call binary, behind the
// part of K3s's command line, configuration and file layout that Groundwork uses. See README.md.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
	_ "time/tzdata" // CronJob time zones, on machines that have no tzdata

	"golang.org/x/sys/unix"
)

// Version is the K3s release whose interface and Kubernetes version this stands in for.
const Version = "v1.36.3+k3s1"

// component is one upstream program. Only the one that is asked for is constructed: constructors register flags,
// feature gates and metrics in process-wide registries.
type component func(args []string) int

// components are started by the node itself, by argv[0].
var components = map[string]component{
	"kube-apiserver":          runAPIServer,
	"kube-controller-manager": runControllerManager,
	"kube-scheduler":          runScheduler,
	"kubelet":                 runKubelet,
	"kube-proxy":              runKubeProxy,
	"etcd":                    runEtcd,
	"containerd":              runContainerd,
	"k3s-unpack":              runUnpack,
}

// verbs are what a person or a script calls: k3s VERB, or a link of that name.
var verbs = map[string]component{
	"server":          runServer,
	"agent":           runAgent,
	"kubectl":         runKubectl,
	"ctr":             runCtr,
	"crictl":          runCrictl,
	"etcd-snapshot":   runSnapshot,
	"secrets-encrypt": runSecretsEncrypt,
	"token":           runToken,
	"killall":         runKillall,
}

func main() { os.Exit(dispatch(os.Args)) }

func dispatch(args []string) int {
	self := filepath.Base(args[0])
	if c, ok := components[self]; ok {
		// Children are started through /proc/self/exe, which would show as "exe" in ps and top.
		_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafePointer(self)), 0, 0, 0)
		go giveBack()
		return c(args)
	}
	switch self {
	case "kubectl", "ctr", "crictl":
		return verbs[self](args)
	}
	if len(args) < 2 {
		usage()
		return 2
	}
	switch args[1] {
	case "--version", "-v", "version":
		fmt.Printf("k3s version %s (stand-in)\ngo version %s\n", Version, runtime.Version())
		return 0
	case "--help", "-h", "help":
		usage()
		return 0
	}
	if v, ok := verbs[args[1]]; ok {
		return v(args[1:])
	}
	fmt.Fprintf(os.Stderr, "k3s: unknown command %q\n", args[1])
	usage()
	return 2
}

// giveBack makes a long-lived process small once it has started: the components allocate most of what they ever do in
// their first minute, and the Go runtime alone would keep it. From then on the heap may grow by 30 % between collections.
func giveBack() {
	time.Sleep(25 * time.Second)
	debug.SetGCPercent(30)
	unmapStartup()
	for {
		debug.FreeOSMemory()
		time.Sleep(3 * time.Minute)
	}
}

// unmapStartup drops this process's mappings of its program file. Most of what was touched so far ran once; what is still
// needed comes back from the page cache at the next use, and the kernel may now reclaim the rest first.
func unmapStartup() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for _, line := range strings.Split(string(maps), "\n") {
		f := strings.Fields(line)
		if len(f) < 6 || f[5] != self || (f[1] != "r-xp" && f[1] != "r--p") {
			continue // the writable part is this process's own
		}
		var from, to uintptr
		if _, err := fmt.Sscanf(f[0], "%x-%x", &from, &to); err == nil {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, from, to-from, unix.MADV_DONTNEED)
		}
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, `k3s (stand-in): a K3s-compatible node
usage:
  k3s server|agent [--config FILE] [--key value ...]
  k3s kubectl|ctr|crictl ...
  k3s etcd-snapshot save|ls|delete
  k3s secrets-encrypt status
  k3s token generate
  k3s killall                 stop what a stopped service left running
  k3s --version`)
}
