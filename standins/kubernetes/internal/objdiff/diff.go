// Package objdiff compares an object as it was with an object as it should be, property by property, and says which
// differences the API server can only meet with a new object.
package objdiff

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Change is one difference: where, and of what kind.
type Change struct {
	Path []any // map keys (string) and positions (int)
	Kind pulumirpc.PropertyDiff_Kind
	// Value is the new value, nil for a deletion: an added object may hold fields that force a replacement.
	Value any
}

// Key is the change's path as the engine writes property paths: spec.containers[0].env, labels["app.io/name"].
func (c Change) Key() string {
	var key strings.Builder
	for _, step := range c.Path {
		switch s := step.(type) {
		case int:
			fmt.Fprintf(&key, "[%d]", s)
		case string:
			switch {
			case strings.ContainsAny(s, `."[]`):
				fmt.Fprintf(&key, `["%s"]`, strings.ReplaceAll(s, `"`, `\"`))
			case key.Len() > 0:
				key.WriteString("." + s)
			default:
				key.WriteString(s)
			}
		}
	}
	return key.String()
}

// Compare lists what differs between the old object (as the cluster last had it, pruned to the old inputs) and the new
// inputs. A null in the new inputs means absent, as Kubernetes reads it. A value that is not known yet always differs.
func Compare(old, new map[string]any) []Change {
	var changes []Change
	compareMaps(nil, old, new, &changes)
	return changes
}

func compareMaps(path []any, old, new map[string]any, changes *[]Change) {
	for key, value := range new {
		before, had := old[key]
		compareValues(step(path, key), before, had && before != nil, value, value != nil, changes)
	}
	for key, before := range old {
		if _, kept := new[key]; !kept && before != nil {
			compareValues(step(path, key), before, true, nil, false, changes)
		}
	}
}

func compareValues(path []any, old any, had bool, new any, has bool, changes *[]Change) {
	add := func(kind pulumirpc.PropertyDiff_Kind, value any) {
		*changes = append(*changes, Change{Path: path, Kind: kind, Value: value})
	}
	switch {
	case !had && !has:
	case !has:
		add(pulumirpc.PropertyDiff_DELETE, nil)
	case !had:
		add(pulumirpc.PropertyDiff_ADD, new)
	default:
		switch n := new.(type) {
		case resource.Computed, resource.Output:
			add(pulumirpc.PropertyDiff_UPDATE, new)
		case map[string]any:
			if o, ok := old.(map[string]any); ok {
				compareMaps(path, o, n, changes)
				return
			}
			add(pulumirpc.PropertyDiff_UPDATE, new)
		case []any:
			if o, ok := old.([]any); ok {
				for i := 0; i < len(o) || i < len(n); i++ {
					compareValues(step(path, i), at(o, i), i < len(o), at(n, i), i < len(n), changes)
				}
				return
			}
			add(pulumirpc.PropertyDiff_UPDATE, new)
		default:
			if !sameScalar(old, new) {
				add(pulumirpc.PropertyDiff_UPDATE, new)
			}
		}
	}
}

// step extends a path without sharing its array with other paths.
func step(path []any, next any) []any {
	return append(append(make([]any, 0, len(path)+1), path...), next)
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// sameScalar compares values of which numbers may be of different Go types.
func sameScalar(a, b any) bool {
	x, xIsNumber := number(a)
	y, yIsNumber := number(b)
	if xIsNumber && yIsNumber {
		return x == y
	}
	return reflect.DeepEqual(a, b)
}

func number(value any) (float64, bool) {
	v := reflect.ValueOf(value)
	switch {
	case value == nil:
		return 0, false
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// Replacing gives a change's kind as one that forces a replacement.
func Replacing(kind pulumirpc.PropertyDiff_Kind) pulumirpc.PropertyDiff_Kind {
	switch kind {
	case pulumirpc.PropertyDiff_ADD:
		return pulumirpc.PropertyDiff_ADD_REPLACE
	case pulumirpc.PropertyDiff_DELETE:
		return pulumirpc.PropertyDiff_DELETE_REPLACE
	case pulumirpc.PropertyDiff_UPDATE:
		return pulumirpc.PropertyDiff_UPDATE_REPLACE
	default:
		return kind
	}
}
