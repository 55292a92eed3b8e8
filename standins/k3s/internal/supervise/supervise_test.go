package supervise

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The test binary is its own child: argv[0] says what it is to do.
func TestMain(m *testing.M) {
	switch os.Args[0] {
	case "sleeper":
		fmt.Println("I1120 23:05:36.219018     103 file.go:1] information")
		fmt.Println("pid", os.Getpid())
		time.Sleep(time.Minute)
		os.Exit(0)
	case "dying":
		fmt.Println("E1120 23:05:36.219018     103 file.go:1] no such luck")
		os.Exit(3)
	}
	os.Exit(m.Run())
}

type log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// await polls until f holds, for 10 s.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func pids(l *log) (out []int) {
	for _, line := range strings.Split(l.String(), "\n") {
		if s, ok := strings.CutPrefix(line, "child: pid "); ok {
			if n, err := strconv.Atoi(s); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

func TestAKilledChildComesBackAndStopEndsIt(t *testing.T) {
	l, g := &log{}, New()
	g.Start(Child{Name: "child", Args: []string{"sleeper"}, Log: l})
	await(t, "the first life", func() bool { return len(pids(l)) == 1 })
	if err := syscall.Kill(pids(l)[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "the second life", func() bool { return len(pids(l)) == 2 })
	g.Stop()
	if err := syscall.Kill(pids(l)[1], 0); err == nil {
		t.Fatal("a child outlived Stop")
	}
	if strings.Contains(l.String(), "information") {
		t.Fatal("information lines belong into a verbose journal only")
	}
	select {
	case err := <-g.Fatal():
		t.Fatalf("one death is no reason to give up: %v", err)
	default:
	}
}

func TestAReasonIsReportedWhenAChildEnds(t *testing.T) {
	l, g := &log{}, New()
	g.Start(Child{Name: "child", Args: []string{"dying"}, Log: l})
	await(t, "the reason", func() bool {
		return strings.Contains(l.String(), "child ended after") && strings.Contains(l.String(), "exit status 3") && strings.Contains(l.String(), "no such luck")
	})
	g.Stop()
}
