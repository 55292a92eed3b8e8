// Package engine talks back to the Pulumi engine that started the plugin.
package engine

import (
	"context"
	"sync"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Log writes messages and status lines of resources to the engine. The zero value drops everything, which suits tests
// and the time before the engine attached.
type Log struct {
	mu     sync.Mutex
	client pulumirpc.EngineClient
}

// Connect sends everything from now on to the engine at address.
func (l *Log) Connect(address string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = pulumirpc.NewEngineClient(conn)
	return nil
}

// Info, Warn and Error leave a message with the resource; Status replaces the line that the engine shows while it works.
func (l *Log) Info(ctx context.Context, urn, message string) {
	l.send(ctx, pulumirpc.LogSeverity_INFO, urn, message, false)
}

// Warn leaves a warning with the resource.
func (l *Log) Warn(ctx context.Context, urn, message string) {
	l.send(ctx, pulumirpc.LogSeverity_WARNING, urn, message, false)
}

// Status shows message beside the resource until the next one; an empty message clears it.
func (l *Log) Status(ctx context.Context, urn, message string) {
	l.send(ctx, pulumirpc.LogSeverity_INFO, urn, message, true)
}

// send ignores errors: a lost log line must not fail a deployment.
func (l *Log) send(ctx context.Context, severity pulumirpc.LogSeverity, urn, message string, ephemeral bool) {
	l.mu.Lock()
	client := l.client
	l.mu.Unlock()
	if client == nil {
		return
	}
	_, _ = client.Log(context.WithoutCancel(ctx), &pulumirpc.LogRequest{
		Severity: severity, Message: message, Urn: urn, Ephemeral: ephemeral,
	})
}
