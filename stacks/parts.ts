import { k3sEntries } from "../artifacts/catalogue/cluster";
import { chooseRelease } from "../components/cluster/versions";
import type { Settings } from "./settings";

/** Names in the artefact catalogue that one feature of the platform takes. */
interface Parts {
  /** Images of its pods: every node gets them before it starts. */
  images: string[];
  /** What the program reads besides: manifests and files. */
  files?: string[];
}

/** What is always there. */
const core: Parts = {
  images: ["cloudnative-pg", "postgresql", "traefik", "api"],
  files: ["cloudnative-pg-manifest"],
};

/** What the settings switch on, and whether they do. */
const features: { on: (settings: Settings) => boolean; parts: Parts }[] = [
  {
    on: ({ certificates }) => certificates.enabled,
    parts: { images: ["cert-manager-controller", "cert-manager-webhook"], files: ["cert-manager-crds"] },
  },
  {
    on: ({ certificates }) => certificates.enabled && certificates.acme !== undefined,
    parts: { images: ["cert-manager-acmesolver"] },
  },
  { on: ({ vault }) => vault.enabled, parts: { images: ["vault", "vault-k8s", "keeper"] } },
  { on: ({ cache }) => cache.enabled, parts: { images: ["valkey"] } },
  {
    on: ({ sealedSecrets }) => sealedSecrets.enabled,
    parts: { images: ["sealed-secrets"], files: ["sealed-secrets-manifest", "kubeseal"] },
  },
  {
    on: ({ externalSecrets }) => externalSecrets.enabled,
    parts: { images: ["external-secrets"], files: ["external-secrets-manifest"] },
  },
  { on: ({ target }) => target.driver === "hcloud", parts: { images: ["hcloud-cloud-controller-manager"] } },
  {
    on: ({ target, cloud }) => target.driver === "hcloud" && cloud.volumes.enabled,
    parts: {
      images: [
        "hcloud-csi-driver",
        "csi-attacher",
        "csi-provisioner",
        "csi-resizer",
        "csi-node-driver-registrar",
        "livenessprobe",
      ],
    },
  },
  {
    on: ({ target }) => target.driver === "nspawn" || target.driver === "docker",
    parts: { images: [], files: ["rootfs"] },
  },
];

const partsOf = (settings: Settings): Parts[] => [
  core,
  ...features.filter(({ on }) => on(settings)).map(({ parts }) => parts),
];

/** Images of the platform's pods, by their names in the catalogue. */
export const imagesOf = (settings: Settings): string[] => partsOf(settings).flatMap(({ images }) => images);

/** All that has to be in the artefact cache before the program of a stack with these settings runs. */
export const artifactsOf = (settings: Settings): string[] =>
  [...partsOf(settings), k3sOf(settings)].flatMap(({ images, files }) => [...images, ...(files ?? [])]);

/** The K3s release that the settings choose. */
function k3sOf({ cluster }: Settings): Parts {
  const { binary, images } = k3sEntries(chooseRelease(cluster.version));
  return { images: [], files: [binary, images] };
}
