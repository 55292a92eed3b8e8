import * as path from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { Host } from "./host";
import { connectionTo, identityOf, remoteScript, writeFiles } from "./remote-script";

/** Where copies of artefacts lie on a machine that does not see the cache. */
export const copiesFolder = "/var/lib/groundwork/copies";

/** TCP port on which a depot answers the stack's machines. */
export const depotPort = 7070;

const program = "/usr/local/sbin/groundwork-depot";
const socket = "groundwork-depot.socket";
const service = "groundwork-depot@.service";

/**
 * One connection: the client says a name, and gets the file's bytes until the end. Names hold no slash, so nothing outside of
 * the folder can be asked for; what is in it are released programs and images, which are no secrets. Who may ask is the
 * firewall's to say, and whether the bytes are right is the client's, who knows the digest.
 */
const programText = `#!/bin/bash
# Hands out copies of artefacts to the machines of the stack.
read -r -t 10 name || exit 0
case "$name" in *[!A-Za-z0-9._-]* | .* | '') exit 0 ;; esac
[ ! -f "${copiesFolder}/$name" ] || exec cat "${copiesFolder}/$name"
`;

const files = (address: string) => [
  { path: program, mode: "755", content: programText },
  {
    path: `/etc/systemd/system/${socket}`,
    content: `[Unit]
Description=Copies of artefacts for the machines of the stack

[Socket]
ListenStream=${address}:${depotPort}
# The address may come later than the socket.
FreeBind=yes
Accept=yes
MaxConnections=64

[Install]
WantedBy=sockets.target
`,
  },
  {
    path: `/etc/systemd/system/${service}`,
    content: `[Unit]
Description=One copy of an artefact

[Service]
ExecStart=-${program}
StandardInput=socket
StandardOutput=socket
StandardError=journal
DynamicUser=yes
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_UNIX
`,
  },
];

/** A file of the artefact cache. */
export interface CachedArtifact {
  /** Its name in the catalogue: unique among all that a machine gets, and the same for all versions. */
  name: string;
  path: string;
  sha256: string;
}

/** A copy's name tells artefact and digest, and keeps the ending, by which K3s tells what a file is. */
export const copyName = ({ name, path: file, sha256 }: CachedArtifact): string =>
  `${name}--${sha256.slice(0, 16)}${/(\.tar)?(\.[a-z][a-z0-9]*)?$/.exec(path.basename(file))?.[0] ?? ""}`;

/** Shell that makes room for copies: those of other versions of the same artefacts go. */
export const tidyCopies = (artifacts: CachedArtifact[]): string =>
  `mkdir -p -m 755 ${copiesFolder}
${artifacts
  .map((one) => `find ${copiesFolder} -maxdepth 1 -name '${one.name}--*' ! -name '${copyName(one)}' -delete\n`)
  .join("")}`;

export interface DepotArgs {
  /** The machine that keeps the copies, with its baseline; its firewall must let the stack's machines in on {@link depotPort}. */
  host: Pick<Host, "ssh" | "machine">;
  /** Its address in the private network. */
  address: string;
}

/**
 * Holds what the machines of a stack are made of. Everything is uploaded to it once, over SSH; the machines fetch it from there
 * through their own network. Uploading to each machine would take that many times as long, and the line of whoever runs `up` is
 * the slowest part of the way.
 */
export class Depot extends pulumi.ComponentResource {
  readonly address: string;
  private readonly host: DepotArgs["host"];
  private readonly ready: pulumi.Output<string>;
  private readonly kept = new Map<string, pulumi.Output<string>>();

  constructor(name: string, args: DepotArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:host:Depot", name, {}, opts);
    this.address = args.address;
    this.host = args.host;
    const answers = remoteScript(
      `${name}-answers`,
      {
        host: args.host,
        apply: `mkdir -p -m 755 ${copiesFolder}
${writeFiles(files(args.address))}
case "$changed" in *systemd*) systemctl daemon-reload; systemctl stop ${socket} ;; esac
systemctl enable --quiet --now ${socket}
echo ready`,
        remove: `systemctl disable --quiet --now ${socket} || true
rm -f ${program} /etc/systemd/system/${socket} /etc/systemd/system/${service}
systemctl daemon-reload`,
      },
      { parent: this },
    );
    this.ready = pulumi.unsecret(answers.stdout);
    this.registerOutputs({});
  }

  /** Uploads the file, once however many ask. Its name in the depot, known once it is there. */
  keep(artifact: CachedArtifact): pulumi.Output<string> {
    const known = this.kept.get(artifact.name);
    if (known) return known;
    const file = copyName(artifact);
    const options = { parent: this };
    const place = remoteScript(
      `depot-${artifact.name}-place`,
      {
        host: this.host,
        apply: tidyCopies([artifact]),
        remove: `rm -f ${copiesFolder}/${file}`,
        triggers: [this.ready],
      },
      options,
    );
    const copy = upload(`depot-${artifact.name}`, this.host, artifact, { ...options, dependsOn: place });
    const name = copy.id.apply(() => file);
    this.kept.set(artifact.name, name);
    return name;
  }
}

/** Copies a file of the cache into a machine's folder of copies, which must be there. A machine made anew gets it again. */
export function upload(
  name: string,
  host: Pick<Host, "ssh" | "machine">,
  artifact: CachedArtifact,
  opts: pulumi.CustomResourceOptions,
): command.remote.CopyToRemote {
  return new command.remote.CopyToRemote(
    name,
    {
      connection: connectionTo(host.ssh),
      source: new pulumi.asset.FileAsset(artifact.path),
      remotePath: `${copiesFolder}/${copyName(artifact)}`,
      triggers: [identityOf(host)],
    },
    { deletedWith: host.machine, ...opts },
  );
}

/**
 * Shell function `fetch NAME SHA256`: brings a copy from the depot at `address`, whole or not at all. Nothing but the shell
 * is needed for it.
 */
export const fetchFunction = (address: string): string => `
fetch() {
  local to=${copiesFolder}/$1
  ! echo "$2  $to" | sha256sum --check --status 2> /dev/null || return 0
  mkdir -p ${copiesFolder}
  for attempt in 1 2 3 4 5; do
    if exec 9<> /dev/tcp/${address}/${depotPort}; then
      echo "$1" >&9
      cat <&9 > "$to.new"
      exec 9>&-
      if echo "$2  $to.new" | sha256sum --check --status; then mv "$to.new" "$to"; return; fi
    fi 2> /dev/null
    sleep 1
  done
  rm -f "$to.new"
  fail "the depot at ${address}:${depotPort} does not give $1 as the lock knows it"
}`;
