package supervisor

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// passwords keeps each node's password, hashed, in the Secret that K3s uses for it: the first node that comes with a
// name owns it, until someone deletes the Secret.
type passwords struct{ client kubernetes.Interface }

const rounds = 20000

func (p passwords) ensure(ctx context.Context, node, password string) error {
	name := node + ".node-password.k3s"
	secrets := p.client.CoreV1().Secrets("kube-system")
	s, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		h, err := hash(password, nil)
		if err != nil {
			return err
		}
		immutable := true
		_, err = secrets.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system"},
			Immutable:  &immutable, Data: map[string][]byte{"hash": []byte(h)},
		}, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) { // two requests of one node at once
			return p.ensure(ctx, node, password)
		}
		return err
	} else if err != nil {
		return err
	}
	salt, _, _ := strings.Cut(strings.TrimPrefix(string(s.Data["hash"]), "$1:"), ":")
	raw, err := hex.DecodeString(salt)
	if err != nil {
		return fmt.Errorf("secret %s is damaged", name)
	}
	h, err := hash(password, raw)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(h), s.Data["hash"]) != 1 {
		return fmt.Errorf("node password rejected: another machine joined as %q before; delete the secret kube-system/%s if this one replaces it", node, name)
	}
	return nil
}

// hash is "$1:salt:key" of a password; a nil salt makes a new one.
func hash(password string, salt []byte) (string, error) {
	if salt == nil {
		salt = make([]byte, 8)
		if _, err := rand.Read(salt); err != nil {
			return "", err
		}
	}
	key, err := pbkdf2.Key(sha256.New, password, salt, rounds, 32)
	return "$1:" + hex.EncodeToString(salt) + ":" + hex.EncodeToString(key), err
}
