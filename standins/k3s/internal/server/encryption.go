package server

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"groundwork/standins/k3s/internal/config"
	"groundwork/standins/k3s/internal/pki"
)

const encryptionFile = "encryption-config.json"

// ensureEncryption writes the API server's EncryptionConfiguration with a new key, once. Secrets written before
// encryption was switched on stay readable through the identity provider.
func ensureEncryption(dir, provider string) error {
	file := filepath.Join(dir, encryptionFile)
	if _, err := os.Stat(file); err == nil || !errors.Is(err, os.ErrNotExist) {
		return err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	text := fmt.Sprintf(`{"kind":"EncryptionConfiguration","apiVersion":"apiserver.config.k8s.io/v1","resources":[{"resources":["secrets"],"providers":[{%q:{"keys":[{"name":%q,"secret":%q}]}},{"identity":{}}]}]}`+"\n",
		provider, provider+"key", base64.StdEncoding.EncodeToString(key))
	return pki.WriteFile(file, []byte(text), 0o600)
}

// Encryption is the state of the Secrets' encryption at rest.
type Encryption struct {
	Enabled bool            `json:"enable"`
	Keys    []EncryptionKey `json:"keys,omitempty"`
}

// EncryptionKey is one key, the active one first. The key itself is never shown.
type EncryptionKey struct{ Type, Name string }

// EncryptionStatus reads what the API server was given.
func EncryptionStatus(c *config.Config) (Encryption, error) {
	b, err := os.ReadFile(c.Server("cred", encryptionFile))
	if errors.Is(err, os.ErrNotExist) {
		return Encryption{}, nil
	} else if err != nil {
		return Encryption{}, err
	}
	var file struct {
		Resources []struct {
			Providers []map[string]struct {
				Keys []struct {
					Name string `json:"name"`
				} `json:"keys"`
			} `json:"providers"`
		} `json:"resources"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return Encryption{}, err
	}
	out := Encryption{Enabled: c.SecretsEncryption}
	for _, r := range file.Resources {
		for _, p := range r.Providers {
			for kind, v := range p {
				for _, k := range v.Keys {
					out.Keys = append(out.Keys, EncryptionKey{Type: kinds[kind], Name: k.Name})
				}
			}
		}
	}
	return out, nil
}

// kinds are the names that K3s prints for the providers.
var kinds = map[string]string{"aescbc": "AES-CBC", "secretbox": "XSalsa20-POLY1305"}
