// Package supervisor is the part of K3s's port 6443 that is not the Kubernetes API: how nodes join. Paths and
// semantics follow K3s: /ping, /cacerts, /v1-k3s/*; answers are this stand-in's own, so nodes of one kind only may join.
package supervisor

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/kubernetes"

	"groundwork/standins/k3s/internal/pki"
	"groundwork/standins/k3s/internal/token"
)

// Settings are what the supervisor knows of its server.
type Settings struct {
	TLSDir     string  // server/tls
	TokenFile  string  // server/token
	AgentFile  string  // server/agent-token
	Encryption string  // server/cred/encryption-config.json, or empty
	Cluster    Cluster // what joining nodes are told
	Etcd       EtcdClient
}

// Cluster is what every node of a cluster must agree on; an agent gets it from its server.
type Cluster struct {
	ClusterCIDR       string `json:"clusterCIDR"`
	ServiceCIDR       string `json:"serviceCIDR"`
	ClusterDNS        string `json:"clusterDNS"`
	ClusterDomain     string `json:"clusterDomain"`
	FlannelBackend    string `json:"flannelBackend"`
	DisableNetPol     bool   `json:"disableNetworkPolicy"`
	DisableKubeProxy  bool   `json:"disableKubeProxy"`
	SecretsEncryption bool   `json:"secretsEncryption"`
	Version           string `json:"version"`
}

// SameAs tells whether two servers may share a cluster; their versions may differ while it is upgraded.
func (c Cluster) SameAs(other Cluster) bool {
	c.Version = other.Version
	return c == other
}

// Bootstrap is what a joining server gets: the cluster's authorities and keys, and the members of etcd.
type Bootstrap struct {
	Cluster Cluster           `json:"cluster"`
	Files   map[string][]byte `json:"files"` // relative to server/tls; encryption-config.json too
	Agent   string            `json:"agentToken"`
}

// Supervisor answers the joining nodes.
type Supervisor struct {
	Settings
	passwords passwords
	mux       *http.ServeMux
}

// New makes the handler. The client stores the nodes' passwords.
func New(s Settings, client kubernetes.Interface) (*Supervisor, error) {
	v := &Supervisor{Settings: s, passwords: passwords{client: client}, mux: http.NewServeMux()}
	v.mux.HandleFunc("GET /ping", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "pong") })
	v.mux.HandleFunc("GET /cacerts", v.file("server-ca.crt"))
	v.mux.HandleFunc("GET /v1-k3s/readyz", v.node(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	v.mux.HandleFunc("GET /v1-k3s/config", v.node(v.config))
	v.mux.HandleFunc("GET /v1-k3s/apiservers", v.node(v.apiServers))
	v.mux.HandleFunc("GET /v1-k3s/client-ca.crt", v.node(v.file("client-ca.crt")))
	v.mux.HandleFunc("GET /v1-k3s/server-ca.crt", v.node(v.file("server-ca.crt")))
	v.mux.HandleFunc("POST /v1-k3s/serving-kubelet.crt", v.node(v.issue("server-ca", func(n node) pki.Leaf { return pki.KubeletServing(n.name, n.addresses) })))
	v.mux.HandleFunc("POST /v1-k3s/client-kubelet.crt", v.node(v.issue("client-ca", func(n node) pki.Leaf { return pki.KubeletClient(n.name) })))
	v.mux.HandleFunc("POST /v1-k3s/client-kube-proxy.crt", v.node(v.issue("client-ca", func(node) pki.Leaf { return pki.ProxyClient() })))
	v.mux.HandleFunc("POST /v1-k3s/client-k3s-controller.crt", v.node(v.issue("client-ca", func(node) pki.Leaf { return pki.ControllerClient() })))
	v.mux.HandleFunc("GET /v1-k3s/server-bootstrap", v.server(v.bootstrap))
	v.mux.HandleFunc("GET /db/info", v.server(v.members))
	v.mux.HandleFunc("POST /db/members", v.server(v.addMember))
	return v, nil
}

// Wrap puts the supervisor before the API server's handler chain.
func (v *Supervisor) Wrap(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; p == "/ping" || p == "/cacerts" || strings.HasPrefix(p, "/v1-k3s/") || strings.HasPrefix(p, "/db/") {
			v.mux.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}

// node lets requests with the server's or the agents' token through, server only those with the server's.
func (v *Supervisor) node(h http.HandlerFunc) http.HandlerFunc {
	return v.auth(h, v.TokenFile, v.AgentFile)
}
func (v *Supervisor) server(h http.HandlerFunc) http.HandlerFunc { return v.auth(h, v.TokenFile) }

func (v *Supervisor) auth(h http.HandlerFunc, files ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, password, ok := r.BasicAuth()
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				continue
			}
			if t, err := token.Parse(string(b)); ok && err == nil && token.Same(t.Password, password) {
				h(w, r)
				return
			}
		}
		http.Error(w, "not authorized: wrong token", http.StatusUnauthorized)
	}
}

func (v *Supervisor) file(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		b, err := os.ReadFile(filepath.Join(v.TLSDir, name))
		if err != nil {
			http.Error(w, "not available", http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(b)
	}
}

func (v *Supervisor) config(w http.ResponseWriter, _ *http.Request) { reply(w, v.Cluster) }

// node is who asks for a certificate.
type node struct {
	name, password string
	addresses      []string
}

// issue signs the request's public key for the node that the headers name, after its password was checked: a token alone
// must not be enough to become another node.
func (v *Supervisor) issue(ca string, leaf func(node) pki.Leaf) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n := node{name: r.Header.Get("k3s-Node-Name"), password: r.Header.Get("k3s-Node-Password")}
		for _, a := range strings.Split(r.Header.Get("k3s-Node-IP"), ",") {
			if a != "" {
				n.addresses = append(n.addresses, a)
			}
		}
		if n.name == "" || n.password == "" {
			http.Error(w, "k3s-Node-Name and k3s-Node-Password are needed", http.StatusBadRequest)
			return
		}
		if err := v.passwords.ensure(r.Context(), n.name, n.password); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		b, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out, err := v.sign(ca, b, leaf(n))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_, _ = w.Write(out)
	}
}

func (v *Supervisor) sign(ca string, request []byte, leaf pki.Leaf) ([]byte, error) {
	block, _ := pem.Decode(request)
	if block == nil {
		return nil, fmt.Errorf("the body is not a PEM certificate request")
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, err
	}
	base := filepath.Join(v.TLSDir, ca)
	authority, err := pki.Read(base+".crt", base+".key")
	if err != nil {
		return nil, err
	}
	return pki.Issue(authority, csr.PublicKey, leaf)
}

func (v *Supervisor) bootstrap(w http.ResponseWriter, _ *http.Request) {
	out := Bootstrap{Cluster: v.Cluster, Files: map[string][]byte{}}
	for _, f := range pki.SharedFiles {
		b, err := os.ReadFile(filepath.Join(v.TLSDir, f))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		out.Files[f] = b
	}
	if v.Encryption != "" {
		b, err := os.ReadFile(v.Encryption)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		out.Files[filepath.Base(v.Encryption)] = b
	}
	if b, err := os.ReadFile(v.AgentFile); err == nil {
		if t, err := token.Parse(string(b)); err == nil {
			out.Agent = t.Password
		}
	}
	reply(w, out)
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
