// Package cloud opens the API of Hetzner Cloud by the environment variables that Hetzner's programs document.
package cloud

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
)

// Open makes a client from HCLOUD_TOKEN or HCLOUD_TOKEN_FILE, and HCLOUD_ENDPOINT where it is set.
func Open(application string) (*hcloud.Client, error) {
	token, err := setting("HCLOUD_TOKEN")
	if err != nil {
		return nil, err
	}
	if token == "" {
		return nil, fmt.Errorf("no token: set HCLOUD_TOKEN_FILE to a file that holds it, or HCLOUD_TOKEN")
	}
	options := []hcloud.ClientOption{
		hcloud.WithToken(token),
		hcloud.WithApplication(application, "stand-in"),
		hcloud.WithHTTPClient(&http.Client{Timeout: 15 * time.Second}),
		hcloud.WithPollOpts(hcloud.PollOpts{BackoffFunc: hcloud.ConstantBackoff(time.Second)}),
	}
	if endpoint := os.Getenv("HCLOUD_ENDPOINT"); endpoint != "" {
		options = append(options, hcloud.WithEndpoint(endpoint))
	}
	return hcloud.NewClient(options...), nil
}

// Flag reads a boolean variable.
func Flag(name string, otherwise bool) (bool, error) {
	text, set := os.LookupEnv(name)
	if !set {
		return otherwise, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("%s is %q: it must be true or false", name, text)
	}
	return value, nil
}

// setting reads a variable, or the file that its _FILE form names.
func setting(name string) (string, error) {
	value, file := os.Getenv(name), os.Getenv(name+"_FILE")
	switch {
	case value != "" && file != "":
		return "", fmt.Errorf("both %s and %s_FILE are set: set one of them", name, name)
	case file == "":
		return value, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	return strings.TrimSpace(string(content)), nil
}
