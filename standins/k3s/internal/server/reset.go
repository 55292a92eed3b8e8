package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"

	"groundwork/standins/k3s/internal/config"
)

// Reset makes this server the only member of its cluster again: from its own data, or from a snapshot. The service must
// be stopped. Other servers must forget their data and join anew.
func Reset(ctx context.Context, c *config.Config) error {
	if conn, err := net.DialTimeout("tcp", strings.TrimPrefix(etcdEndpoint, "https://"), time.Second); err == nil {
		conn.Close()
		return errors.New("etcd is running: stop the service first")
	}
	data := c.Server("db", "etcd")
	if c.ResetRestorePath == "" {
		return forceNewCluster(ctx, c)
	}
	path := c.ResetRestorePath
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.SnapshotDir, path)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("cluster-reset-restore-path: %w", err)
	}
	fresh := data + ".restored"
	if err := os.RemoveAll(fresh); err != nil {
		return err
	}
	peer := "https://" + c.NodeIP[0] + ":2380"
	err := snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: path, Name: c.NodeName, OutputDataDir: fresh, PeerURLs: []string{peer},
		InitialCluster: c.NodeName + "=" + peer, InitialClusterToken: "etcd-cluster",
		// Revisions must not go back: controllers and kubelets would take what changes next for old news.
		RevisionBump: 1_000_000_000, MarkCompacted: true,
	})
	if err != nil {
		return fmt.Errorf("restoring %s: %w", path, err)
	}
	if err := os.Rename(data, fmt.Sprintf("%s-old-%d", data, time.Now().Unix())); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Rename(fresh, data)
}

// forceNewCluster runs etcd once with its own data and no peers.
func forceNewCluster(ctx context.Context, c *config.Config) error {
	s := &Server{Config: c}
	args := s.etcdArgs(map[string]string{"force-new-cluster": "true"})
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: args, Stderr: os.Stderr}
	if err := cmd.Start(); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := s.awaitEtcd(limit)
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	return err
}
