package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

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
			case v.IsAsset() && (v.AssetValue().IsPath() || v.AssetValue().IsText()), v.IsArchive() && v.ArchiveValue().IsPath():
			case v.IsAsset():
				return []provider.Failure{{Property: "asset", Reason: "asset must be a path-based file asset or a text asset"}}
			case v.IsArchive():
				return []provider.Failure{{Property: "archive", Reason: "archive must be a path to a file or directory"}}
			default:
				return []provider.Failure{{Property: "asset", Reason: "either asset or archive must be set"}}
			}
			return nil
		},
		Create: func(c *provider.Call) (string, provider.Props, error) {
			if err := copyNow(c); err != nil {
				return "", nil, err
			}
			return uniqueID(""), provider.Props{}, nil
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

// packet is the size of an SFTP write: four times what every server must take, half of what OpenSSH's takes. Fewer packets are less
// work on both sides.
const packet = 128 << 10

// open connects and starts SFTP with many writes in the air, so that a copy is bound by the wire and not by its delay.
func open(c *provider.Call) (*sftp.Client, copyInputs, func(), error) {
	var in copyInputs
	if err := c.Decode(&in); err != nil {
		return nil, in, nil, err
	}
	client, done, err := dial(c, in.Connection)
	if err != nil {
		return nil, in, nil, err
	}
	s, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true), sftp.MaxPacketUnchecked(packet))
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
	if a.IsText() {
		return copyText(s, a.Text, in.RemotePath)
	}
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

// stat looks at a remote path; nil when there is nothing.
func stat(s *sftp.Client, remote string) (os.FileInfo, error) {
	info, err := s.Stat(remote)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("failed to stat remote path %s: %w", remote, err)
	}
	if err != nil {
		return nil, nil
	}
	return info, nil
}

func mkdirs(s *sftp.Client, remote string) error {
	if err := s.MkdirAll(remote); err != nil {
		return fmt.Errorf("failed to create remote directory %s: %w", remote, err)
	}
	return nil
}

func copyText(s *sftp.Client, text, remote string) error {
	target, err := stat(s, remote)
	if err != nil {
		return err
	}
	if target != nil && target.IsDir() {
		return fmt.Errorf("remote path %s is a directory; when using a text asset, remotePath must be a file path", remote)
	}
	if err := mkdirs(s, path.Dir(remote)); err != nil {
		return err
	}
	return write(s, strings.NewReader(text), "the text", remote)
}

// copyPath copies a file or a folder. A file goes into the target when that is a folder. Of a folder whose path ends in a slash
// the contents go into the target, of any other folder the folder itself.
func copyPath(s *sftp.Client, local, remote string) error {
	info, err := os.Stat(local)
	if err != nil {
		return err
	}
	target, err := stat(s, remote)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		if target != nil && target.IsDir() {
			remote = path.Join(remote, filepath.Base(local))
		} else if err := mkdirs(s, path.Dir(remote)); err != nil {
			return err
		}
		return copyOne(s, local, remote)
	}
	if !strings.HasSuffix(local, "/") {
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
			return mkdirs(s, to)
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
	return write(s, from, local, remote)
}

// write sends what from holds. The remote file's own ReadFrom is what writes concurrently; it needs the size of the source, which
// files and string readers tell.
func write(s *sftp.Client, from io.Reader, name, remote string) error {
	to, err := s.Create(remote)
	if err != nil {
		return fmt.Errorf("failed to create remote file %s: %w", remote, err)
	}
	_, err = to.ReadFrom(from)
	if closed := to.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("failed to copy %s to remote path %s: %w", name, remote, err)
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
			return uniqueID(""), provider.Props{}, run(c)
		},
		Update: func(c *provider.Call) (provider.Props, error) { return provider.Props{}, run(c) },
	}
}
