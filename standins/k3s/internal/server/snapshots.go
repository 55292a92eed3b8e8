package server

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"groundwork/standins/k3s/internal/config"
)

// Snapshot is a saved state of etcd.
type Snapshot struct {
	Name    string
	Path    string
	Size    int64
	Created time.Time
}

// Save writes a snapshot and returns it. The name is K3s's: base, node and Unix time.
func Save(ctx context.Context, c *config.Config, base string) (Snapshot, error) {
	if err := os.MkdirAll(c.SnapshotDir, 0o700); err != nil {
		return Snapshot{}, err
	}
	client, err := EtcdClient(c).Dial()
	if err != nil {
		return Snapshot{}, err
	}
	defer client.Close()
	r, err := client.Snapshot(ctx)
	if err != nil {
		return Snapshot{}, err
	}
	defer r.Close()
	now := time.Now()
	name := fmt.Sprintf("%s-%s-%d", base, c.NodeName, now.Unix())
	path := filepath.Join(c.SnapshotDir, name)
	f, err := os.OpenFile(path+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return Snapshot{}, err
	}
	defer os.Remove(path + ".part")
	n, err := io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return Snapshot{}, err
	}
	return Snapshot{Name: name, Path: path, Size: n, Created: now}, os.Rename(path+".part", path)
}

// Snapshots lists what is there, the oldest first.
func Snapshots(c *config.Config) ([]Snapshot, error) {
	entries, err := os.ReadDir(c.SnapshotDir)
	if os.IsNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var out []Snapshot
	for _, e := range entries {
		st, err := e.Info()
		if err != nil || !st.Mode().IsRegular() || strings.HasSuffix(e.Name(), ".part") {
			continue
		}
		out = append(out, Snapshot{Name: e.Name(), Path: filepath.Join(c.SnapshotDir, e.Name()), Size: st.Size(), Created: st.ModTime()})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Created.Before(out[j].Created) })
	return out, nil
}

// Prune removes the oldest snapshots of base beyond the configured number.
func Prune(c *config.Config, base string) error {
	all, err := Snapshots(c)
	if err != nil {
		return err
	}
	var own []Snapshot
	for _, s := range all {
		if strings.HasPrefix(s.Name, base+"-") {
			own = append(own, s)
		}
	}
	for len(own) > c.SnapshotRetention && c.SnapshotRetention > 0 {
		if err := os.Remove(own[0].Path); err != nil {
			return err
		}
		own = own[1:]
	}
	return nil
}

// snapshots saves on schedule.
func (s *Server) snapshots(ctx context.Context) {
	c := s.Config
	if c.SnapshotsOff || c.SnapshotCron == "" {
		return
	}
	schedule, err := cron.ParseStandard(c.SnapshotCron)
	if err != nil {
		s.Group.Fail(fmt.Errorf("etcd-snapshot-schedule-cron: %w", err))
		return
	}
	for {
		select {
		case <-time.After(time.Until(schedule.Next(time.Now()))):
		case <-ctx.Done():
			return
		}
		saved, err := Save(ctx, c, c.SnapshotName)
		if err == nil {
			err = Prune(c, c.SnapshotName)
		}
		if err != nil {
			fmt.Fprintf(s.Log, "etcd-snapshot: %v\n", err)
			continue
		}
		fmt.Fprintf(s.Log, "etcd-snapshot: saved %s (%d bytes)\n", saved.Path, saved.Size)
	}
}
