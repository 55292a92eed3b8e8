package hcloud

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
)

// object is a JSON object of the API, or the plain form of a resource's properties.
type object = map[string]any

// api speaks to the cloud. hcloud-go does what needs care: rate limits, repeats, error codes and waiting for actions.
type api struct{ client *hcloud.Client }

// lockedFor is how long a resource on which another action runs is asked again.
const lockedFor = 2 * time.Minute

// do sends a request, waits for the actions that it started and gives the answer.
func (a *api) do(ctx context.Context, method, path string, body object) (object, error) {
	if a.client == nil {
		return nil, fmt.Errorf("the hcloud provider has no token: set hcloud:token or HCLOUD_TOKEN")
	}
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	for until := time.Now().Add(lockedFor); ; {
		req, err := a.client.NewRequest(ctx, method, "/"+path, bytes.NewReader(sent))
		if err != nil {
			return nil, err
		}
		// Most deletions are answered without a body, which a JSON target would take for an error.
		var raw bytes.Buffer
		_, err = a.client.Do(req, &raw)
		if (hcloud.IsError(err, hcloud.ErrorCodeLocked) || hcloud.IsError(err, hcloud.ErrorCodeConflict)) && time.Now().Before(until) {
			select {
			case <-time.After(time.Second):
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
		answer := object{}
		if raw.Len() > 0 {
			if err := json.Unmarshal(raw.Bytes(), &answer); err != nil {
				return nil, err
			}
		}
		return answer, a.wait(ctx, answer)
	}
}

// wait waits for all actions that an answer names.
func (a *api) wait(ctx context.Context, answer object) error {
	var actions []*hcloud.Action
	add := func(v any) {
		if o, ok := v.(object); ok && o["status"] != "success" {
			actions = append(actions, &hcloud.Action{ID: int64(num(o["id"])), Status: hcloud.ActionStatus(text(o["status"]))})
		}
	}
	add(answer["action"])
	for _, key := range []string{"actions", "next_actions"} {
		list, _ := answer[key].([]any)
		for _, v := range list {
			add(v)
		}
	}
	if len(actions) == 0 {
		return nil
	}
	return a.client.Action.WaitFor(ctx, actions...)
}

func (a *api) act(ctx context.Context, path, id, action string, body object) error {
	if body == nil {
		body = object{}
	}
	_, err := a.do(ctx, "POST", path+"/"+id+"/actions/"+action, body)
	return err
}

// get reads one object; nil when there is none.
func (a *api) get(ctx context.Context, path, id, key string) (object, error) {
	answer, err := a.do(ctx, "GET", path+"/"+id, nil)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return sub(answer, key), nil
}

func gone(err error) bool { return hcloud.IsError(err, hcloud.ErrorCodeNotFound) }

func sub(o object, key string) object { s, _ := o[key].(object); return s }

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		if v == math.Trunc(v) {
			return strconv.FormatInt(int64(v), 10)
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// num reads a number that may stand as a string: ids are strings in the state and numbers in the API.
func num(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case string:
		n, _ := strconv.ParseFloat(v, 64)
		return n
	}
	return 0
}

func list(v any) []any { l, _ := v.([]any); return l }

// pick copies properties that are set under the API's names.
func pick(in object, names map[string]string) object {
	out := object{}
	for from, to := range names {
		if v, has := in[from]; has && v != nil {
			out[to] = v
		}
	}
	return out
}
