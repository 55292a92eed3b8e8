// Package token is K3s's join token: K10<sha256 of the CA file>::<user>:<password>, or the password alone.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

const prefix = "K10"

// The users that a token names: one joins servers and agents, the other agents only.
const (
	ServerUser = "server"
	NodeUser   = "node"
)

// Token is a parsed token. CAHash is empty in the short form: the joining node then trusts the CA that it is shown.
type Token struct {
	CAHash   string
	User     string
	Password string
}

// Parse reads either form.
func Parse(s string) (Token, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Token{}, errors.New("the token is empty")
	}
	rest, full := strings.CutPrefix(s, prefix)
	if !full || !strings.Contains(s, "::") {
		return Token{Password: s}, nil
	}
	hash, credentials, _ := strings.Cut(rest, "::")
	if b, err := hex.DecodeString(hash); err != nil || len(b) != sha256.Size {
		return Token{}, errors.New("the token's CA hash is not a SHA-256 in hex")
	}
	user, password, ok := strings.Cut(credentials, ":")
	if !ok || user == "" || password == "" {
		return Token{}, errors.New("the token has no user:password after its CA hash")
	}
	return Token{CAHash: hash, User: user, Password: password}, nil
}

// Full is the secure form for the CA file's bytes.
func Full(ca []byte, user, password string) string {
	return fmt.Sprintf("%s%s::%s:%s", prefix, HashCA(ca), user, password)
}

// HashCA is the hash of the CA file as it is stored and served at /cacerts.
func HashCA(ca []byte) string {
	sum := sha256.Sum256(ca)
	return hex.EncodeToString(sum[:])
}

// CheckCA fails when the token names another CA than the one that the server showed.
func (t Token) CheckCA(ca []byte) error {
	if t.CAHash == "" {
		return nil
	}
	if got := HashCA(ca); subtle.ConstantTimeCompare([]byte(got), []byte(t.CAHash)) != 1 {
		return fmt.Errorf("the server's CA has hash %s, the token names %s: this is not the cluster that the token is for", got, t.CAHash)
	}
	return nil
}

// New is a random password.
func New() (string, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return hex.EncodeToString(b), nil
}

// Ensure decides the server's password: what is configured, else what an earlier start wrote to file, else a new one.
// A configured password that differs from the stored one is an error: the cluster's other nodes know the stored one.
func Ensure(configured, file string) (string, error) {
	stored := ""
	if b, err := os.ReadFile(file); err == nil {
		t, err := Parse(string(b))
		if err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
		stored = t.Password
	} else if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if configured == "" {
		if stored != "" {
			return stored, nil
		}
		return New()
	}
	t, err := Parse(configured)
	if err != nil {
		return "", err
	}
	if stored != "" && stored != t.Password {
		return "", fmt.Errorf("the configured token differs from the one that this server was started with (%s)", file)
	}
	return t.Password, nil
}

// Same compares passwords in constant time.
func Same(a, b string) bool { return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
