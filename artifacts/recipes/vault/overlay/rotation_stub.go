package vault

import (
	"context"
	"errors"

	"github.com/hashicorp/vault/sdk/rotation"
)

// errNoRotation answers what only the enterprise edition does.
var errNoRotation = errors.New("automatic root rotation is not part of this edition")

// The published sdk's SystemView asks for these two; the module of this version was released before them.

func (dynamicSystemView) RegisterRotationJob(context.Context, *rotation.RotationJob) (string, error) {
	return "", errNoRotation
}

func (dynamicSystemView) DeregisterRotationJob(context.Context, string) error {
	return errNoRotation
}
