import * as path from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { cacheDir } from "../../cli/paths";
import type { Host } from "../host/host";
import { connectionTo } from "../host/remote-script";

/** Where copies of artefacts lie on a machine that does not see the cache. */
const folder = "/var/lib/groundwork/copies";

/**
 * Brings a file of the artefact cache to a machine and gives its path there. Where the machine sees the cache,
 * nothing is copied; else it goes over SSH, under a name that has its digest.
 */
export function deliver(
  name: string,
  host: Host,
  artifact: { path: string; sha256: string },
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const inCache = path.relative(cacheDir(), artifact.path);
  if (host.artifactMount !== undefined && !inCache.startsWith("..")) {
    return pulumi.output(`${host.artifactMount}/${inCache}`);
  }
  // Archives keep their ending: K3s tells by it what a file is.
  const remotePath = `${folder}/${artifact.sha256.slice(0, 16)}-${path.basename(artifact.path)}`;
  const connection = connectionTo(host.ssh);
  const options = { deletedWith: host.machine, ...opts };
  const parent = new command.remote.Command(
    `${name}-folder`,
    {
      connection,
      create: `mkdir -p ${folder}`,
      // The resource that copies has no verb for taking a copy away.
      // Another copy may still be there, or have gone with the folder at the same moment.
      delete: `rm -f ${remotePath}; rmdir ${folder} $(dirname ${folder}) 2> /dev/null || true`,
      logging: "none",
      addPreviousOutputInEnv: false,
    },
    options,
  );
  const copy = new command.remote.CopyToRemote(
    `${name}-copy`,
    { connection, source: new pulumi.asset.FileAsset(artifact.path), remotePath, triggers: [parent.id] },
    options,
  );
  // The path is known before the copy is there; its consumers must wait for the copy.
  return pulumi.all([copy.id]).apply(() => remotePath);
}
