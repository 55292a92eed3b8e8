// Package supervise runs the node's components as child processes: restarted with back-off, ended with the parent.
package supervise

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A child that dies this often within window is given up: something about the machine or the settings is wrong, and the
// service manager should see the whole node fail, with the reason, rather than a node that looks up.
const (
	maxDeaths  = 6
	window     = 3 * time.Minute
	firstPause = 500 * time.Millisecond
	maxPause   = 15 * time.Second
	stopGrace  = 5 * time.Second // the API server would wait a minute for its watches
)

// Child is one component.
type Child struct {
	Name string   // as in the journal
	Args []string // argv; argv[0] chooses the component in the multi-call binary
	Env  []string // added to the parent's
	Log  io.Writer
	// Verbose keeps klog's information lines: a node writes thousands of them at each start.
	Verbose bool
	// Store marks what the others depend on to the end: it is stopped after them.
	Store bool
}

// Group runs children until it is stopped. The zero value is not usable: see New.
type Group struct {
	// Verbose is every child's default.
	Verbose bool

	fatal chan error
	spawn chan func()
	mu    sync.Mutex
	stops [2][]func() // stores last
}

// New starts the group's launcher: one goroutine, locked to its thread for good, because the kernel sends a child its
// parent-death signal when the thread that forked it ends, not the process.
func New() *Group {
	g := &Group{fatal: make(chan error, 1), spawn: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range g.spawn {
			f()
		}
	}()
	return g
}

// Fatal yields the reason for which the node can't go on.
func (g *Group) Fatal() <-chan error { return g.fatal }

// Fail reports such a reason.
func (g *Group) Fail(err error) {
	select {
	case g.fatal <- err:
	default:
	}
}

// Start runs c and keeps it running.
func (g *Group) Start(c Child) {
	c.Verbose = c.Verbose || g.Verbose
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	phase := 0
	if c.Store {
		phase = 1
	}
	g.mu.Lock()
	g.stops[phase] = append(g.stops[phase], func() { cancel(); <-done })
	g.mu.Unlock()
	go func() {
		defer close(done)
		g.keep(ctx, c)
	}()
}

// Stop ends all children at once, the stores after them, each with SIGTERM and after a grace with SIGKILL.
func (g *Group) Stop() {
	g.mu.Lock()
	stops := g.stops
	g.stops = [2][]func(){}
	g.mu.Unlock()
	for _, phase := range stops {
		var all sync.WaitGroup
		for _, stop := range phase {
			all.Go(stop)
		}
		all.Wait()
	}
}

func (g *Group) keep(ctx context.Context, c Child) {
	var deaths []time.Time
	pause := firstPause
	for {
		started := time.Now()
		last, err := g.run(ctx, c)
		if ctx.Err() != nil {
			return
		}
		now := time.Now()
		reason := fmt.Sprintf("%s ended after %s (%v)", c.Name, now.Sub(started).Round(time.Millisecond), err)
		if last != "" {
			reason += ": " + last
		}
		fmt.Fprintln(c.Log, reason)
		deaths = append(deaths, now)
		for len(deaths) > 0 && now.Sub(deaths[0]) > window {
			deaths = deaths[1:]
		}
		if len(deaths) >= maxDeaths {
			g.Fail(fmt.Errorf("%s keeps ending: %s", c.Name, reason))
			return
		}
		if now.Sub(started) > window {
			pause = firstPause
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, maxPause)
	}
}

// run is one life of c. It returns the last line that looked like an error.
func (g *Group) run(ctx context.Context, c Child) (string, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	// The running program's own file, even where an update has replaced it on disk.
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: c.Args, Env: append(os.Environ(), c.Env...), Stdout: w, Stderr: w}
	// Own process group: a signal to the service manager's main process is ours to pass on.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	g.spawn <- func() { started <- cmd.Start() }
	err = <-started
	w.Close()
	if err != nil {
		return "", err
	}
	lines := make(chan string, 1)
	go func() { lines <- relay(r, c) }()
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	select {
	case err = <-exited:
	case <-ctx.Done():
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err = <-exited:
		case <-time.After(stopGrace):
			_ = cmd.Process.Kill()
			err = <-exited
		}
	}
	select {
	case last := <-lines:
		return last, err
	case <-time.After(time.Second): // a grandchild may hold the pipe
		return "", err
	}
}

// relay copies the child's output line by line under its name.
func relay(r io.Reader, c Child) (last string) {
	b := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := b.ReadString('\n')
		if line = strings.TrimRight(line, "\n"); line != "" && (c.Verbose || !information(line)) {
			fmt.Fprintf(c.Log, "%s: %s\n", c.Name, line)
			if interesting(line) {
				last = line
			}
		}
		if err != nil {
			return last
		}
	}
}

// information tells whether a line has klog's form of level I: I1120 23:05:36.219018 ...
func information(line string) bool {
	return len(line) > 5 && line[0] == 'I' && line[5] == ' ' && strings.Trim(line[1:5], "0123456789") == ""
}

// interesting tells whether a line may say why a component ended: klog's E and F, or the word itself.
func interesting(line string) bool {
	if line[0] == 'E' || line[0] == 'F' {
		return true
	}
	l := strings.ToLower(line)
	return strings.Contains(l, "error") || strings.Contains(l, "fatal") || strings.Contains(l, "panic") || strings.Contains(l, "failed")
}
