import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../host/host";
import { remoteScript } from "../host/remote-script";
import { CachedFile, crdFile } from "./crd-file";
import { deliver } from "./deliver";

/** Seconds until the definitions must be Established: it is a matter of one. */
const establishedLimit = 60;

/** The server's own copy, for the time when the cache has another version. */
const copyOf = (name: string): string => `/var/lib/groundwork/crds/${name}.yaml`;

/** Applies the definitions in a file and waits until the API server serves them. */
export function applyCrdsScript(name: string, source: string): string {
  const copy = copyOf(name);
  return `
export PATH=/usr/local/bin:$PATH
[ -r '${source}' ] || fail "the definitions ${source} are missing"
mkdir -p "$(dirname ${copy})"
cp '${source}' ${copy}
k3s kubectl apply --server-side --force-conflicts --field-manager groundwork --filename ${copy} > /dev/null
end=$((SECONDS + ${establishedLimit}))
# kubectl gives up where a definition is so new that it has no conditions at all.
until said=$(k3s kubectl wait --for condition=Established --timeout ${establishedLimit}s --filename ${copy} 2>&1); do
  [ $SECONDS -lt $end ] || fail "not established after ${establishedLimit} s: $said"
done
echo established`;
}

/** Deletes the definitions, and with them their objects: by then the graph has deleted those that it made. */
export function deleteCrdsScript(name: string): string {
  const copy = copyOf(name);
  return `
export PATH=/usr/local/bin:$PATH
[ -f ${copy} ] || exit 0
k3s kubectl delete --ignore-not-found --wait --timeout 60s --filename ${copy} > /dev/null
rm ${copy}`;
}

export interface CrdBundleArgs {
  /** The cluster; a server of it applies the definitions. */
  cluster: { server: Host; serverReady: pulumi.Output<string> };
  /** A manifest in the artefact cache; of its documents only CustomResourceDefinitions count. */
  manifest: CachedFile;
}

/**
 * The CustomResourceDefinitions of one manifest as one resource: they are megabytes, so the state holds their
 * digest only, and a server applies them from its own copy.
 */
export class CrdBundle extends pulumi.ComponentResource {
  /** Known once all of them are Established: what custom resources have to wait for. */
  readonly established: pulumi.Output<string>;

  constructor(name: string, args: CrdBundleArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:cluster:CrdBundle", name, {}, opts);
    const { server, serverReady } = args.cluster;
    const definitions = crdFile(args.manifest);
    const source = deliver(`${name}-file`, server, { name, ...definitions }, { parent: this });
    const applied = remoteScript(
      `${name}-apply`,
      {
        host: server,
        apply: source.apply((path) => applyCrdsScript(name, path)),
        remove: deleteCrdsScript(name),
        // The digest applies changed definitions; readiness is the edge to the cluster.
        triggers: [definitions.sha256, serverReady],
      },
      { parent: this },
    );
    this.established = pulumi.unsecret(applied.stdout);
    this.registerOutputs({ established: this.established });
  }
}
