import * as fs from "node:fs";
import * as command from "@pulumi/command";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { crdFile } from "../components/cluster";
import type { Cluster } from "./cluster";

/**
 * A cluster that exists already and is thrown away afterwards: a real API server without machines. Everything above it in the
 * graph is the same as on a real one, so that a change of the platform can be tried in seconds.
 *
 * @param kubeconfigPath file with the kubeconfig; the program `k3s` must be on PATH for the custom resource definitions
 */
export function rehearsedCluster(kubeconfigPath: string): Cluster {
  const kubeconfig = pulumi.secret(fs.readFileSync(kubeconfigPath, "utf8"));
  const provider = new k8s.Provider("k3s-provider", {
    kubeconfig,
    clusterIdentifier: "rehearsal",
    upsertExistingObjects: true,
    enablePatchForce: true,
  });
  return {
    provider,
    kubeconfig,
    serverAddresses: ["192.0.2.1"], // TEST-NET-1: no pod runs here that could call it
    installCrds: (name, manifest, opts) => {
      const file = crdFile(manifest);
      const kubectl = `k3s kubectl --kubeconfig "$REHEARSAL_KUBECONFIG"`;
      const apply = new command.local.Command(
        `${name}-apply`,
        {
          create: `set -e
${kubectl} apply --server-side --force-conflicts --filename "$CRDS" > /dev/null
# A definition that has no status yet makes it fail at once instead of waiting.
for try in 1 2 3 4 5; do
  ${kubectl} wait --for condition=Established --timeout 60s --filename "$CRDS" > /dev/null && exit 0
  sleep 1
done
exit 1`,
          delete: `${kubectl} delete --ignore-not-found --wait=false --filename "$CRDS" > /dev/null`,
          environment: { REHEARSAL_KUBECONFIG: kubeconfigPath, CRDS: file.path },
          triggers: [file.sha256],
          logging: "none",
        },
        opts,
      );
      return apply.id;
    },
    components: pulumi.output([]),
  };
}
