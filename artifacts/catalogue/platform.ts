import type { DebianTree, Entry } from "./types";

// renovate: datasource=docker depName=traefik
const TRAEFIK = "v3.6.15";
// renovate: datasource=github-releases depName=cloudnative-pg/cloudnative-pg
const CLOUDNATIVE_PG = "1.29.1";
// renovate: datasource=docker depName=ghcr.io/cloudnative-pg/postgresql
const POSTGRESQL = "17.12";
const POSTGRESQL_MAJOR = "17";
/** The project's own, as in apps/api/package.json. */
const API = "0.1.0";

/** Names of the accounts that an image's user id needs, for programs that look themselves up. */
const passwd = (name: string, id: number, home: string): string =>
  [`root:x:0:0:root:/root:/sbin/nologin`, `${name}:x:${id}:${id}::${home}:/sbin/nologin`, ""].join("\n");
const group = (name: string, id: number): string => [`root:x:0:`, `${name}:x:${id}:`, ""].join("\n");

/** Parts of Debian packages that no server here runs. */
const UNUSED = [
  "/boot",
  "/etc/apt",
  "/etc/passwd",
  "/etc/group",
  "/lib/systemd",
  "/usr/lib/systemd",
  "/usr/lib/x86_64-linux-gnu/perl*",
  "/usr/lib/x86_64-linux-gnu/gconv",
  "/usr/share/bash-completion",
  "/usr/share/bug",
  "/usr/share/debconf",
  "/usr/share/i18n",
  "/usr/share/perl*",
  "/usr/share/perl5",
  "/usr/share/pixmaps",
  "/usr/share/zsh",
  "/var/lib/dpkg",
];

/** Just-in-time compilation (180 MB of LLVM, which PostgreSQL does without when it is missing) and PL/Perl. */
const UNUSED_OF_POSTGRESQL = [
  "/usr/bin/openssl",
  "/usr/bin/perl*",
  "/usr/include",
  "/usr/lib/*/libLLVM*",
  "/usr/lib/*/libdb-*",
  "/usr/lib/*/libperl*",
  "/usr/lib/*/libz3*",
  "/usr/lib/postgresql/*/lib/bitcode",
  "/usr/lib/postgresql/*/lib/llvmjit*",
  "/usr/share/postgresql-common",
  "/usr/src",
];

/** Images and manifests of the workloads. */
export const platformEntries: Entry[] = [
  {
    name: "traefik",
    version: TRAEFIK,
    kind: "image",
    about:
      "ingress; where it is built here, lego's registry of about 190 DNS-01 vendors is cut to those without an SDK",
    file: "traefik.tar",
    image: { name: "docker.io/library/traefik", tag: TRAEFIK },
    sources: [
      { type: "pull", parts: "official", seconds: 30 },
      {
        type: "compose",
        parts: "built",
        seconds: 5,
        layers: [
          {
            files: [
              { entry: "traefik-binary", to: "/usr/local/bin/traefik", mode: 0o755 },
              { text: passwd("traefik", 65532, "/"), to: "/etc/passwd" },
              { text: group("traefik", 65532), to: "/etc/group" },
            ],
            directories: { "/tmp": { mode: 0o1777 } },
          },
        ],
        config: {
          entrypoint: ["/usr/local/bin/traefik"],
          env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        },
      },
    ],
  },
  binary("traefik", TRAEFIK, "Traefik", 330),
  {
    name: "cloudnative-pg",
    version: CLOUDNATIVE_PG,
    kind: "image",
    about: "CloudNativePG operator",
    file: "cloudnative-pg.tar",
    image: { name: "ghcr.io/cloudnative-pg/cloudnative-pg", tag: CLOUDNATIVE_PG },
    sources: [
      { type: "pull", parts: "official", seconds: 30 },
      {
        type: "compose",
        parts: "built",
        seconds: 5,
        layers: [
          {
            // The operator hands this binary to its instances by architecture; /manager is what its manifest starts.
            files: [
              { entry: "cloudnative-pg-binary", to: "/operator/manager_amd64", mode: 0o755 },
              { text: passwd("nonroot", 65532, "/"), to: "/etc/passwd" },
              { text: group("nonroot", 65532), to: "/etc/group" },
            ],
            links: { "/manager": "operator/manager_amd64" },
            directories: { "/tmp": { mode: 0o1777 } },
          },
        ],
        config: { entrypoint: ["/manager"], user: "65532:65532", workingDir: "/" },
      },
    ],
  },
  binary("cloudnative-pg", CLOUDNATIVE_PG, "CloudNativePG", 200),
  {
    name: "cloudnative-pg-manifest",
    version: CLOUDNATIVE_PG,
    kind: "manifest",
    about: "CloudNativePG's released manifest: CRDs, roles, webhooks and the operator",
    file: `cnpg-${CLOUDNATIVE_PG}.yaml`,
    sources: [
      {
        type: "module-file",
        parts: "official",
        seconds: 10,
        module: "github.com/cloudnative-pg/cloudnative-pg",
        version: `v${CLOUDNATIVE_PG}`,
        path: `releases/cnpg-${CLOUDNATIVE_PG}.yaml`,
      },
    ],
  },
  {
    name: "postgresql",
    version: POSTGRESQL,
    kind: "image",
    about: "PostgreSQL as CloudNativePG's instances run it",
    file: "postgresql.tar",
    image: { name: "ghcr.io/cloudnative-pg/postgresql", tag: POSTGRESQL },
    sources: [
      { type: "pull", parts: "official", seconds: 60 },
      {
        type: "compose",
        parts: "built",
        seconds: 5,
        layers: [
          { tar: "debian-postgresql" },
          {
            // CloudNativePG runs instances as user and group 26.
            files: [
              { text: passwd("postgres", 26, "/var/lib/postgresql"), to: "/etc/passwd" },
              { text: group("postgres", 26), to: "/etc/group" },
            ],
            directories: {
              "/var/lib/postgresql": { uid: 26, gid: 26, mode: 0o700 },
              "/run/postgresql": { uid: 26, gid: 26, mode: 0o775 },
              "/tmp": { mode: 0o1777 },
            },
          },
        ],
        config: {
          user: "26:26",
          env: [
            `PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/${POSTGRESQL_MAJOR}/bin`,
            "LANG=C.UTF-8",
          ],
        },
      },
    ],
  },
  {
    name: "api",
    version: API,
    kind: "image",
    about: "this project's API (apps/api) on Debian's Node",
    file: "api.tar",
    image: { name: "ghcr.io/groundwork/api", tag: API },
    sources: [
      {
        type: "compose",
        parts: "official", // the project's own: there is no other
        seconds: 60,
        layers: [
          { tar: "debian-node" },
          {
            files: [
              { entry: "api-bundle", to: "/app/server.cjs", mode: 0o644 },
              { text: passwd("app", 10001, "/app"), to: "/etc/passwd" },
              { text: group("app", 10001), to: "/etc/group" },
            ],
            directories: { "/tmp": { mode: 0o1777 } },
          },
        ],
        config: {
          entrypoint: ["/usr/bin/node", "/app/server.cjs"],
          env: ["PATH=/usr/bin", "NODE_ENV=production"],
          user: "10001:10001",
          workingDir: "/app",
        },
      },
    ],
  },
  debianLayer("debian-postgresql", "PostgreSQL and what it needs", {
    suite: "trixie",
    variant: "extract",
    packages: [
      `postgresql-${POSTGRESQL_MAJOR}`,
      `postgresql-client-${POSTGRESQL_MAJOR}`,
      "bash",
      "dash",
      "coreutils",
      "libc-bin",
      "base-files",
    ],
    remove: [...UNUSED, ...UNUSED_OF_POSTGRESQL],
  }),
  debianLayer("debian-node", "Node and what it needs", {
    suite: "trixie",
    variant: "extract",
    packages: ["nodejs", "base-files", "tzdata"],
    // Debian's Node loads parts of itself (lexer, undici, acorn) from /usr/share/nodejs: without, it ends at once.
    remove: [...UNUSED, "/usr/share/node_modules", "/usr/lib/node_modules"],
  }),
  {
    name: "api-bundle",
    version: API,
    kind: "file",
    about: "the API as one script",
    file: "server.cjs",
    internal: true,
    sources: [
      {
        type: "workspace",
        parts: "official",
        seconds: 10,
        workspace: "apps/api",
        script: "bundle",
        output: "dist/server.cjs",
        inputs: ["src", "bundle.mjs", "package.json"],
      },
    ],
  },
];

/** The binary of an image that is built here. */
function binary(name: string, version: string, title: string, seconds: number): Entry {
  return {
    name: `${name}-binary`,
    version,
    kind: "file",
    about: `${title}'s server, for the image that is built here`,
    file: name,
    internal: true,
    sources: [{ type: "go", parts: "built", seconds, folder: `artifacts/recipes/${name}`, output: name }],
  };
}

/** Debian packages as a layer, kept apart from the images on it: those change more often. */
function debianLayer(name: string, about: string, debian: DebianTree): Entry {
  return {
    name,
    version: debian.suite,
    kind: "file",
    about,
    file: "layer.tar",
    internal: true,
    sources: [{ type: "debian", parts: "official", seconds: 40, debian }],
  };
}
