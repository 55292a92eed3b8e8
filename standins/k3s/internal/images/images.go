// Package images imports the image archives that lie in agent/images when the node starts.
package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	containerd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/archive/compression"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/platforms"

	"groundwork/standins/k3s/internal/pki"
)

// Importer imports what is new, and remembers it.
type Importer struct {
	Socket, Snapshotter string
	Folder              string // agent/images
	Record              string // what was imported, by file name
	Log                 io.Writer
}

// entry is one archive as it was imported. Size and time save hashing an unchanged file at each start.
type entry struct {
	Size   int64     `json:"size"`
	Time   time.Time `json:"time"`
	SHA256 string    `json:"sha256"`
	Images []string  `json:"images"`
}

// Run waits for containerd and its CRI, then imports. A broken archive is reported and passed over, as in K3s.
func (i Importer) Run(ctx context.Context) error {
	client, err := i.connect(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx = namespaces.WithNamespace(ctx, "k8s.io")
	done := map[string]entry{}
	if b, err := os.ReadFile(i.Record); err == nil {
		_ = json.Unmarshal(b, &done) // a damaged record only means importing again
	}
	files, err := filepath.Glob(filepath.Join(i.Folder, "*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if !archive(f) {
			continue
		}
		before := done[filepath.Base(f)]
		now, changed, err := i.file(ctx, client, f, before)
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			fmt.Fprintf(i.Log, "images: %s: %v\n", f, err)
			continue
		}
		done[filepath.Base(f)] = now
		if !changed {
			continue
		}
		b, err := json.MarshalIndent(done, "", "  ")
		if err == nil {
			err = pki.WriteFile(i.Record, append(b, '\n'), 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func archive(name string) bool {
	for _, s := range []string{".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2"} {
		if strings.HasSuffix(name, s) {
			return true
		}
	}
	return false
}

func (i Importer) connect(ctx context.Context) (*containerd.Client, error) {
	for {
		if _, err := os.Stat(i.Socket); err == nil {
			c, err := containerd.New(i.Socket, containerd.WithTimeout(5*time.Second))
			if err == nil {
				if ok, err := c.IsServing(ctx); err == nil && ok {
					return c, nil
				}
				c.Close()
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// file imports one archive, unless it is the one of before and its images are all there.
func (i Importer) file(ctx context.Context, c *containerd.Client, name string, before entry) (entry, bool, error) {
	st, err := os.Stat(name)
	if err != nil {
		return before, false, err
	}
	now := entry{Size: st.Size(), Time: st.ModTime().UTC()}
	unchanged := before.Size == now.Size && before.Time.Equal(now.Time)
	if !unchanged {
		if now.SHA256, err = digest(name); err != nil {
			return before, false, err
		}
		unchanged = now.SHA256 == before.SHA256
	}
	if unchanged && before.SHA256 != "" && present(ctx, c, before.Images) {
		now.SHA256, now.Images = before.SHA256, before.Images
		return now, !before.Time.Equal(now.Time), nil
	}
	if now.SHA256 == "" {
		now.SHA256 = before.SHA256
	}
	started := time.Now()
	now.Images, err = i.load(ctx, c, name)
	if err == nil {
		fmt.Fprintf(i.Log, "images: imported %d names from %s in %s\n", len(now.Images), filepath.Base(name), time.Since(started).Round(time.Millisecond))
	}
	return now, true, err
}

func (i Importer) load(ctx context.Context, c *containerd.Client, name string) ([]string, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := compression.DecompressStream(f)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// Pinned: neither the kubelet nor an administrator's clean-up may remove what can't be pulled again.
	images, err := c.Import(ctx, r, containerd.WithImportPlatform(platforms.DefaultStrict()), containerd.WithSkipMissing(),
		containerd.WithImageLabels(map[string]string{"io.cri-containerd.pinned": "pinned", "io.cri-containerd.image": "managed"}))
	if err != nil {
		return nil, err
	}
	if len(images) == 0 {
		return nil, errors.New("the archive names no image")
	}
	var names []string
	for _, img := range images {
		if err := containerd.NewImageWithPlatform(c, img, platforms.DefaultStrict()).Unpack(ctx, i.Snapshotter); err != nil {
			return nil, fmt.Errorf("%s: %w", img.Name, err)
		}
		names = append(names, img.Name)
	}
	return names, nil
}

func present(ctx context.Context, c *containerd.Client, names []string) bool {
	for _, n := range names {
		if _, err := c.ImageService().Get(ctx, n); err != nil {
			return false
		}
	}
	return len(names) > 0
}

func digest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
