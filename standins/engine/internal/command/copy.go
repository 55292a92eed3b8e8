package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/pkg/sftp"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/archive"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource/asset"

	"groundwork.dev/standins/engine/internal/provider"
)

func copyToRemote() *provider.Resource {
	copyNow := func(c *provider.Call) error {
		v := provider.Bare(c.Inputs["source"])
		switch {
		case v.IsAsset():
			return copyAsset(c, v.AssetValue())
		case v.IsArchive():
			return copyArchive(c, v.ArchiveValue())
		}
		return errors.New("source must be a file asset or an archive")
	}
	return &provider.Resource{
		Inputs: map[string]provider.Field{
			"connection": connectionField(), "triggers": triggers,
			"source":     {Kind: provider.Any, Required: true},
			"remotePath": {Kind: provider.String, Required: true},
		},
		Check: func(in provider.Props) []provider.Failure {
			v := provider.Bare(in["source"])
			switch {
			case provider.Unknown(v):
			case v.IsAsset() && v.AssetValue().IsPath(), v.IsArchive() && v.ArchiveValue().IsPath():
			case v.IsAsset(), v.IsArchive():
				return []provider.Failure{{Property: "source", Reason: "only path-based assets and archives can be copied: a FileAsset or a FileArchive"}}
			default:
				return []provider.Failure{{Property: "source", Reason: "expected a FileAsset or a FileArchive"}}
			}
			return nil
		},
		Create: func(c *provider.Call) (string, provider.Props, error) {
			if err := copyNow(c); err != nil {
				return "", nil, err
			}
			return uniqueID(c.Name), provider.Props{}, nil
		},
		// A changed connection alone copies nothing: the file is where it was.
		Update: func(c *provider.Call) (provider.Props, error) {
			if same(c, "source") && same(c, "remotePath") {
				return provider.Props{}, nil
			}
			return provider.Props{}, copyNow(c)
		},
	}
}

func same(c *provider.Call, key resource.PropertyKey) bool {
	return provider.Bare(c.OldInputs[key]).DeepEquals(provider.Bare(c.Inputs[key]))
}

type copyInputs struct {
	Connection *connection
	RemotePath string
	LocalPath  string
}

// open connects and starts SFTP with many packets in the air, so that a copy is bound by the wire and not by its delay.
func open(c *provider.Call) (*sftp.Client, copyInputs, func(), error) {
	var in copyInputs
	if err := c.Decode(&in); err != nil {
		return nil, in, nil, err
	}
	client, done, err := dial(c, in.Connection)
	if err != nil {
		return nil, in, nil, err
	}
	s, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true), sftp.MaxConcurrentRequestsPerFile(64), sftp.MaxPacketUnchecked(64<<10))
	if err != nil {
		done()
		return nil, in, nil, err
	}
	return s, in, func() { _ = s.Close(); done() }, nil
}

func copyAsset(c *provider.Call, a *asset.Asset) error {
	s, in, done, err := open(c)
	if err != nil {
		return err
	}
	defer done()
	return copyPath(s, a.Path, in.RemotePath)
}

func copyArchive(c *provider.Call, a *archive.Archive) error {
	s, in, done, err := open(c)
	if err != nil {
		return err
	}
	defer done()
	return copyPath(s, a.Path, in.RemotePath)
}

// copyPath copies a file or a folder as scp does: into the target when that is a folder.
func copyPath(s *sftp.Client, local, remote string) error {
	info, err := os.Stat(local)
	if err != nil {
		return err
	}
	target, err := s.Stat(remote)
	exists := err == nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s on the remote machine: %w", remote, err)
	}
	if !info.IsDir() {
		if exists && target.IsDir() {
			remote = path.Join(remote, filepath.Base(local))
		}
		return copyOne(s, local, remote)
	}
	if exists && !target.IsDir() {
		return fmt.Errorf("%s on the remote machine is a file, and a folder is to be copied there", remote)
	}
	if exists && local[len(local)-1] != filepath.Separator {
		remote = path.Join(remote, filepath.Base(local))
	}
	return filepath.WalkDir(local, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(local, p)
		if err != nil {
			return err
		}
		to := path.Join(remote, filepath.ToSlash(rel))
		if d.IsDir() {
			if err := s.MkdirAll(to); err != nil {
				return fmt.Errorf("folder %s on the remote machine: %w", to, err)
			}
			return nil
		}
		return copyOne(s, p, to)
	})
}

func copyOne(s *sftp.Client, local, remote string) error {
	from, err := os.Open(filepath.Clean(local))
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := s.OpenFile(remote, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("%s on the remote machine: %w", remote, err)
	}
	// The file's own ReadFrom is what writes concurrently; it needs the source's size, which an *os.File tells.
	if _, err = to.ReadFrom(from); err == nil {
		err = to.Close()
	} else {
		_ = to.Close()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("copying %s to %s: %w", local, remote, err)
	}
	return nil
}

// copyFile is the older resource, which takes a path instead of an asset.
func copyFile() *provider.Resource {
	run := func(c *provider.Call) error {
		s, in, done, err := open(c)
		if err != nil {
			return err
		}
		defer done()
		return copyPath(s, in.LocalPath, in.RemotePath)
	}
	return &provider.Resource{
		Inputs: map[string]provider.Field{
			"connection": connectionField(), "triggers": triggers,
			"localPath":  {Kind: provider.String, Required: true},
			"remotePath": {Kind: provider.String, Required: true},
		},
		Create: func(c *provider.Call) (string, provider.Props, error) {
			return uniqueID(c.Name), provider.Props{}, run(c)
		},
		Update: func(c *provider.Call) (provider.Props, error) { return provider.Props{}, run(c) },
	}
}
