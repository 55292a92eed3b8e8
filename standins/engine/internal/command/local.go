package command

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"groundwork.dev/standins/engine/internal/provider"
)

// commandInputs are those of both kinds of command.
type commandInputs struct {
	Create, Update, Delete *string
	Command                string
	Stdin                  string
	Logging                string
	Dir                    string
	Environment            map[string]string
	Interpreter            []string
	AssetPaths             []string
	ArchivePaths           []string
	AddPreviousOutputInEnv *bool
	Connection             *connection
	Stdout, Stderr         string
}

// previous gives the variables that hand the last run's output, as it stands in outs, to the next one.
func (in *commandInputs) previous(outs provider.Props) map[string]string {
	env := map[string]string{}
	if in.AddPreviousOutputInEnv != nil && !*in.AddPreviousOutputInEnv {
		return env
	}
	for key, name := range map[resource.PropertyKey]string{"stdout": "PULUMI_COMMAND_STDOUT", "stderr": "PULUMI_COMMAND_STDERR"} {
		if text, ok := provider.Plain(outs[key]).(string); ok && text != "" {
			env[name] = text
		}
	}
	return env
}

func localCommand() *provider.Resource {
	run := func(c *provider.Call, in *commandInputs, script string, outs provider.Props) error {
		if err := runLocal(c, in, script, outs); err != nil {
			return err
		}
		return addAssets(in, outs)
	}
	return lifecycle(&provider.Resource{
		Inputs: map[string]provider.Field{
			"create": str, "update": str, "delete": str, "stdin": str, "dir": str, "logging": logging, "triggers": triggers,
			"environment": strMap, "interpreter": strList, "assetPaths": strList, "archivePaths": strList,
			"addPreviousOutputInEnv": boolean,
		},
		Outputs: map[string]provider.Field{"stdout": str, "stderr": str, "assets": {}, "archive": {}},
	}, run)
}

// runner runs a script and puts what it printed into outs, in which the output of the run before it stands.
type runner func(c *provider.Call, in *commandInputs, script string, outs provider.Props) error

// lifecycle gives a command resource its operations. Output is no secret because an input is one, as in the official provider: a
// program that prints secrets says additionalSecretOutputs. Update runs the update script, or create when there is none, and delete
// runs the delete script with the state's connection.
func lifecycle(r *provider.Resource, run runner) *provider.Resource {
	r.Create = func(c *provider.Call) (string, provider.Props, error) {
		var in commandInputs
		if err := c.Decode(&in); err != nil {
			return "", nil, err
		}
		outs := provider.PropsOf(map[string]any{"stdout": "", "stderr": ""})
		if in.Create != nil {
			if err := run(c, &in, *in.Create, outs); err != nil {
				return "", nil, err
			}
		}
		return uniqueID(c.Name), outs, nil
	}
	r.Update = func(c *provider.Call) (provider.Props, error) {
		var in commandInputs
		if err := c.Decode(&in); err != nil {
			return nil, err
		}
		outs := provider.Props{}
		for k := range r.Outputs {
			if v, has := c.State[provider.Key(k)]; has {
				outs[provider.Key(k)] = v
			}
		}
		script := in.Update
		if script == nil {
			script = in.Create
		}
		if script == nil {
			return outs, nil
		}
		if err := run(c, &in, *script, outs); err != nil {
			return nil, err
		}
		return outs, nil
	}
	r.Delete = func(c *provider.Call) error {
		var in commandInputs
		if err := provider.Decode(c.State, &in); err != nil || in.Delete == nil {
			return err
		}
		return run(c, &in, *in.Delete, c.State)
	}
	return r
}

// runLocal runs a script here. The child and what it started end with the context.
func runLocal(c *provider.Call, in *commandInputs, script string, outs provider.Props) error {
	words := in.Interpreter
	if len(words) == 0 {
		words = []string{"/bin/sh", "-c"}
	}
	cmd := exec.Command(words[0], append(append([]string{}, words[1:]...), script)...)
	cmd.Dir = in.Dir
	cmd.Env = os.Environ()
	for _, env := range []map[string]string{in.Environment, in.previous(outs)} {
		for k, v := range env {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
	}
	if in.Stdin != "" {
		cmd.Stdin = strings.NewReader(in.Stdin)
	}
	out := newOutput(c, in.Logging)
	cmd.Stdout, cmd.Stderr = &out.stdout, &out.stderr
	cmd.WaitDelay = time.Second
	// The thread that starts the child has to live as long as the child, or the death signal comes too early.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(c, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err := cmd.Wait()
	stop()
	return out.close(c, err, script, outs)
}

func localRun() *provider.Function {
	return &provider.Function{
		Inputs: map[string]provider.Field{
			"command": {Kind: provider.String, Required: true}, "stdin": str, "dir": str, "logging": logging, "environment": strMap,
			"interpreter": strList, "assetPaths": strList, "archivePaths": strList, "addPreviousOutputInEnv": boolean,
		},
		Run: func(c *provider.Call) (provider.Props, error) {
			var in commandInputs
			if err := c.Decode(&in); err != nil {
				return nil, err
			}
			outs := provider.Props{}
			for k, v := range c.Inputs {
				outs[k] = v
			}
			if err := runLocal(c, &in, in.Command, outs); err != nil {
				return nil, err
			}
			return outs, addAssets(&in, outs)
		},
	}
}
