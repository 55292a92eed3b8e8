// Command hcloud-csi-driver stands in for Hetzner's program of that name where its image can't be had: volumes for claims, with
// the same flags, variables and names. It can't encrypt.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/hetznercloud/hcloud-go/v2/hcloud/metadata"
	"k8s.io/klog/v2"

	"groundwork/standins/cloud-controllers/internal/cloud"
	"groundwork/standins/cloud-controllers/internal/volumes"
)

func main() {
	controller := flag.Bool("controller", false, "serve the half that talks to the cloud")
	node := flag.Bool("node", false, "serve the half that mounts")
	flag.Parse()
	klog.Info("stand-in of hcloud-csi-driver")
	if err := run(*controller, *node); err != nil {
		klog.ErrorS(err, "the driver can't serve")
		klog.FlushAndExit(klog.ExitFlushTimeout, 1)
	}
}

func run(controller, node bool) error {
	location := os.Getenv("HCLOUD_VOLUME_DEFAULT_LOCATION")
	switch {
	case controller == node:
		return errors.New("either -controller or -node")
	case node:
		id, place, err := whoAmI()
		if err != nil {
			return fmt.Errorf("the machine's metadata service does not say which server this is: %w", err)
		}
		if location != "" {
			place = location
		}
		return volumes.Serve(nil, volumes.NewNode(id, place))
	case location == "":
		return errors.New("HCLOUD_VOLUME_DEFAULT_LOCATION is missing")
	}
	client, err := cloud.Open("csi-driver")
	if err != nil {
		return err
	}
	if _, err := client.Location.All(context.Background()); err != nil {
		return fmt.Errorf("the cloud does not answer: %w", err)
	}
	labels, err := labelsOf(os.Getenv("HCLOUD_VOLUME_EXTRA_LABELS"))
	if err != nil {
		return err
	}
	return volumes.Serve(&volumes.Controller{Client: client, Location: location, Labels: labels}, nil)
}

// whoAmI asks the machine's metadata service for the server's id and its location.
func whoAmI() (id, location string, err error) {
	client := metadata.NewClient(metadata.WithApplication("csi-driver", "stand-in"))
	number, err := client.InstanceID()
	if err != nil {
		return "", "", err
	}
	zone, err := client.AvailabilityZone()
	if err != nil {
		return "", "", err
	}
	location, _, _ = strings.Cut(zone, "-")
	return strconv.FormatInt(number, 10), location, nil
}

func labelsOf(text string) (map[string]string, error) {
	labels := map[string]string{}
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		key, value, _ := strings.Cut(pair, "=")
		if strings.TrimSpace(key) == "" {
			return nil, fmt.Errorf("HCLOUD_VOLUME_EXTRA_LABELS: %q has no key", pair)
		}
		labels[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return labels, nil
}
