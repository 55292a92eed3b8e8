import { platform } from "../lockfile";
import type { Entry } from "./types";

// renovate: datasource=github-releases depName=k3s-io/k3s
const K3S = "v1.36.3+k3s1";

/**
 * K3s releases that a cluster may be on; the first is the default. A cluster that is to leave an older one keeps that one in the
 * list until it has left it, so that its `up` finds what is installed. Only the first can be built where nothing can be downloaded.
 */
export const K3S_RELEASES: readonly string[] = [K3S];

/** Names in the catalogue of a K3s release: its binary, and the archive of its own images. */
export function k3sEntries(version: string = K3S): { binary: string; images: string } {
  const suffix = version === K3S ? "" : `-${version.slice(1).replace("+", "-")}`;
  return { binary: `k3s${suffix}`, images: `k3s-airgap${suffix}` };
}

const releaseUrl = (version: string): string =>
  `https://github.com/k3s-io/k3s/releases/download/${encodeURIComponent(version)}`;
const architecture = platform.split("-")[1] as string;
/** Release files carry no suffix for amd64. */
const suffix = architecture === "amd64" ? "" : `-${architecture}`;

/** A release's two files, and what stands in for them where they can't be had. */
function k3sRelease(version: string): Entry[] {
  const { binary, images } = k3sEntries(version);
  const [url, built] = [releaseUrl(version), version === K3S];
  const checksums = `${url}/sha256sum-${architecture}.txt`;
  return [
    {
      name: binary,
      version,
      kind: "file",
      about: "Kubernetes distribution: server, agent, kubectl and container runtime in one binary",
      file: "k3s",
      sources: [
        { type: "download", parts: "official", seconds: 20, url: `${url}/k3s${suffix}`, checksums },
        ...(built
          ? [{ type: "go", parts: "stand-in", seconds: 420, folder: "standins/k3s", output: "k3s" } as const]
          : []),
      ],
    },
    {
      name: images,
      version,
      kind: "image",
      about: "images of K3s's own components: pause, CoreDNS, local-path, metrics-server, busybox",
      file: `k3s-airgap-images-${architecture}.tar`,
      sources: [
        {
          ...{ type: "download", parts: "official", seconds: 60, checksums },
          url: `${url}/k3s-airgap-images-${architecture}.tar`,
        },
        ...(built
          ? [{ type: "image-set", parts: "built", seconds: 450, folder: "standins/k3s", list: "images.json" } as const]
          : []),
      ],
    },
  ];
}

/** What machines and clusters are made of. */
export const cluster: Entry[] = [
  ...K3S_RELEASES.flatMap(k3sRelease),
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
