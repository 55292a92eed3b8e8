import * as pulumi from "@pulumi/pulumi";
import * as path from "node:path";
import { cacheDir } from "../../cli/paths";
import { CachedArtifact, copiesFolder, copyName, fetchFunction, tidyCopies, upload } from "../host/depot";
import type { Host } from "../host/host";
import { remoteScript } from "../host/remote-script";

/**
 * Brings files of the artefact cache to a machine and gives their paths there, known once all are there. Where the machine sees
 * the cache nothing is copied; where it has a depot it fetches them from that; else they are uploaded to it over SSH.
 */
export function deliverAll(
  name: string,
  host: Host,
  artifacts: CachedArtifact[],
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string[]> {
  const mounted = artifacts.map((artifact) => mountedPath(host, artifact));
  if (mounted.every((place) => place !== undefined)) return pulumi.output(mounted);
  const copies = artifacts.map((artifact) => `${copiesFolder}/${copyName(artifact)}`);
  const remove = `rm -f ${copies.join(" ")}
rmdir ${copiesFolder} $(dirname ${copiesFolder}) 2> /dev/null || true`;

  const { depot } = host;
  if (depot) {
    const apply = pulumi
      .all(artifacts.map((artifact) => depot.keep(artifact)))
      .apply((kept) =>
        [
          tidyCopies(artifacts),
          fetchFunction(depot.address),
          ...artifacts.map(({ sha256 }, index) => `fetch '${kept[index]}' ${sha256}`),
          `echo '${artifacts.length} copies'`,
        ].join("\n"),
      );
    const fetched = remoteScript(`${name}-fetch`, { host, apply, remove }, opts);
    return pulumi.unsecret(fetched.stdout).apply(() => copies);
  }

  const place = remoteScript(`${name}-place`, { host, apply: tidyCopies(artifacts), remove }, opts);
  const uploads = artifacts.map((artifact) =>
    upload(`${name}-${artifact.name}-copy`, host, artifact, { ...opts, dependsOn: place }),
  );
  return pulumi.all(uploads.map(({ id }) => id)).apply(() => copies);
}

/** {@link deliverAll} of one file. */
export const deliver = (
  name: string,
  host: Host,
  artifact: CachedArtifact,
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> => deliverAll(name, host, [artifact], opts).apply(([copy]) => copy!);

/** Where the machine sees the file of the cache, if it does. */
function mountedPath(host: Host, artifact: CachedArtifact): string | undefined {
  const inCache = path.relative(cacheDir(), artifact.path);
  return host.artifactMount === undefined || inCache.startsWith("..") ? undefined : `${host.artifactMount}/${inCache}`;
}
