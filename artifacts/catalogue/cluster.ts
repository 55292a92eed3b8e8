import { platform } from "../lockfile";
import type { Entry } from "./types";

// renovate: datasource=github-releases depName=k3s-io/k3s
const K3S = "v1.36.3+k3s1";

const release = `https://github.com/k3s-io/k3s/releases/download/${encodeURIComponent(K3S)}`;
const architecture = platform.split("-")[1] as string;
/** Release files carry no suffix for amd64. */
const suffix = architecture === "amd64" ? "" : `-${architecture}`;

/** What machines and clusters are made of. */
export const cluster: Entry[] = [
  {
    name: "k3s",
    version: K3S,
    kind: "file",
    about: "Kubernetes distribution: server, agent, kubectl and container runtime in one binary",
    file: "k3s",
    sources: [
      {
        type: "download",
        parts: "official",
        seconds: 20,
        url: `${release}/k3s${suffix}`,
        checksums: `${release}/sha256sum-${architecture}.txt`,
      },
      { type: "go", parts: "stand-in", seconds: 420, folder: "standins/k3s", output: "k3s" },
    ],
  },
  {
    name: "k3s-airgap",
    version: K3S,
    kind: "image",
    about: "images of K3s's own components: pause, CoreDNS, local-path, metrics-server, busybox",
    file: `k3s-airgap-images-${architecture}.tar`,
    sources: [
      {
        type: "download",
        parts: "official",
        seconds: 60,
        url: `${release}/k3s-airgap-images-${architecture}.tar`,
        checksums: `${release}/sha256sum-${architecture}.txt`,
      },
      { type: "image-set", parts: "built", seconds: 450, folder: "standins/k3s", list: "images.json" },
    ],
  },
  {
    name: "rootfs",
    // renovate: datasource=custom.debian depName=bookworm
    version: "bookworm",
    kind: "file",
    about: "root filesystem of nspawn machines",
    file: "rootfs.tar",
    sources: [
      {
        type: "debian",
        parts: "official",
        seconds: 45,
        devices: true,
        debian: {
          suite: "bookworm",
          variant: "minbase",
          packages: [],
          from: "components/host/nspawn/rootfs.json",
        },
      },
    ],
  },
];
