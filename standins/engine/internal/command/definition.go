// Package command stands in for the official command provider: commands that run here or over SSH, and copies over SFTP.
package command

import (
	"crypto/rand"
	"encoding/hex"

	"groundwork.dev/standins/engine/internal/provider"
)

var (
	str      = provider.Field{Kind: provider.String}
	secret   = provider.Field{Kind: provider.String, Secret: true}
	boolean  = provider.Field{Kind: provider.Bool}
	triggers = provider.Field{Kind: provider.List, Replace: true}
	strList  = provider.Field{Kind: provider.List, Elem: &str}
	strMap   = provider.Field{Kind: provider.Map, Elem: &str}
	logging  = provider.Field{Kind: provider.String, OneOf: []string{"stdout", "stderr", "stdoutAndStderr", "none"}}
)

// Definition describes the provider.
func Definition(version string) *provider.Definition {
	return &provider.Definition{
		Name: "command", Version: version,
		Resources: map[string]*provider.Resource{
			"command:local:Command":       localCommand(),
			"command:remote:Command":      remoteCommand(),
			"command:remote:CopyToRemote": copyToRemote(),
			"command:remote:CopyFile":     copyFile(),
		},
		Functions: map[string]*provider.Function{"command:local:run": localRun()},
	}
}

// connectionField describes how to reach a machine. The whole of it is a secret, as it holds the key.
func connectionField() provider.Field {
	fields := func() map[string]provider.Field {
		return map[string]provider.Field{
			"agentSocketPath": str, "hostKey": str, "password": secret, "privateKey": secret, "privateKeyPassword": secret,
			"host":           {Kind: provider.String, Required: true},
			"user":           {Kind: provider.String, Default: "root"},
			"port":           {Kind: provider.Number, Default: 22.0},
			"dialErrorLimit": {Kind: provider.Integer, Default: 10.0},
			"perDialTimeout": {Kind: provider.Integer, Default: 15.0},
		}
	}
	all := fields()
	all["proxy"] = provider.Field{Kind: provider.Object, Fields: fields()}
	return provider.Field{Kind: provider.Object, Fields: all, Required: true, Secret: true}
}

// uniqueID makes an id of the resource's name and a random ending.
func uniqueID(name string) string {
	b := make([]byte, 4)
	_, _ = rand.Read(b)
	return name + hex.EncodeToString(b)
}
