package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"sort"
	"text/tabwriter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"

	"groundwork/standins/k3s/internal/config"
	"groundwork/standins/k3s/internal/server"
	"groundwork/standins/k3s/internal/token"
)

func fail(verb string, err error) int {
	fmt.Fprintf(os.Stderr, "k3s %s: %v\n", verb, err)
	return 1
}

// serverConfig is this server's configuration, for the commands that work on its files.
func serverConfig(args []string) (*config.Config, error) {
	return config.Load(config.Server, args, os.Getenv)
}

// runSnapshot saves, lists and deletes snapshots of etcd on this server.
func runSnapshot(args []string) int {
	if len(args) < 2 {
		return fail("etcd-snapshot", fmt.Errorf("save, ls, delete NAME or prune"))
	}
	set := flag.NewFlagSet("etcd-snapshot "+args[1], flag.ContinueOnError)
	name := set.String("name", "on-demand", "base name of the snapshot")
	dir := set.String("etcd-snapshot-dir", "", "folder, if not the configured one")
	set.StringVar(dir, "dir", "", "same")
	retention := set.Int("snapshot-retention", 5, "prune: how many to keep")
	if err := set.Parse(args[2:]); err != nil {
		return 2
	}
	c, err := serverConfig(nil)
	if err != nil {
		return fail("etcd-snapshot", err)
	}
	if *dir != "" {
		c.SnapshotDir = *dir
	}
	// The library's own notes on connections that come and go would stand between the answers.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, io.Discard))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	switch args[1] {
	case "save":
		s, err := server.Save(ctx, c, *name)
		if err != nil {
			return fail("etcd-snapshot", err)
		}
		fmt.Printf("Snapshot %s saved.\n", s.Name)
	case "ls", "list", "l":
		all, err := server.Snapshots(c)
		if err != nil {
			return fail("etcd-snapshot", err)
		}
		w := tabwriter.NewWriter(os.Stdout, 0, 4, 1, ' ', 0)
		fmt.Fprintln(w, "Name\tLocation\tSize\tCreated")
		for _, s := range all {
			fmt.Fprintf(w, "%s\tfile://%s\t%d\t%s\n", s.Name, s.Path, s.Size, s.Created.UTC().Format(time.RFC3339))
		}
		w.Flush()
	case "delete":
		all, err := server.Snapshots(c)
		if err != nil {
			return fail("etcd-snapshot", err)
		}
		for _, n := range set.Args() {
			found := false
			for _, s := range all {
				if s.Name == n {
					found = true
					if err := os.Remove(s.Path); err != nil {
						return fail("etcd-snapshot", err)
					}
					fmt.Printf("Snapshot %s deleted.\n", n)
				}
			}
			if !found {
				return fail("etcd-snapshot", fmt.Errorf("no snapshot %q", n))
			}
		}
	case "prune":
		c.SnapshotRetention = *retention
		if err := server.Prune(c, *name); err != nil {
			return fail("etcd-snapshot", err)
		}
	default:
		return fail("etcd-snapshot", fmt.Errorf("unknown command %q", args[1]))
	}
	return 0
}

// runSecretsEncrypt tells whether Secrets are encrypted at rest, and with what.
func runSecretsEncrypt(args []string) int {
	if len(args) < 2 || args[1] != "status" {
		return fail("secrets-encrypt", fmt.Errorf("only status is supported here"))
	}
	set := flag.NewFlagSet("status", flag.ContinueOnError)
	output := set.String("output", "text", "text or json")
	set.StringVar(output, "o", "text", "same")
	if err := set.Parse(args[2:]); err != nil {
		return 2
	}
	c, err := serverConfig(nil)
	if err != nil {
		return fail("secrets-encrypt", err)
	}
	st, err := server.EncryptionStatus(c)
	if err != nil {
		return fail("secrets-encrypt", err)
	}
	if *output == "json" {
		b, err := json.Marshal(st)
		if err != nil {
			return fail("secrets-encrypt", err)
		}
		fmt.Println(string(b))
		return 0
	}
	if !st.Enabled {
		fmt.Println("Encryption Status: Disabled")
		return 0
	}
	fmt.Println("Encryption Status: Enabled")
	fmt.Println("Current Rotation Stage: start")
	fmt.Println("Server Encryption Hashes: All hashes match")
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 1, ' ', 0)
	fmt.Fprintln(w, "Active\tKey Type\tName")
	fmt.Fprintln(w, "------\t--------\t----")
	for i, k := range st.Keys {
		mark := ""
		if i == 0 {
			mark = "*"
		}
		fmt.Fprintf(w, " %s\t%s\t%s\n", mark, k.Type, k.Name)
	}
	w.Flush()
	return 0
}

func runToken(args []string) int {
	if len(args) < 2 || args[1] != "generate" {
		return fail("token", fmt.Errorf("only generate is supported here"))
	}
	t, err := token.New()
	if err != nil {
		return fail("token", err)
	}
	fmt.Println(t)
	return 0
}

// runCrictl is ps, pods and images of crictl.
func runCrictl(args []string) int {
	if len(args) < 2 {
		return fail("crictl", fmt.Errorf("ps, pods or images"))
	}
	conn, err := grpc.NewClient("unix://"+containerdSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fail("crictl", err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	rt, w := cri.NewRuntimeServiceClient(conn), tabwriter.NewWriter(os.Stdout, 0, 4, 3, ' ', 0)
	defer w.Flush()
	switch args[1] {
	case "ps":
		filter := &cri.ContainerFilter{}
		if len(args) < 3 || args[2] != "-a" {
			filter.State = &cri.ContainerStateValue{State: cri.ContainerState_CONTAINER_RUNNING}
		}
		l, err := rt.ListContainers(ctx, &cri.ListContainersRequest{Filter: filter})
		if err != nil {
			return fail("crictl", err)
		}
		fmt.Fprintln(w, "CONTAINER\tIMAGE\tSTATE\tNAME\tPOD\tNAMESPACE")
		for _, c := range l.Containers {
			fmt.Fprintf(w, "%.13s\t%.40s\t%s\t%s\t%s\t%s\n", c.Id, c.Image.GetImage(), c.State.String()[10:], c.Metadata.Name, c.Labels["io.kubernetes.pod.name"], c.Labels["io.kubernetes.pod.namespace"])
		}
	case "pods":
		l, err := rt.ListPodSandbox(ctx, &cri.ListPodSandboxRequest{})
		if err != nil {
			return fail("crictl", err)
		}
		fmt.Fprintln(w, "POD ID\tSTATE\tNAME\tNAMESPACE\tATTEMPT")
		for _, p := range l.Items {
			fmt.Fprintf(w, "%.13s\t%s\t%s\t%s\t%d\n", p.Id, p.State.String()[8:], p.Metadata.Name, p.Metadata.Namespace, p.Metadata.Attempt)
		}
	case "images", "image":
		l, err := cri.NewImageServiceClient(conn).ListImages(ctx, &cri.ListImagesRequest{})
		if err != nil {
			return fail("crictl", err)
		}
		fmt.Fprintln(w, "IMAGE\tIMAGE ID\tSIZE")
		sort.Slice(l.Images, func(i, j int) bool { return fmt.Sprint(l.Images[i].RepoTags) < fmt.Sprint(l.Images[j].RepoTags) })
		for _, i := range l.Images {
			names := i.RepoTags
			if len(names) == 0 {
				names = i.RepoDigests
			}
			for _, n := range names {
				fmt.Fprintf(w, "%s\t%.20s\t%d\n", n, i.Id, i.Size)
			}
		}
	default:
		return fail("crictl", fmt.Errorf("unknown command %q: ps, pods or images", args[1]))
	}
	return 0
}
