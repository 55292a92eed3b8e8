import * as pulumi from "@pulumi/pulumi";
import type * as k8s from "@pulumi/kubernetes";
import { k3sEntries } from "../artifacts/catalogue/cluster";
import type { Artifacts } from "../artifacts/types";
import { K3sCluster } from "../components/cluster";
import { chooseRelease } from "../components/cluster/versions";
import type { EdgeFront } from "../components/edge";
import { type CloudAccess, makeTarget, rehearseTarget, type Target } from "../components/host";
import { clusterNetworks } from "../components/host/firewall";
import type { InstallCrds } from "../components/workload";
import { imagesOf } from "./parts";
import { rehearsedCluster } from "./rehearsal";
import type { ComponentReport } from "./report";
import type { Settings } from "./settings";

/** A cluster as the platform sees it, wherever it came from. */
export interface Cluster {
  provider: k8s.Provider;
  /** The administrator's kubeconfig, a secret. */
  kubeconfig: pulumi.Output<string>;
  /** Addresses of the machines that run the API server. */
  serverAddresses: pulumi.Input<string>[];
  installCrds: InstallCrds;
  /** What goes when the whole cluster goes, where the stack owns its machines. */
  lifetime?: pulumi.Resource;
  /** Where people reach the ingress, when that is not the nodes. */
  ingress?: EdgeFront;
  /** The cloud that its machines stand in. */
  cloud?: CloudAccess;
  /** How its machines and its nodes are probed. */
  components: pulumi.Output<ComponentReport[]>;
}

/** Where a rehearsal's kubeconfig stands; set by `rehearse` and by the engine tests only. */
const rehearsal = () => process.env["GROUNDWORK_REHEARSAL"];

/** The stack's machines with K3s on them; in a rehearsal the API server that it was given. */
export function makeCluster(settings: Settings, artifacts: Artifacts): Cluster {
  const kubeconfigPath = rehearsal();
  if (!kubeconfigPath) return installedCluster(settings, artifacts);
  // What is ordered from a cloud is ordered from its stand-in, and nothing is done inside the machines.
  const { ingress, cloud } = rehearseTarget(settings.target, { artifacts, protect: settings.protect });
  return { ...rehearsedCluster(kubeconfigPath), ...standingIn({ ingress, cloud }) };
}

function installedCluster(settings: Settings, artifacts: Artifacts): Cluster {
  const { hosts, api, ingress, cloud } = makeTarget(settings.target, {
    artifacts,
    protect: settings.protect,
  });
  const k3s = new K3sCluster("k3s", {
    ...{ hosts, artifacts, images: imagesOf(settings), ...settings.cluster },
    ...(api === undefined ? {} : { api }),
    ...(cloud === undefined ? {} : { cloud: "external" as const }),
  });
  const release = k3sEntries(chooseRelease(settings.cluster.version));
  const machines = hosts.map((host) =>
    pulumi.output(host.ssh.host).apply((address): ComponentReport => ({
      name: `host ${host.name}`,
      artifacts: ["nspawn", "docker"].includes(settings.target.driver) ? ["rootfs"] : [],
      // A machine behind a jump host is seen from here by its node alone.
      probe: host.ssh.proxy
        ? { kind: "condition", path: `/api/v1/nodes/${host.name}`, type: "Ready" }
        : { kind: "tcp", address, port: host.ssh.port },
    })),
  );
  return {
    provider: k3s.provider,
    ...(k3s.lifetime === undefined ? {} : { lifetime: k3s.lifetime }),
    kubeconfig: k3s.kubeconfig,
    serverAddresses: k3s.serverAddresses,
    installCrds: k3s.installCrds,
    ...standingIn({ ingress, cloud }),
    components: pulumi
      .all(machines)
      .apply((reports): ComponentReport[] => [
        ...reports,
        { name: "cluster", artifacts: [release.binary, release.images], probe: { kind: "nodes", count: hosts.length } },
      ]),
  };
}

/** What the platform is told of the cloud that the machines stand in, if they do. */
const standingIn = ({ ingress, cloud }: Partial<Target>): Pick<Cluster, "ingress" | "cloud"> => ({
  ...(ingress === undefined ? {} : { ingress: frontOf(ingress) }),
  ...(cloud === undefined ? {} : { cloud }),
});

/** The balancer as the edge's pods see it: a node hands its connections on under an address of the pod network, too. */
const frontOf = ({ address, trustedProxies }: NonNullable<Target["ingress"]>): EdgeFront => ({
  address,
  trustedProxies: [...trustedProxies, clusterNetworks.pods],
});

/**
 * Objects of a cluster whose machines are deleted with the stack need no deletion of their own: a `destroy` is as quick as the
 * machines', and nothing that hangs inside the cluster (a finalizer, an API that does not answer) can hold it up.
 */
export function endingWith(lifetime: pulumi.Resource | undefined): pulumi.ResourceTransformation[] {
  if (!lifetime) return [];
  return [
    ({ type, props, opts }) =>
      type.startsWith("kubernetes:") ? { props, opts: { ...opts, deletedWith: lifetime } } : undefined,
  ];
}
