import type { Entry } from "./types";

// renovate: datasource=docker depName=valkey/valkey
const VALKEY = "8.1.1";

const passwd = "root:x:0:0:root:/root:/sbin/nologin\nvalkey:x:10379:10379::/:/sbin/nologin\n";
const group = "root:x:0:\nvalkey:x:10379:\n";

/** What the component's scripts call besides the shell's own words: cat, cksum, date and sleep. Everything else goes. */
const UNUSED_PROGRAMS = [
  ..."[ a* b* ch* co* cp cs* cu* dd de* df di* du e* f* g* h* i* j* k* l* m* n* o* p* q* r*".split(" "),
  ..."sa* se* sha* shr* shu* so* sp* st* su* sy* t* u* valkey-b* valkey-check-aof vd* w* x* y* z*".split(" "),
].map((name) => `/usr/bin/${name}`);

/** What only the removed programs and the packages' own scripts need. */
const UNUSED_FILES = [
  "/boot",
  "/etc/apt",
  "/etc/pam*",
  "/etc/passwd",
  "/etc/group",
  "/etc/security",
  "/etc/selinux",
  "/lib/systemd",
  "/sbin",
  "/usr/sbin",
  "/usr/games",
  "/usr/libexec",
  "/usr/lib/systemd",
  "/usr/lib/tmpfiles.d",
  ...["gconv", "perl*", "security", "libdb-*", "libgmp.*", "libmvec.*", "libpam*", "libaudit.*", "libsemanage.*"].map(
    (name) => `/usr/lib/*-linux-gnu/${name}`,
  ),
  "/usr/share/bash-completion",
  "/usr/share/debconf",
  "/usr/share/pam*",
  "/usr/share/perl*",
  "/var/lib/dpkg",
  "/var/lib/pam",
];

/** The cache's image: upstream's, or Debian's build of the same release with a shell and four small programs. */
export const valkeyEntries: Entry[] = [
  {
    name: "valkey",
    version: VALKEY,
    kind: "image",
    about: "Valkey, the cache; where it is built here, Debian's build of the same release",
    file: "valkey.tar",
    image: { name: "docker.io/valkey/valkey", tag: VALKEY },
    sources: [
      { type: "pull", parts: "official", seconds: 30 },
      {
        type: "compose",
        parts: "built",
        seconds: 5,
        layers: [
          { tar: "debian-valkey" },
          {
            files: [
              { text: passwd, to: "/etc/passwd" },
              { text: group, to: "/etc/group" },
            ],
            // Where upstream's image has them.
            links: {
              "/usr/local/bin/valkey-server": "../../bin/valkey-check-rdb",
              "/usr/local/bin/valkey-cli": "../../bin/valkey-cli",
            },
            directories: { "/tmp": { mode: 0o1777 } },
          },
        ],
        config: {
          entrypoint: ["/usr/local/bin/valkey-server"],
          env: ["PATH=/usr/local/bin:/usr/bin:/bin"],
          user: "10379:10379",
          workingDir: "/",
        },
      },
    ],
  },
  {
    name: "debian-valkey",
    version: "trixie",
    kind: "file",
    about: "Valkey and what it needs",
    file: "layer.tar",
    internal: true,
    sources: [
      {
        type: "debian",
        parts: "official",
        seconds: 40,
        debian: {
          suite: "trixie",
          variant: "extract",
          packages: ["valkey-tools", "dash", "coreutils", "base-files"],
          remove: [...UNUSED_PROGRAMS, ...UNUSED_FILES],
        },
      },
    ],
  },
];
