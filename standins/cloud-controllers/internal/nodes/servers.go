package nodes

import (
	"context"
	"sync"
	"time"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
)

// fresh is how long a list of the servers is good for: many nodes ask at once, and the API counts requests.
const fresh = 10 * time.Second

type servers struct {
	list  func(context.Context) ([]*hcloud.Server, error)
	mutex sync.Mutex
	known []*hcloud.Server
	at    time.Time
}

func newServers(client *hcloud.Client) *servers {
	return &servers{list: client.Server.All}
}

// find gives the server that a test holds for; nil where the cloud has none, as the list just read says.
func (s *servers) find(ctx context.Context, test func(*hcloud.Server) bool) (*hcloud.Server, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if time.Since(s.at) > fresh {
		if err := s.read(ctx); err != nil {
			return nil, err
		}
	}
	if found := s.first(test); found != nil {
		return found, nil
	}
	// A server may be younger than the list: before anybody deletes its node, the list is read anew.
	if err := s.read(ctx); err != nil {
		return nil, err
	}
	return s.first(test), nil
}

func (s *servers) read(ctx context.Context) error {
	all, err := s.list(ctx)
	if err == nil {
		s.known, s.at = all, time.Now()
	}
	return err
}

func (s *servers) first(test func(*hcloud.Server) bool) *hcloud.Server {
	for _, server := range s.known {
		if test(server) {
			return server
		}
	}
	return nil
}
