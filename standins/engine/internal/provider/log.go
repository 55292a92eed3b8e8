package provider

import (
	"context"
	"sync"

	rpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// logger sends messages to the engine's display.
type logger struct {
	mu   sync.Mutex
	conn *grpc.ClientConn
}

func (l *logger) connect(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if address == "" || l.conn != nil {
		return
	}
	// A provider that can't log still works: the messages are lost, the results are not.
	if conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())); err == nil {
		l.conn = conn
	}
}

func (l *logger) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		_ = l.conn.Close()
		l.conn = nil
	}
}

func (l *logger) send(ctx context.Context, m *rpc.LogRequest) {
	l.mu.Lock()
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		_, _ = rpc.NewEngineClient(conn).Log(ctx, m)
	}
}

// Info shows a line beside the resource and keeps it in the update's summary.
func (c *Call) Info(message string) { c.log(rpc.LogSeverity_INFO, message, false) }

// Status shows a line beside the resource until the next one.
func (c *Call) Status(message string) { c.log(rpc.LogSeverity_INFO, message, true) }

// Warn shows a warning.
func (c *Call) Warn(message string) { c.log(rpc.LogSeverity_WARNING, message, false) }

func (c *Call) log(severity rpc.LogSeverity, message string, ephemeral bool) {
	c.server.host.send(c, &rpc.LogRequest{Severity: severity, Message: message, Urn: string(c.URN), Ephemeral: ephemeral})
}
