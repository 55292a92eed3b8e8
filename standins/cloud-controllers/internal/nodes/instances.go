package nodes

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	v1 "k8s.io/api/core/v1"
	cloudprovider "k8s.io/cloud-provider"
)

// scheme is what a node's provider id begins with; the server's id follows.
const scheme = name + "://"

// provided is the label by which Hetzner's programs tell cloud servers from dedicated ones.
const provided = "instance.hetzner.cloud/provided-by"

type instances struct {
	servers *servers
	// network is the private network whose addresses are the nodes' internal ones; zero where there is none.
	network int64
}

func (i *instances) InstanceExists(ctx context.Context, node *v1.Node) (bool, error) {
	server, err := i.serverOf(ctx, node)
	return server != nil, err
}

func (i *instances) InstanceShutdown(ctx context.Context, node *v1.Node) (bool, error) {
	server, err := i.serverOf(ctx, node)
	if err != nil {
		return false, err
	}
	if server == nil {
		return false, fmt.Errorf("node %s has no server in the cloud", node.Name)
	}
	return server.Status == hcloud.ServerStatusOff, nil
}

func (i *instances) InstanceMetadata(ctx context.Context, node *v1.Node) (*cloudprovider.InstanceMetadata, error) {
	server, err := i.serverOf(ctx, node)
	if err != nil {
		return nil, err
	}
	if server == nil {
		return nil, fmt.Errorf("node %s has no server in the cloud: its name must be the server's", node.Name)
	}
	location := server.Location.Name
	return &cloudprovider.InstanceMetadata{
		ProviderID:       scheme + strconv.FormatInt(server.ID, 10),
		InstanceType:     server.ServerType.Name,
		NodeAddresses:    i.addresses(server),
		Region:           location,
		Zone:             zoneOf(location),
		AdditionalLabels: map[string]string{provided: "cloud"},
	}, nil
}

// serverOf finds a node's server: by the id that it was given when it was initialised, and by its name before that.
func (i *instances) serverOf(ctx context.Context, node *v1.Node) (*hcloud.Server, error) {
	if node.Spec.ProviderID == "" {
		return i.servers.find(ctx, func(server *hcloud.Server) bool { return server.Name == node.Name })
	}
	text, ours := strings.CutPrefix(node.Spec.ProviderID, scheme)
	id, err := strconv.ParseInt(text, 10, 64)
	if !ours || err != nil {
		// An error, and not "it does not exist": the node would be deleted.
		return nil, fmt.Errorf("node %s is %s, which is no server of this cloud", node.Name, node.Spec.ProviderID)
	}
	return i.servers.find(ctx, func(server *hcloud.Server) bool { return server.ID == id })
}

func (i *instances) addresses(server *hcloud.Server) []v1.NodeAddress {
	addresses := []v1.NodeAddress{{Type: v1.NodeHostName, Address: server.Name}}
	if public := server.PublicNet.IPv4; !public.IsUnspecified() {
		addresses = append(addresses, v1.NodeAddress{Type: v1.NodeExternalIP, Address: public.IP.String()})
	}
	for _, private := range server.PrivateNet {
		if i.network != 0 && private.Network.ID == i.network {
			addresses = append(addresses, v1.NodeAddress{Type: v1.NodeInternalIP, Address: private.IP.String()})
		}
	}
	return addresses
}

// zoneOf is the data centre that a location had when these were part of the API: upstream keeps the labels as they were.
func zoneOf(location string) string {
	numbers := map[string]int{"ash": 1, "fsn1": 14, "hel1": 2, "hil": 1, "nbg1": 3, "sin": 1}
	if number, known := numbers[location]; known {
		return fmt.Sprintf("%s-dc%d", location, number)
	}
	return location
}
