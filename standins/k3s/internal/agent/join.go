package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"groundwork/standins/k3s/internal/config"
	"groundwork/standins/k3s/internal/pki"
	"groundwork/standins/k3s/internal/token"
)

// Client speaks to a server's supervisor with a token.
type Client struct {
	URL   string
	CA    []byte
	token token.Token
	http  *http.Client
}

// Connect downloads the cluster's CA, checks it against the token's hash and returns a client that trusts only it.
func Connect(ctx context.Context, url, tok string) (*Client, error) {
	t, err := token.Parse(tok)
	if err != nil {
		return nil, err
	}
	url = strings.TrimRight(url, "/")
	// The one request that can't be verified: what it brings is checked against the token before anything secret is sent.
	blind := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	ca, err := get(ctx, blind, url+"/cacerts", token.Token{})
	if err != nil {
		return nil, err
	}
	if err := t.CheckCA(ca); err != nil {
		return nil, permanent{err}
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s/cacerts holds no certificate", url)
	}
	if t.User == "" {
		t.User = token.ServerUser
	}
	return &Client{URL: url, CA: ca, token: t, http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}}, nil
}

// permanent errors are not cured by trying again.
type permanent struct{ error }

// Stop marks an error as one that trying again does not cure.
func Stop(err error) error { return permanent{err} }

// Permanent tells whether err is one of them.
func Permanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}

// Get reads a path; JSON answers are decoded into out unless it is nil.
func (c *Client) Get(ctx context.Context, path string, out any) ([]byte, error) {
	b, err := get(ctx, c.http, c.URL+path, c.token)
	if err == nil && out != nil {
		err = json.Unmarshal(b, out)
	}
	return b, err
}

// Post sends a JSON body and decodes the JSON answer into out.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	b, err = c.post(ctx, path, b, nil)
	if err == nil && out != nil {
		err = json.Unmarshal(b, out)
	}
	return err
}

func (c *Client) post(ctx context.Context, path string, body []byte, header map[string]string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	return do(c.http, r, c.token)
}

func get(ctx context.Context, c *http.Client, url string, t token.Token) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return do(c, r, t)
}

func do(c *http.Client, r *http.Request, t token.Token) ([]byte, error) {
	if t.Password != "" {
		r.SetBasicAuth(t.User, t.Password)
	}
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		err := fmt.Errorf("%s: %s: %s", r.URL, res.Status, strings.TrimSpace(string(b)))
		if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
			return nil, permanent{err}
		}
		return nil, err
	}
	return b, nil
}

// certificates fetches what the node's components need: a key is made here and never leaves the machine.
func (c *Client) certificates(ctx context.Context, cfg *config.Config) error {
	password, err := nodePassword("/etc/rancher/node/password")
	if err != nil {
		return err
	}
	header := map[string]string{
		"k3s-Node-Name": cfg.NodeName, "k3s-Node-Password": password,
		"k3s-Node-IP": strings.Join(append(append([]string{}, cfg.NodeIP...), cfg.NodeExternalIP...), ","),
	}
	for _, ca := range []string{"client-ca.crt", "server-ca.crt"} {
		b, err := c.Get(ctx, "/v1-k3s/"+ca, nil)
		if err != nil {
			return err
		}
		if err := pki.WriteFile(cfg.Agent(ca), b, 0o600); err != nil {
			return err
		}
	}
	for _, name := range []string{"serving-kubelet", "client-kubelet", "client-kube-proxy", "client-k3s-controller"} {
		key, err := pki.Key(cfg.Agent(name + ".key"))
		if err != nil {
			return err
		}
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
		if err != nil {
			return err
		}
		request := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
		b, err := c.post(ctx, "/v1-k3s/"+name+".crt", request, header)
		if err != nil {
			return err
		}
		if err := pki.WriteFile(cfg.Agent(name+".crt"), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// nodePassword is the node's own secret, made at the first start.
func nodePassword(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err == nil && len(bytes.TrimSpace(b)) > 0 {
		return string(bytes.TrimSpace(b)), nil
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	p := hex.EncodeToString(raw)
	return p, pki.WriteFile(file, []byte(p+"\n"), 0o600)
}
