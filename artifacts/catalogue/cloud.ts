import type { DebianTree, Entry, FilesLayer, Layer } from "./types";

// renovate: datasource=docker depName=hetznercloud/hcloud-cloud-controller-manager
const CLOUD_CONTROLLER = "v1.35.0";
// renovate: datasource=docker depName=hetznercloud/hcloud-csi-driver
const CSI_DRIVER = "v2.22.1";
// renovate: datasource=docker depName=registry.k8s.io/sig-storage/csi-attacher
const ATTACHER = "v4.12.0";
// renovate: datasource=docker depName=registry.k8s.io/sig-storage/csi-provisioner
const PROVISIONER = "v6.2.0";
// renovate: datasource=docker depName=registry.k8s.io/sig-storage/csi-resizer
const RESIZER = "v2.2.0";
// renovate: datasource=docker depName=registry.k8s.io/sig-storage/csi-node-driver-registrar
const REGISTRAR = "v2.16.0";
// renovate: datasource=docker depName=registry.k8s.io/sig-storage/livenessprobe
const LIVENESS_PROBE = "v2.18.0";

/** Programs that the stand-in of the driver calls: mkfs and resize2fs, mount, blkid and blockdev, fsck. */
const fileSystems: DebianTree = {
  suite: "trixie",
  variant: "extract",
  packages: ["e2fsprogs", "mount", "util-linux", "base-files"],
  remove: [
    ...[
      "/boot",
      "/etc/apt",
      "/etc/pam*",
      "/etc/passwd",
      "/etc/group",
      "/etc/security",
      "/var/lib/dpkg",
      "/var/lib/pam",
    ],
    ...["/usr/lib/systemd", "/usr/lib/udev", "/usr/games", "/usr/share/perl*", "/usr/share/bash-completion"],
    ...["/usr/bin/perl*", "/usr/lib/*-linux-gnu/perl*", "/usr/lib/*-linux-gnu/gconv", "/usr/share/pam*"],
  ],
};

interface Program {
  name: string;
  version: string;
  /** The official image. */
  image: string;
  /** Path of the program in it. */
  path: string;
  /** What it does, in a few words. */
  does: string;
  /** Where it is built when the registry can't be reached, and as what. */
  built: { parts: "built" | "stand-in"; folder: string; seconds: number };
  /** Whether tests run the program by itself. */
  tested?: boolean;
  layers?: Layer[];
}

const standin = (seconds: number): Program["built"] => ({
  ...{ parts: "stand-in", folder: "standins/cloud-controllers" },
  seconds,
});
const sidecars = (seconds: number): Program["built"] => ({
  ...{ parts: "built", folder: "artifacts/recipes/csi-sidecars" },
  seconds,
});

/** What keeps a cluster and the cloud that it stands in of one mind: Hetzner's two programs, and Kubernetes' sidecars of the second. */
export const cloudEntries: Entry[] = [
  ...program({
    name: "hcloud-cloud-controller-manager",
    version: CLOUD_CONTROLLER,
    image: "docker.io/hetznercloud/hcloud-cloud-controller-manager",
    path: "/bin/hcloud-cloud-controller-manager",
    does: "initialises nodes and removes those whose server is gone",
    built: standin(240),
    tested: true,
  }),
  ...program({
    name: "hcloud-csi-driver",
    version: CSI_DRIVER,
    image: "docker.io/hetznercloud/hcloud-csi-driver",
    path: "/bin/hcloud-csi-driver",
    does: "makes, attaches and mounts volumes",
    built: standin(60),
    tested: true,
    layers: [{ tar: "debian-file-systems" }],
  }),
  {
    name: "debian-file-systems",
    version: fileSystems.suite,
    kind: "file",
    about: "what formats, checks and mounts file systems",
    file: "layer.tar",
    internal: true,
    sources: [{ type: "debian", parts: "official", seconds: 30, debian: fileSystems }],
  },
  ...program({
    ...sidecar("csi-provisioner", PROVISIONER, "makes PersistentVolumes for claims"),
    built: standin(30),
    tested: true,
  }),
  ...program({
    ...sidecar("csi-attacher", ATTACHER, "has volumes attached to nodes"),
    built: sidecars(60),
    tested: true,
  }),
  ...program({ ...sidecar("csi-resizer", RESIZER, "has volumes grown"), built: sidecars(30), tested: true }),
  ...program({
    ...sidecar("csi-node-driver-registrar", REGISTRAR, "tells the kubelet of the driver"),
    built: standin(20),
  }),
  ...program({ ...sidecar("livenessprobe", LIVENESS_PROBE, "tells whether the driver is well"), built: standin(10) }),
];

function sidecar(name: string, version: string, does: string) {
  return { name, version, image: `registry.k8s.io/sig-storage/${name}`, path: `/${name}`, does };
}

/** The official image, or one of the same name with the program that is built here at the same path. */
function program(of: Program): Entry[] {
  const file: FilesLayer = {
    files: [{ entry: `${of.name}-binary`, to: of.path, mode: 0o755 }],
    directories: { "/tmp": { mode: 0o1777 } },
  };
  const otherwise = of.built.parts === "stand-in" ? "a stand-in of ours" : "upstream's module";
  return [
    {
      name: of.name,
      version: of.version,
      kind: "image",
      about: `${of.does}; where it is built here: ${otherwise}`,
      file: `${of.name}.tar`,
      image: { name: of.image, tag: of.version },
      sources: [
        { type: "pull", parts: "official", seconds: 20 },
        {
          type: "compose",
          parts: of.built.parts,
          seconds: 5,
          layers: [...(of.layers ?? []), file],
          config: { entrypoint: [of.path], env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] },
        },
      ],
    },
    {
      name: `${of.name}-binary`,
      version: of.version,
      kind: "file",
      about: `${of.name} for the image that is built here${of.tested ? ", and for tests" : ""}: ${otherwise}`,
      file: of.name,
      ...(of.tested ? {} : { internal: true as const }),
      sources: [{ type: "go", ...of.built, output: of.name }],
    },
  ];
}
