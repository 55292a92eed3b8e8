package pki

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
)

// Names is what the server's own certificates must be valid for.
type Names struct {
	NodeName      string
	Addresses     []string // the node's addresses, tls-san, 127.0.0.1
	ServiceIP     string
	ClusterDomain string
}

// Authorities are the cluster's own: every server has the same.
type Authorities struct {
	Client, Server, RequestHeader, EtcdServer, EtcdPeer *Pair
}

// SharedFiles are what every server of one cluster must have alike, relative to the tls folder.
var SharedFiles = []string{
	"client-ca.crt", "client-ca.key", "server-ca.crt", "server-ca.key", "request-header-ca.crt", "request-header-ca.key",
	"etcd/server-ca.crt", "etcd/server-ca.key", "etcd/peer-ca.crt", "etcd/peer-ca.key", "service.key",
}

// LoadAuthorities loads the cluster's authorities from dir, making those that are not there.
func LoadAuthorities(dir string) (*Authorities, error) {
	var a Authorities
	for _, x := range []struct {
		into       **Pair
		base, name string
	}{
		{&a.Client, "client-ca", "k3s-client-ca"},
		{&a.Server, "server-ca", "k3s-server-ca"},
		{&a.RequestHeader, "request-header-ca", "k3s-request-header-ca"},
		{&a.EtcdServer, "etcd/server-ca", "etcd-server-ca"},
		{&a.EtcdPeer, "etcd/peer-ca", "etcd-peer-ca"},
	} {
		p, err := CA(filepath.Join(dir, x.base), x.name)
		if err != nil {
			return nil, err
		}
		*x.into = p
	}
	return &a, ServiceKey(filepath.Join(dir, "service.key"))
}

// EnsureServer makes every certificate that a server's own components use.
func EnsureServer(dir string, n Names) (*Authorities, error) {
	a, err := LoadAuthorities(dir)
	if err != nil {
		return nil, err
	}
	api := append([]string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + n.ClusterDomain,
		"localhost", n.NodeName, n.ServiceIP,
	}, n.Addresses...)
	etcd := append([]string{"localhost", n.NodeName}, n.Addresses...)
	for _, x := range []struct {
		ca   *Pair
		base string
		leaf Leaf
	}{
		{a.Client, "client-admin", Leaf{CommonName: "system:admin", Organization: []string{"system:masters"}, Client: true}},
		{a.Client, "client-supervisor", Leaf{CommonName: "system:k3s-supervisor", Organization: []string{"system:masters"}, Client: true}},
		{a.Client, "client-controller", Leaf{CommonName: "system:kube-controller-manager", Client: true}},
		{a.Client, "client-scheduler", Leaf{CommonName: "system:kube-scheduler", Client: true}},
		{a.Client, "client-kube-apiserver", Leaf{CommonName: "system:apiserver", Organization: []string{"system:masters"}, Client: true}},
		{a.RequestHeader, "client-auth-proxy", Leaf{CommonName: "system:auth-proxy", Client: true}},
		{a.Server, "serving-kube-apiserver", Leaf{CommonName: "kube-apiserver", Names: api, Server: true}},
		{a.EtcdServer, "etcd/server-client", Leaf{CommonName: "etcd-server", Names: etcd, Server: true, Client: true}},
		{a.EtcdServer, "etcd/client", Leaf{CommonName: "etcd-client", Client: true}},
		{a.EtcdPeer, "etcd/peer-server-client", Leaf{CommonName: "etcd-peer", Names: etcd, Server: true, Client: true}},
	} {
		base := filepath.Join(dir, x.base)
		if _, err := Ensure(x.ca, base+".crt", base+".key", x.leaf); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// KubeletServing is the leaf with which a node's kubelet serves.
func KubeletServing(node string, addresses []string) Leaf {
	return Leaf{CommonName: node, Names: append([]string{node, "localhost", "127.0.0.1"}, addresses...), Server: true}
}

// KubeletClient is the leaf with which a node's kubelet is system:node:<name>.
func KubeletClient(node string) Leaf {
	return Leaf{CommonName: "system:node:" + node, Organization: []string{"system:nodes"}, Client: true}
}

// ProxyClient is kube-proxy's; the bootstrap policy grants the name system:node-proxier.
func ProxyClient() Leaf { return Leaf{CommonName: "system:kube-proxy", Client: true} }

// ControllerClient is the name of a node's own controllers (routes, network policies), as K3s names them.
func ControllerClient() Leaf { return Leaf{CommonName: "system:k3s-controller", Client: true} }

// Kubeconfig writes a kubeconfig that names certificate and key by path, or holds them when embed is set.
func Kubeconfig(file, server, caFile, certFile, keyFile string, embed bool, mode os.FileMode) error {
	ref := func(key, path string) (string, error) {
		if !embed {
			return fmt.Sprintf("%s: %s", key, path), nil
		}
		b, err := os.ReadFile(path)
		return fmt.Sprintf("%s-data: %s", key, base64.StdEncoding.EncodeToString(b)), err
	}
	ca, err := ref("certificate-authority", caFile)
	if err != nil {
		return err
	}
	cert, err := ref("client-certificate", certFile)
	if err != nil {
		return err
	}
	key, err := ref("client-key", keyFile)
	if err != nil {
		return err
	}
	const form = `apiVersion: v1
kind: Config
clusters:
- name: default
  cluster:
    server: %s
    %s
users:
- name: default
  user:
    %s
    %s
contexts:
- name: default
  context:
    cluster: default
    user: default
current-context: default
`
	return WriteFile(file, []byte(fmt.Sprintf(form, server, ca, cert, key)), mode)
}
