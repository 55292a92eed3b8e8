package await

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/jsonpath"
)

// parseWaitFor reads the pulumi.com/waitFor annotation: one expression, or a JSON array of which all must hold.
//
//	jsonpath={.status.phase}=Running    the field has this value
//	jsonpath={.status.address}          the field is there
//	condition=Ready                     the condition is True
//	condition=Ready=Unknown             the condition has this status
func parseWaitFor(annotation string) (check, error) {
	var expressions []string
	if json.Unmarshal([]byte(annotation), &expressions) != nil {
		expressions = []string{annotation}
	}
	if len(expressions) == 0 {
		return nil, fmt.Errorf("annotation pulumi.com/waitFor: at least one condition must be specified")
	}
	tests := make([]check, len(expressions))
	for i, expression := range expressions {
		test, err := parseExpression(expression)
		if err != nil {
			return nil, fmt.Errorf("annotation pulumi.com/waitFor: %w", err)
		}
		tests[i] = test
	}
	return func(ctx context.Context, w *Waiter, obj *unstructured.Unstructured) (verdict, error) {
		for _, test := range tests {
			if v, err := test(ctx, w, obj); err != nil || !v.ready {
				return v, err
			}
		}
		return done(), nil
	}, nil
}

func parseExpression(expression string) (check, error) {
	if rest, ok := strings.CutPrefix(expression, "condition="); ok {
		return conditionCheck(rest)
	}
	if rest, ok := strings.CutPrefix(expression, "jsonpath="); ok {
		return jsonPathCheck(rest)
	}
	return nil, fmt.Errorf("expected a \"jsonpath=\" or \"condition=\" prefix, got %q", expression)
}

func conditionCheck(expression string) (check, error) {
	kind, want, given := strings.Cut(expression, "=")
	if !given {
		want = "True"
	}
	if kind == "" {
		return nil, fmt.Errorf("condition= names no condition")
	}
	return func(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
		// A condition that tells which generation it is about counts only for the latest.
		for _, c := range items(obj.Object, "status", "conditions") {
			if strings.EqualFold(text(c, "type"), kind) {
				if seen := integer(c, "observedGeneration"); seen > 0 && seen < obj.GetGeneration() {
					return waiting("waiting for condition %s=%s of the latest generation", kind, want), nil
				}
				if got := text(c, "status"); strings.EqualFold(got, want) {
					return done(), nil
				}
				return waiting("waiting for condition %s=%s (%s: %s)", kind, want, text(c, "reason"), text(c, "message")), nil
			}
		}
		return waiting("waiting for condition %s=%s", kind, want), nil
	}, nil
}

func jsonPathCheck(expression string) (check, error) {
	path, want, given, err := splitJSONPath(expression)
	if err != nil {
		return nil, err
	}
	template := jsonpath.New("waitFor").AllowMissingKeys(true)
	if err := template.Parse(path); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return func(_ context.Context, _ *Waiter, obj *unstructured.Unstructured) (verdict, error) {
		results, err := template.FindResults(obj.Object)
		if err != nil || len(results) == 0 || len(results[0]) == 0 || !results[0][0].IsValid() {
			return waiting("waiting for %s", expression), nil
		}
		value := results[0][0].Interface()
		if !given {
			return done(), nil
		}
		switch value.(type) {
		case map[string]any, []any:
			return verdict{}, fmt.Errorf("annotation pulumi.com/waitFor: %s has no simple value", path)
		}
		var found bytes.Buffer
		fmt.Fprint(&found, value)
		if found.String() == want {
			return done(), nil
		}
		return waiting("waiting for %s (now %s)", expression, found.String()), nil
	}, nil
}

// splitJSONPath parts {.path}=value at the = behind the closing brace, since a path may compare with == itself.
func splitJSONPath(expression string) (path, want string, given bool, err error) {
	end := strings.LastIndex(expression, "}")
	if !strings.HasPrefix(expression, "{") || end < 0 {
		return "", "", false, fmt.Errorf("jsonpath should be {.path} or {.path}=value, got %q", expression)
	}
	path, rest := expression[:end+1], expression[end+1:]
	if rest == "" {
		return path, "", false, nil
	}
	want, given = strings.CutPrefix(rest, "=")
	if !given || want == "" {
		return "", "", false, fmt.Errorf("jsonpath should be {.path} or {.path}=value, got %q", expression)
	}
	return path, want, true, nil
}
