// Package nodes tells Kubernetes' node controllers what the cloud knows of their nodes.
package nodes

import (
	"context"
	"fmt"
	"os"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	cloudprovider "k8s.io/cloud-provider"

	"groundwork/standins/cloud-controllers/internal/cloud"
)

const name = "hcloud"

type provider struct{ instances *instances }

// Open reads the environment and asks the API once, so that a wrong token or network is an error at the start.
func Open() (cloudprovider.Interface, error) {
	for variable, otherwise := range map[string]bool{"HCLOUD_LOAD_BALANCERS_ENABLED": true, "HCLOUD_NETWORK_ROUTES_ENABLED": os.Getenv("HCLOUD_NETWORK") != ""} {
		on, err := cloud.Flag(variable, otherwise)
		if err != nil {
			return nil, err
		}
		if on {
			return nil, fmt.Errorf("%s is on, and this stand-in can't do that: set it to false", variable)
		}
	}
	client, err := cloud.Open("hcloud-cloud-controller")
	if err != nil {
		return nil, err
	}
	network, err := findNetwork(client, os.Getenv("HCLOUD_NETWORK"))
	if err != nil {
		return nil, err
	}
	return &provider{instances: &instances{servers: newServers(client), network: network}}, nil
}

// findNetwork gives the id of a network by its name or id; zero where none is asked for.
func findNetwork(client *hcloud.Client, network string) (int64, error) {
	if network == "" {
		_, err := client.Location.All(context.Background())
		return 0, err
	}
	found, _, err := client.Network.Get(context.Background(), network)
	if err != nil {
		return 0, fmt.Errorf("network %s: %w", network, err)
	}
	if found == nil {
		return 0, fmt.Errorf("the cloud has no network %s", network)
	}
	return found.ID, nil
}

func (p *provider) Initialize(cloudprovider.ControllerClientBuilder, <-chan struct{}) {}
func (p *provider) ProviderName() string                                              { return name }
func (p *provider) HasClusterID() bool                                                { return false }
func (p *provider) InstancesV2() (cloudprovider.InstancesV2, bool)                    { return p.instances, true }
func (p *provider) Instances() (cloudprovider.Instances, bool)                        { return nil, false }
func (p *provider) Zones() (cloudprovider.Zones, bool)                                { return nil, false }
func (p *provider) Clusters() (cloudprovider.Clusters, bool)                          { return nil, false }
func (p *provider) Routes() (cloudprovider.Routes, bool)                              { return nil, false }
func (p *provider) LoadBalancer() (cloudprovider.LoadBalancer, bool)                  { return nil, false }
