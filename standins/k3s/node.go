package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"groundwork/standins/k3s/internal/agent"
	"groundwork/standins/k3s/internal/config"
	"groundwork/standins/k3s/internal/server"
	"groundwork/standins/k3s/internal/supervise"
	"groundwork/standins/k3s/internal/supervisor"
)

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
