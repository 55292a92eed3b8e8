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
	show           bool
}

type stream struct {
	out  *output
	call *provider.Call
	show bool
	all  bytes.Buffer
	line bytes.Buffer
}

func newOutput(c *provider.Call, logging string) *output {
	o := &output{show: logging != "none"}
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
		s.call.Info(line)
	}
}

// close shows unfinished lines and gives both texts without the line ends at their ends.
func (o *output) close() (string, string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range []*stream{&o.stdout, &o.stderr} {
		s.print(s.line.String())
		s.line.Reset()
	}
	return strings.TrimRight(o.stdout.all.String(), "\r\n"), strings.TrimRight(o.stderr.all.String(), "\r\n")
}

// failure makes the error of a command that failed. With logging none the output stays out of it, since it may hold secrets.
func (o *output) failure(err error, script string) error {
	if !o.show {
		return fmt.Errorf("%w: running a command whose logging is none", err)
	}
	return fmt.Errorf("%w: running %q:\n%s", err, script, o.both.String())
}
