package nodehost

import (
	"context"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// grace is how long node may take to end after it was asked to.
const grace = 5 * time.Second

// run runs a child that can't outlive this process. The kernel sends the death signal when the thread that started the child
// ends, so the goroutine keeps its thread until the child has ended.
func (h *host) run(ctx context.Context, cmd *exec.Cmd) error { return h.runUntil(ctx, cmd, cmd.Wait) }

// runUntil is run with another way to wait for the child's end.
func (h *host) runUntil(ctx context.Context, cmd *exec.Cmd, wait func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-h.ctx.Done():
		case <-ended:
			return
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-time.After(grace):
			_ = cmd.Process.Kill()
		case <-ended:
		}
	}()
	err := wait()
	close(ended)
	return err
}
