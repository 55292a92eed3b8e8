import type { Entry } from "./types";

// renovate: datasource=docker depName=hashicorp/vault
const VAULT = "1.21.2";
// renovate: datasource=docker depName=hashicorp/vault-k8s
const VAULT_K8S = "1.6.2";
// renovate: datasource=go depName=github.com/letsencrypt/pebble/v2
const PEBBLE = "2.10.1";

/** The injector starts agents by `sh`, with `base64` and `sleep`: what upstream's image has of them. */
const APPLETS = ["sh", "base64", "cat", "chmod", "cp", "echo", "ls", "mkdir", "mv", "rm", "sleep", "test", "touch"];

const passwd = "root:x:0:0:root:/root:/sbin/nologin\nvault:x:100:1000::/home/vault:/sbin/nologin\n";
const group = "root:x:0:\nvault:x:1000:\n";

/** Vault, what brings its files into pods, and an ACME server for tests. */
export const vaultEntries: Entry[] = [
  {
    name: "vault",
    version: VAULT,
    kind: "image",
    about:
      "Vault, server and agent; licence BUSL 1.1: free to run for oneself, not to sell as a service. Where it is built here: " +
      "Kubernetes, AppRole, cert, JWT and userpass auth, KV, PKI, Transit, SSH and databases (PostgreSQL), Raft; no web UI",
    file: "vault.tar",
    image: { name: "docker.io/hashicorp/vault", tag: VAULT },
    sources: [
      { type: "pull", parts: "official", seconds: 60 },
      {
        type: "compose",
        parts: "built",
        seconds: 5,
        layers: [
          { tar: "debian-busybox" },
          {
            files: [
              { entry: "vault-binary", to: "/bin/vault", mode: 0o755 },
              { text: passwd, to: "/etc/passwd" },
              { text: group, to: "/etc/group" },
            ],
            links: Object.fromEntries(APPLETS.map((applet) => [`/bin/${applet}`, "/usr/bin/busybox"])),
            directories: {
              "/tmp": { mode: 0o1777 },
              "/home/vault": { uid: 100, gid: 1000, mode: 0o700 },
              "/vault": { uid: 100, gid: 1000 },
            },
          },
        ],
        config: {
          entrypoint: ["/bin/vault"],
          env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        },
      },
    ],
  },
  binary("vault", "vault", VAULT, "Vault's server, for the image that is built here", 720),
  {
    name: "vault-k8s",
    version: VAULT_K8S,
    kind: "image",
    about: "Vault Agent Injector: the webhook that adds Vault's agent to pods that ask for it",
    file: "vault-k8s.tar",
    image: { name: "docker.io/hashicorp/vault-k8s", tag: VAULT_K8S },
    sources: [
      { type: "pull", parts: "official", seconds: 30 },
      {
        type: "compose",
        parts: "built",
        seconds: 5,
        layers: [
          {
            files: [
              { entry: "vault-k8s-binary", to: "/bin/vault-k8s", mode: 0o755 },
              { text: passwd, to: "/etc/passwd" },
              { text: group, to: "/etc/group" },
            ],
            directories: { "/tmp": { mode: 0o1777 } },
          },
        ],
        config: { entrypoint: ["/bin/vault-k8s"] },
      },
    ],
  },
  binary("vault-k8s", "vault-k8s", VAULT_K8S, "the injector, for the image that is built here", 90),
  {
    name: "debian-busybox",
    version: "trixie",
    kind: "file",
    about: "a shell and what goes with it, in one static binary",
    file: "layer.tar",
    internal: true,
    sources: [
      {
        type: "debian",
        parts: "official",
        seconds: 15,
        debian: {
          suite: "trixie",
          variant: "extract",
          packages: ["busybox-static"],
          remove: ["/usr/share", "/etc", "/var"],
        },
      },
    ],
  },
  tool("pebble", "a small ACME server, for tests"),
  tool("pebble-challtestsrv", "answers the ACME server's challenges (DNS, HTTP), for tests"),
];

function binary(folder: string, output: string, version: string, about: string, seconds: number): Entry {
  return {
    name: `${output}-binary`,
    version,
    kind: "file",
    about,
    file: output,
    internal: true,
    sources: [{ type: "go", parts: "built", seconds, folder: `artifacts/recipes/${folder}`, output }],
  };
}

/** A program of Pebble's: upstream publishes images of them, and tests want the programs. */
function tool(output: string, about: string): Entry {
  return {
    name: output,
    version: PEBBLE,
    kind: "file",
    about,
    file: output,
    sources: [{ type: "go", parts: "built", seconds: 30, folder: "artifacts/recipes/pebble", output }],
  };
}
