package main

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// bundle holds the programs that can't be linked in: the runtime shim (one process a pod: it must stay small) and the
// CNI plugins (each a main of its own). The build puts them there; see recipe.json. runc needs a C compiler: where the
// build has none of it to put there, the machine's own is used.
//
//go:embed bundle
var bundle embed.FS

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
