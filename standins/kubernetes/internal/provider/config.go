package provider

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"groundwork.dev/standins/kubernetes/internal/objdiff"
)

// config is the provider resource's configuration, after defaults and environment variables.
type config struct {
	namespace             string
	serverSideApply       bool
	patchForce            bool
	upsert                bool
	deleteUnreachable     bool
	skipUpdateUnreachable bool
	mutable               objdiff.Mutability
	// renderTo is the directory to which objects are written instead of to a cluster; empty otherwise.
	renderTo string
}

// Limits of requests to the API server: the official provider's defaults.
const (
	defaultQPS   = 50
	defaultBurst = 120
)

// clientSettings is the kubeClientSettings option; timeout is in seconds.
type clientSettings struct {
	QPS     *float64 `json:"qps"`
	Burst   *int     `json:"burst"`
	Timeout *int     `json:"timeout"`
}

// readConfig takes the options from the engine's variables, each with its environment variable as the fallback.
func readConfig(vars map[string]string) config {
	flag := func(name, env string, byDefault bool) bool {
		if value, ok := vars["kubernetes:config:"+name]; ok {
			return value == "true"
		}
		if value, ok := os.LookupEnv(env); ok {
			return value == "true"
		}
		return byDefault
	}
	return config{
		namespace:             vars["kubernetes:config:namespace"],
		serverSideApply:       flag("enableServerSideApply", "PULUMI_K8S_ENABLE_SERVER_SIDE_APPLY", true),
		patchForce:            flag("enablePatchForce", "PULUMI_K8S_ENABLE_PATCH_FORCE", false),
		upsert:                flag("upsertExistingObjects", "PULUMI_K8S_UPSERT_EXISTING_OBJECTS", false),
		deleteUnreachable:     flag("deleteUnreachable", "PULUMI_K8S_DELETE_UNREACHABLE", false),
		skipUpdateUnreachable: flag("skipUpdateUnreachable", "PULUMI_K8S_SKIP_UPDATE_UNREACHABLE", false),
		mutable: objdiff.Mutability{
			ConfigMaps: flag("enableConfigMapMutable", "PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE", false),
			Secrets:    flag("enableSecretMutable", "PULUMI_K8S_ENABLE_SECRET_MUTABLE", false),
		},
		renderTo: vars["kubernetes:config:renderYamlToDirectory"],
	}
}

// restConfig finds the cluster: the kubeconfig option (content or path), else what client-go finds in the environment.
// namespace is where objects without one go.
func restConfig(vars map[string]string, namespace string) (*rest.Config, string, error) {
	overrides := &clientcmd.ConfigOverrides{
		CurrentContext: vars["kubernetes:config:context"],
		Context:        clientcmdapi.Context{Cluster: vars["kubernetes:config:cluster"], Namespace: namespace},
	}
	var loader clientcmd.ClientConfig
	if given := vars["kubernetes:config:kubeconfig"]; given != "" {
		kubeconfig, err := parseKubeconfig(given)
		if err != nil {
			return nil, namespace, err
		}
		loader = clientcmd.NewDefaultClientConfig(*kubeconfig, overrides)
	} else {
		loader = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), overrides)
	}
	if found, _, err := loader.Namespace(); err == nil {
		namespace = found
	}
	restConfig, err := loader.ClientConfig()
	if err != nil {
		return nil, namespace, fmt.Errorf("unable to load the kubeconfig: %w", err)
	}
	return restConfig, namespace, limit(restConfig, vars["kubernetes:config:kubeClientSettings"])
}

// limit sets the client's rates and timeout.
func limit(restConfig *rest.Config, option string) error {
	var settings clientSettings
	if option != "" {
		if err := json.Unmarshal([]byte(option), &settings); err != nil {
			return fmt.Errorf("kubeClientSettings: %w", err)
		}
	}
	number := func(env string, option *float64, byDefault float64) (float64, error) {
		if option != nil {
			return *option, nil
		}
		text := os.Getenv(env)
		if text == "" {
			return byDefault, nil
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %q is no number", env, text)
		}
		return value, nil
	}
	widen := func(n *int) *float64 {
		if n == nil {
			return nil
		}
		value := float64(*n)
		return &value
	}
	qps, err := number("PULUMI_K8S_CLIENT_QPS", settings.QPS, defaultQPS)
	if err != nil {
		return err
	}
	burst, err := number("PULUMI_K8S_CLIENT_BURST", widen(settings.Burst), defaultBurst)
	if err != nil {
		return err
	}
	timeout, err := number("PULUMI_K8S_CLIENT_TIMEOUT", widen(settings.Timeout), 0)
	if err != nil {
		return err
	}
	restConfig.QPS, restConfig.Burst = float32(qps), int(burst)
	restConfig.Timeout = time.Duration(timeout * float64(time.Second))
	restConfig.WarningHandler = rest.NoWarnings{}
	restConfig.UserAgent = "pulumi-resource-kubernetes/stand-in"
	return nil
}

// parseKubeconfig takes a kubeconfig's content, or the path of one; ~ is the home directory.
func parseKubeconfig(contentOrPath string) (*clientcmdapi.Config, error) {
	content := []byte(contentOrPath)
	if !strings.ContainsAny(contentOrPath, "\n{") {
		path := contentOrPath
		if rest, ok := strings.CutPrefix(path, "~"); ok && (rest == "" || rest[0] == '/') {
			home, err := os.UserHomeDir()
			if err != nil {
				return nil, err
			}
			path = filepath.Join(home, rest)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("the kubeconfig is neither content nor a file that can be read: %w", withoutPath(err))
		}
		content = file
	}
	kubeconfig, err := clientcmd.Load(content)
	if err != nil {
		// The error of the decoder may quote the content, which has credentials in it.
		return nil, fmt.Errorf("the kubeconfig cannot be parsed")
	}
	return kubeconfig, nil
}

// withoutPath drops the path from a file error: what was meant as content must not be repeated in a message.
func withoutPath(err error) error {
	if pathError, ok := err.(*os.PathError); ok {
		return pathError.Err
	}
	return err
}
