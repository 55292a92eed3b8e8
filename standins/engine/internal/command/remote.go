package command

import (
	"context"
	"strings"

	"golang.org/x/crypto/ssh"

	"groundwork.dev/standins/engine/internal/provider"
)

func remoteCommand() *provider.Resource {
	return lifecycle(&provider.Resource{
		Inputs: map[string]provider.Field{
			"connection": connectionField(), "create": str, "update": str, "delete": str, "stdin": str, "logging": logging,
			"triggers": triggers, "environment": strMap, "addPreviousOutputInEnv": {Kind: provider.Bool, Default: true},
		},
		Outputs: map[string]provider.Field{"stdout": str, "stderr": str},
	}, runRemote)
}

// runRemote runs a script on the other machine by its user's login shell. Environment values go in by the protocol's own
// request, so sshd's AcceptEnv decides about them, and no secret shows in a process list there.
func runRemote(c *provider.Call, in *commandInputs, script string, env map[string]string) (provider.Props, error) {
	client, done, err := dial(c, in.Connection)
	if err != nil {
		return nil, err
	}
	defer done()
	session, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	defer session.Close()
	for k, v := range env {
		if err := session.Setenv(k, v); err != nil {
			c.Warn("the SSH server did not take the environment variable " + k + " (its AcceptEnv decides)")
		}
	}
	if in.Stdin != "" {
		session.Stdin = strings.NewReader(in.Stdin)
	}
	out := newOutput(c, in.Logging)
	session.Stdout, session.Stderr = &out.stdout, &out.stderr
	stop := context.AfterFunc(c, func() { _ = session.Signal(ssh.SIGKILL); _ = client.Close() })
	err = session.Run(script)
	stop()
	stdout, stderr := out.close()
	if err != nil {
		if c.Err() != nil {
			err = c.Err()
		}
		return nil, out.failure(err, script)
	}
	return provider.PropsOf(map[string]any{"stdout": stdout, "stderr": stderr}), nil
}
