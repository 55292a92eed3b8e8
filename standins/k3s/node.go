package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"groundwork/standins/k3s/internal/agent"
	"groundwork/standins/k3s/internal/config"
	"groundwork/standins/k3s/internal/server"
	"groundwork/standins/k3s/internal/supervise"
	"groundwork/standins/k3s/internal/supervisor"
)

// bundle holds the programs that can't be linked in: the runtime shim (one process a pod: it must stay small) and the
// CNI plugins (each a main of its own). The build puts them there; see recipe.json. runc needs a C compiler: where the
// build has none of it to put there, the machine's own is used.
//
//go:embed bundle
var bundle embed.FS

func runServer(args []string) int { return runNode(config.Server, args[1:]) }
func runAgent(args []string) int  { return runNode(config.Agent, args[1:]) }

func runNode(role config.Role, args []string) int {
	c, err := config.Load(role, args, os.Getenv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "k3s %s: %v\n", role, err)
		return 1
	}
	for _, w := range c.Warnings {
		fmt.Fprintln(os.Stderr, "warning: "+w)
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "k3s must run as root")
		return 1
	}
	if c.Reset {
		if err := server.Reset(context.Background(), c); err != nil {
			fmt.Fprintf(os.Stderr, "k3s server: %v\n", err)
			return 1
		}
		// K3s's own words, which runbooks and scripts look for.
		fmt.Fprintln(os.Stderr, "Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes")
		return 0
	}
	// Kept from the children: etcd and the kubelet would report themselves as this service.
	notifySocket = os.Getenv("NOTIFY_SOCKET")
	os.Unsetenv("NOTIFY_SOCKET")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	group := supervise.New()
	group.Verbose = c.Debug || c.Verbosity > 0
	failed := make(chan error, 1)
	go func() { failed <- start(ctx, c, group) }()
	for {
		select {
		case err := <-failed:
			if err == nil || ctx.Err() != nil {
				failed = nil // up, or stopping
				continue
			}
			fmt.Fprintf(os.Stderr, "k3s %s: %v\n", role, err)
			group.Stop()
			return 1
		case err := <-group.Fatal():
			fmt.Fprintf(os.Stderr, "k3s %s: %v\n", role, err)
			group.Stop()
			return 1
		case <-ctx.Done():
			notify("STOPPING=1")
			group.Stop()
			return 0
		}
	}
}

// start brings the node up and returns when it is; its children and controllers go on.
func start(ctx context.Context, c *config.Config, group *supervise.Group) error {
	fmt.Fprintf(os.Stderr, "k3s %s (stand-in) %s on %s, node %s %v\n", Version, c.Role, agent.Describe(), c.NodeName, c.NodeIP)
	bin, err := unpack(c.DataDir)
	if err != nil {
		return err
	}
	n := &agent.Node{Config: c, Group: group, Bin: bin, Log: os.Stderr}
	if err := n.StartRuntime(ctx); err != nil {
		return err
	}
	if c.Role == config.Agent {
		return startAgent(ctx, c, n)
	}
	s := &server.Server{Config: c, Group: group, Log: os.Stderr, Version: Version, Supervisor: supervisorEnv}
	if err := s.Start(ctx); err != nil {
		return err
	}
	notify("READY=1")
	fmt.Fprintln(os.Stderr, "k3s is up and running")
	go giveBack()
	if err := s.RunControllers(ctx); err != nil {
		return err
	}
	t, err := s.Token()
	if err != nil {
		return err
	}
	client, err := connect(ctx, s.URL(), t)
	if err != nil {
		return err
	}
	return n.Join(ctx, client, s.URL(), s.Cluster())
}

func startAgent(ctx context.Context, c *config.Config, n *agent.Node) error {
	client, err := connect(ctx, c.ServerURL, c.Token)
	if err != nil {
		return err
	}
	var cluster supervisor.Cluster
	if err := agent.Retry(ctx, os.Stderr, "the cluster's settings", func() error {
		_, err := client.Get(ctx, "/v1-k3s/config", &cluster)
		return err
	}); err != nil {
		return err
	}
	if cluster.Version != Version {
		fmt.Fprintf(os.Stderr, "warning: the server runs %s, this agent %s\n", cluster.Version, Version)
	}
	balancer, err := agent.NewBalancer(c, client)
	if err != nil {
		return err
	}
	go balancer.Run(ctx)
	if err := n.Join(ctx, client, balancer.URL(), cluster); err != nil {
		return err
	}
	notify("READY=1")
	fmt.Fprintln(os.Stderr, "k3s agent is up and running")
	return nil
}

func connect(ctx context.Context, url, token string) (client *agent.Client, err error) {
	err = agent.Retry(ctx, os.Stderr, url, func() error {
		client, err = agent.Connect(ctx, url, token)
		return err
	})
	return client, err
}

// unpack lays the bundle into data/<hash>/bin, as K3s does, and points data/current at it. Programs of an earlier version
// stay: running pods' shims are among them. It runs in a process of its own, so that this one, which lives long, does not
// keep some forty megabytes in memory that it needs once.
func unpack(dataDir string) (string, error) {
	c := exec.Cmd{Path: "/proc/self/exe", Args: []string{"k3s-unpack", dataDir}, Stderr: os.Stderr}
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("unpacking runc, the shim and the CNI plugins: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func runUnpack(args []string) int {
	bin, err := unpackTo(args[1])
	if err != nil {
		return fail("unpack", err)
	}
	fmt.Println(bin)
	return 0
}

func unpackTo(dataDir string) (string, error) {
	h := sha256.New()
	names, err := fs.Glob(bundle, "bundle/*")
	if err != nil {
		return "", err
	}
	content := map[string][]byte{}
	for _, n := range names {
		b, err := bundle.ReadFile(n)
		if err != nil {
			return "", err
		}
		content[filepath.Base(n)] = b
		fmt.Fprintf(h, "%s %x\n", n, sha256.Sum256(b))
	}
	delete(content, "README.md")
	for _, must := range []string{"containerd-shim-runc-v2", "bridge", "host-local", "loopback", "portmap"} {
		if len(content[must]) == 0 {
			return "", fmt.Errorf("this k3s was built without %s (see recipe.json)", must)
		}
	}
	id := hex.EncodeToString(h.Sum(nil))
	bin := filepath.Join(dataDir, "data", id, "bin")
	for name, b := range content {
		if err := place(filepath.Join(bin, name), b); err != nil {
			return "", err
		}
	}
	if len(content["runc"]) == 0 {
		runc, err := exec.LookPath("runc")
		if err != nil {
			return "", errors.New("runc is neither in this binary nor on PATH; install the machine's runc package")
		}
		// A link under the usual path, so that the runtime's configuration does not depend on where runc came from.
		if err := link(runc, filepath.Join(bin, "runc")); err != nil {
			return "", err
		}
	}
	return bin, link(id, filepath.Join(dataDir, "data", "current"))
}

// link makes name a link to target, unless it is one already.
func link(target, name string) error {
	if now, err := os.Readlink(name); err == nil && now == target {
		return nil
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(target, name)
}

// place writes a program, unless it is there: its folder is named by its content.
func place(file string, b []byte) error {
	if st, err := os.Stat(file); err == nil && st.Size() == int64(len(b)) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	tmp := file + ".new"
	if err := os.WriteFile(tmp, b, 0o755); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

var notifySocket string

// notify tells systemd, where it listens (Type=notify).
func notify(state string) {
	socket := notifySocket
	if socket == "" {
		return
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			fmt.Fprintf(os.Stderr, "sd_notify: %v\n", err)
		}
		return
	}
	defer c.Close()
	_, _ = c.Write([]byte(state))
}
