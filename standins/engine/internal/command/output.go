package command

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"groundwork.dev/standins/engine/internal/provider"
)

// output takes what a command prints: kept for the state, and shown line by line as the logging mode says.
type output struct {
	mu             sync.Mutex
	both           bytes.Buffer
	stdout, stderr stream
}

type stream struct {
	out  *output
	call *provider.Call
	show bool
	all  bytes.Buffer
	line bytes.Buffer
}

func newOutput(c *provider.Call, logging string) *output {
	o := &output{}
	stdout := logging == "" || logging == "stdout" || logging == "stdoutAndStderr"
	stderr := logging == "" || logging == "stderr" || logging == "stdoutAndStderr"
	o.stdout, o.stderr = stream{out: o, call: c, show: stdout}, stream{out: o, call: c, show: stderr}
	return o
}

func (s *stream) Write(p []byte) (int, error) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	s.all.Write(p)
	s.out.both.Write(p)
	s.line.Write(p)
	for {
		b := s.line.Bytes()
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return len(p), nil
		}
		s.print(string(b[:i]))
		s.line.Next(i + 1)
	}
}

func (s *stream) print(line string) {
	if s.show && line != "" {
		s.call.Status(line)
	}
}

// close shows unfinished lines and puts both texts, without the line end at their end, into outs. An error of the run becomes
// one that says what ran and what it printed.
func (o *output) close(c *provider.Call, err error, script string, outs provider.Props) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range []*stream{&o.stdout, &o.stderr} {
		s.print(s.line.String())
		s.line.Reset()
	}
	if err != nil {
		if c.Err() != nil {
			err = c.Err()
		}
		return fmt.Errorf("%w: running %q:\n%s", err, script, o.both.String())
	}
	outs["stdout"] = provider.Value(strings.TrimSuffix(o.stdout.all.String(), "\n"))
	outs["stderr"] = provider.Value(strings.TrimSuffix(o.stderr.all.String(), "\n"))
	return nil
}
