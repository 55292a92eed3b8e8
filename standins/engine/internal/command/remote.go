package command

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"groundwork.dev/standins/engine/internal/provider"
)

func remoteCommand() *provider.Resource {
	return lifecycle(&provider.Resource{
		Inputs: map[string]provider.Field{
			"connection": connectionField(), "create": str, "update": str, "delete": str, "stdin": str, "logging": logging,
			"triggers": triggers, "environment": strMap, "addPreviousOutputInEnv": boolean,
		},
		Outputs: map[string]provider.Field{"stdout": str, "stderr": str},
	}, runRemote)
}

// runRemote runs a script on the other machine by its user's login shell. Environment values go in by the protocol's own
// request, so sshd's AcceptEnv decides about them, and no secret shows in a process list there.
func runRemote(c *provider.Call, in *commandInputs, script string, outs provider.Props) error {
	client, done, err := dial(c, in.Connection)
	if err != nil {
		return err
	}
	defer done()
	session, err := client.NewSession()
	if err != nil {
		return err
	}
	defer session.Close()
	for k, v := range in.Environment {
		if err := session.Setenv(k, v); err != nil {
			return fmt.Errorf("could not set environment variable %q (the SSH server takes those that its AcceptEnv lists; "+
				"else put 'NAME=value' before the command): %w", k, err)
		}
	}
	// The last output is an extra that few servers accept.
	for k, v := range in.previous(outs) {
		if err := session.Setenv(k, v); err != nil {
			c.Warn("the SSH server does not accept " + k + " (its AcceptEnv decides)")
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
	return out.close(c, err, script, outs)
}
