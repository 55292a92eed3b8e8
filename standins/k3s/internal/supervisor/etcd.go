package supervisor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EtcdClient is how a server reaches its etcd.
type EtcdClient struct {
	Endpoint string
	TLSDir   string // server/tls/etcd
}

// Member is one member of etcd, as the joining server sees it.
type Member struct {
	ID      uint64   `json:"id"`
	Name    string   `json:"name"`
	Peers   []string `json:"peers"`
	Learner bool     `json:"learner"`
}

// MemberRequest asks to join, or to be promoted once caught up.
type MemberRequest struct {
	Name    string `json:"name"`
	Peer    string `json:"peer"`
	Promote uint64 `json:"promote,omitempty"`
}

// Dial opens a client. The caller closes it.
func (e EtcdClient) Dial() (*clientv3.Client, error) {
	cert, err := tls.LoadX509KeyPair(filepath.Join(e.TLSDir, "client.crt"), filepath.Join(e.TLSDir, "client.key"))
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(filepath.Join(e.TLSDir, "server-ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return clientv3.New(clientv3.Config{
		Endpoints: []string{e.Endpoint}, DialTimeout: 5 * time.Second, Logger: zap.NewNop(), // errors come back to the caller
		TLS: &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, MinVersion: tls.VersionTLS12},
	})
}

// Members lists etcd's members.
func (e EtcdClient) Members(ctx context.Context) ([]Member, error) {
	c, err := e.Dial()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	l, err := c.MemberList(ctx)
	if err != nil {
		return nil, err
	}
	var out []Member
	for _, m := range l.Members {
		out = append(out, Member{ID: m.ID, Name: m.Name, Peers: m.PeerURLs, Learner: m.IsLearner})
	}
	return out, nil
}

func (v *Supervisor) members(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	m, err := v.Etcd.Members(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	reply(w, m)
}

// addMember makes the caller a learner, which does not count for the quorum until it has caught up, or promotes it.
// etcd itself refuses a second learner and an early promotion; the caller then tries again.
func (v *Supervisor) addMember(w http.ResponseWriter, r *http.Request) {
	var in MemberRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
	defer cancel()
	err := v.join(ctx, in)
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	v.members(w, r)
}

func (v *Supervisor) join(ctx context.Context, in MemberRequest) error {
	c, err := v.Etcd.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if in.Promote != 0 {
		_, err := c.MemberPromote(ctx, in.Promote)
		return err
	}
	if in.Peer == "" {
		return errors.New("peer is needed")
	}
	l, err := c.MemberList(ctx)
	if err != nil {
		return err
	}
	for _, m := range l.Members {
		for _, p := range m.PeerURLs {
			if p == in.Peer && m.Name == "" {
				return nil // an earlier try got this far
			}
			if p == in.Peer { // the machine was made anew: its old data are gone
				if _, err := c.MemberRemove(ctx, m.ID); err != nil {
					return err
				}
			}
		}
	}
	_, err = c.MemberAddAsLearner(ctx, []string{in.Peer})
	return err
}

// apiServers lists the addresses at which the cluster's API servers answer, for the agents' balancer.
func (v *Supervisor) apiServers(w http.ResponseWriter, r *http.Request) {
	slices, err := v.passwords.client.DiscoveryV1().EndpointSlices("default").List(r.Context(), metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=kubernetes"})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	out := []string{}
	for _, s := range slices.Items {
		for _, e := range s.Endpoints {
			for _, a := range e.Addresses {
				for _, p := range s.Ports {
					if p.Port != nil {
						out = append(out, net.JoinHostPort(a, strconv.Itoa(int(*p.Port))))
					}
				}
			}
		}
	}
	reply(w, out)
}
