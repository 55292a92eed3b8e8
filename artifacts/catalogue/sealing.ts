import type { Entry, ModuleFileSource } from "./types";

// renovate: datasource=github-releases depName=bitnami-labs/sealed-secrets
const SEALED_SECRETS = "0.36.0";
// renovate: datasource=github-releases depName=external-secrets/external-secrets
const EXTERNAL_SECRETS = "0.20.4";
// renovate: datasource=github-releases depName=zegl/kube-score
const KUBE_SCORE = "1.20.0";
// renovate: datasource=github-releases depName=aquasecurity/kube-bench
const KUBE_BENCH = "0.8.0";
// renovate: datasource=go depName=github.com/aquasecurity/trivy
const TRIVY = "0.68.2";

/** What makes Secrets of sealed ones and of Vault's, and what looks at the cluster and at its objects from outside. */
export const sealingEntries: Entry[] = [
  controllerImage({
    name: "sealed-secrets",
    version: SEALED_SECRETS,
    about: "Sealed Secrets controller: makes Secrets of what only it can decrypt",
    image: "docker.io/bitnami/sealed-secrets-controller",
    tag: SEALED_SECRETS,
    binary: "/usr/local/bin/controller",
    user: "1001",
  }),
  goBinary("sealed-secrets-binary", SEALED_SECRETS, "sealed-secrets", "controller", 90),
  {
    name: "sealed-secrets-manifest",
    version: SEALED_SECRETS,
    kind: "manifest",
    about: "the definition of SealedSecret",
    file: "sealed-secrets-crds.yaml",
    sources: [
      moduleFile(
        "github.com/bitnami-labs/sealed-secrets",
        SEALED_SECRETS,
        "helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml",
      ),
    ],
  },
  {
    name: "kubeseal",
    version: SEALED_SECRETS,
    kind: "file",
    about: "seals Secrets with the controller's certificate",
    file: "kubeseal",
    sources: [
      {
        type: "download",
        parts: "official",
        seconds: 20,
        url: `https://github.com/bitnami-labs/sealed-secrets/releases/download/v${SEALED_SECRETS}/kubeseal-${SEALED_SECRETS}-linux-amd64.tar.gz`,
        checksums: `https://github.com/bitnami-labs/sealed-secrets/releases/download/v${SEALED_SECRETS}/sealed-secrets_${SEALED_SECRETS}_checksums.txt`,
        unpack: { kubeseal: "kubeseal" },
      },
      { type: "go", parts: "built", seconds: 90, folder: "artifacts/recipes/sealed-secrets", output: "kubeseal" },
    ],
  },
  controllerImage({
    name: "external-secrets",
    version: EXTERNAL_SECRETS,
    about:
      "External Secrets controller: makes Secrets of values in Vault; where it is built here, of upstream's about 40 providers it knows vault, kubernetes and fake",
    image: "ghcr.io/external-secrets/external-secrets",
    tag: `v${EXTERNAL_SECRETS}`,
    binary: "/bin/external-secrets",
    user: "65534",
  }),
  goBinary("external-secrets-binary", EXTERNAL_SECRETS, "external-secrets", "external-secrets", 240),
  {
    name: "external-secrets-manifest",
    version: EXTERNAL_SECRETS,
    kind: "manifest",
    about: "the definitions of ExternalSecret, SecretStore and their kin",
    file: "external-secrets-crds.yaml",
    sources: [moduleFile("github.com/external-secrets/external-secrets", EXTERNAL_SECRETS, "deploy/crds/bundle.yaml")],
  },
  {
    name: "kube-score",
    version: KUBE_SCORE,
    kind: "file",
    about: "second opinion on rendered Kubernetes objects",
    file: "kube-score",
    sources: [
      {
        type: "download",
        parts: "official",
        seconds: 10,
        url: `https://github.com/zegl/kube-score/releases/download/v${KUBE_SCORE}/kube-score_${KUBE_SCORE}_linux_amd64`,
        checksums: `https://github.com/zegl/kube-score/releases/download/v${KUBE_SCORE}/checksums.txt`,
      },
      { type: "go", parts: "built", seconds: 40, folder: "artifacts/recipes/kube-score", output: "kube-score" },
    ],
  },
  {
    name: "trivy-config",
    version: TRIVY,
    kind: "file",
    about: "Trivy's checks of Kubernetes objects with the checks embedded, from Trivy's own modules; fetches nothing",
    file: "trivy-config",
    sources: [
      { type: "go", parts: "built", seconds: 120, folder: "artifacts/recipes/trivy-config", output: "trivy-config" },
    ],
  },
  {
    name: "kube-bench",
    version: KUBE_BENCH,
    kind: "file",
    about: "checks a node and its cluster against the CIS benchmark",
    file: "kube-bench",
    sources: [
      {
        type: "download",
        parts: "official",
        seconds: 20,
        url: `https://github.com/aquasecurity/kube-bench/releases/download/v${KUBE_BENCH}/kube-bench_${KUBE_BENCH}_linux_amd64.tar.gz`,
        checksums: `https://github.com/aquasecurity/kube-bench/releases/download/v${KUBE_BENCH}/kube-bench_${KUBE_BENCH}_checksums.txt`,
        unpack: { "kube-bench": "kube-bench" },
      },
      { type: "go", parts: "built", seconds: 80, folder: "artifacts/recipes/kube-bench", output: "kube-bench" },
    ],
  },
  {
    name: "kube-bench-config",
    version: KUBE_BENCH,
    kind: "file",
    about: "kube-bench's benchmarks, as a tar of its cfg folder",
    file: "cfg.tar",
    sources: [moduleFile("github.com/aquasecurity/kube-bench", KUBE_BENCH, "cfg")],
  },
];

/** An image of one static binary: upstream's own, or the same on nothing but the folder for temporary files. */
function controllerImage(of: {
  name: string;
  version: string;
  about: string;
  image: string;
  tag: string;
  /** Path of the binary in upstream's image. */
  binary: string;
  user: string;
}): Entry {
  return {
    name: of.name,
    version: of.version,
    kind: "image",
    about: of.about,
    file: `${of.name}.tar`,
    image: { name: of.image, tag: of.tag },
    sources: [
      { type: "pull", parts: "official", seconds: 30 },
      {
        type: "compose",
        parts: "built",
        seconds: 5,
        layers: [
          {
            files: [{ entry: `${of.name}-binary`, to: of.binary, mode: 0o755 }],
            directories: { "/tmp": { mode: 0o1777 } },
          },
        ],
        config: { entrypoint: [of.binary], user: of.user },
      },
    ],
  };
}

/** The binary of an image that is built here. */
function goBinary(name: string, version: string, folder: string, output: string, seconds: number): Entry {
  return {
    name,
    version,
    kind: "file",
    about: `${folder}'s server, for the image that is built here`,
    file: output,
    internal: true,
    sources: [{ type: "go", parts: "built", seconds, folder: `artifacts/recipes/${folder}`, output }],
  };
}

function moduleFile(module: string, version: string, path: string): ModuleFileSource {
  return { type: "module-file", parts: "official", seconds: 10, module, version: `v${version}`, path };
}
