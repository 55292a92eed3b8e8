import * as path from "node:path";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Artifacts } from "../../artifacts/types";
import type { Host, Target } from "../host/host";
import { remoteScript } from "../host/remote-script";
import { ClusterBaseline } from "./cluster-baseline";
import type { ClusterPlan, NodePlan } from "./config";
import { CrdBundle } from "./crd-bundle";
import type { CachedFile } from "./crd-file";
import { deliver } from "./deliver";
import { imagesScript, installScript, kubeconfigScript, RemoteArtifact, Tokens, uninstall } from "./install";
import { ClusterSettings, clusterSchema } from "./settings";

export interface K3sClusterArgs extends Partial<ClusterSettings> {
  /** Machines, an odd number of servers among them. */
  hosts: Host[];
  artifacts: Artifacts;
  /** Names in the catalogue of the images that workloads need; K3s's own are always there. @default none */
  images?: string[];
  /** Namespaces in which Pod Security enforces nothing, besides kube-system. @default none */
  unrestricted?: string[];
  /** Where the API server is reached through a balancer. @default at the first server */
  api?: Target["api"];
  /** `external`: a cloud's own controller initialises the nodes. @default K3s does */
  cloud?: "external";
}

/** A K3s cluster on hosts, by K3s's documented files and units only. */
export class K3sCluster extends pulumi.ComponentResource {
  /** The one provider of this cluster; known once the API server answers and all servers are Ready. */
  readonly provider: k8s.Provider;
  /** The administrator's kubeconfig; a secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** `https://ADDRESS:6443` of the first server. */
  readonly apiServer: pulumi.Output<string>;
  /** Where LoadBalancer Services are reached: K3s's servicelb gives them the nodes' addresses. */
  readonly ingressAddress: pulumi.Output<string>;
  /** Addresses of the machines that run the API server. */
  readonly serverAddresses: pulumi.Output<string>[];
  /** Names of the nodes, known once all of them are Ready. */
  readonly ready: pulumi.Output<string[]>;
  /** The first server, and a value that is known once it is Ready: for what is done on the machine itself. */
  readonly server: Host;
  readonly serverReady: pulumi.Output<string>;

  constructor(name: string, args: K3sClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:cluster:K3sCluster", name, {}, opts);
    const { hosts, artifacts, unrestricted = [] } = args;
    // The bundle of K3s's own images has no single reference, so to the catalogue it is a file.
    const images = [artifacts.file("k3s-airgap"), ...(args.images ?? []).map((image) => artifacts.image(image))];
    const servers = hosts.filter((host) => host.role === "server");
    const agents = hosts.filter((host) => host.role === "agent");
    if (servers.length % 2 === 0) throw new Error(`a cluster needs an odd number of servers, not ${servers.length}`);
    this.server = servers[0]!;

    const defaults = clusterSchema.parse({});
    const plan = planOf([...servers, ...agents], { ...defaults, ...definedOnly(args) }, unrestricted);
    const tokens = pulumi
      .all([token(`${name}-server-token`, this), token(`${name}-agent-token`, this)])
      .apply(([server, agent]): Tokens => ({ server, agent }));
    const binary = artifacts.file("k3s");

    /** One node from nothing to Ready; `after` is what it joins. */
    const install = (host: Host, after: pulumi.Input<string>): pulumi.Output<string> => {
      const node = `${name}-${host.name}`;
      const imported = this.importImages(node, host, images);
      const source = deliver(`${node}-binary`, host, binary, { parent: this });
      const k3s = source.apply((at): RemoteArtifact => ({ path: at, sha256: binary.sha256 }));
      const self = plan.apply((all) => all.nodes.find(({ name: one }) => one === host.name)!);
      const script = pulumi
        .all([plan, self, tokens, k3s])
        .apply(([all, one, secrets, from]) => installScript(all, one, secrets, from));
      const installed = remoteScript(
        `${node}-install`,
        { host, apply: script, remove: self.apply(uninstall), triggers: [imported, after] },
        { parent: this },
      );
      // The words `NAME is Ready`; the tokens in the script are what made it secret.
      return pulumi.unsecret(installed.stdout);
    };

    this.serverReady = install(this.server, "");
    // One after the other: etcd takes one new member at a time.
    const others = servers
      .slice(1)
      .reduce<pulumi.Output<string>[]>((done, host) => [...done, install(host, done.at(-1) ?? this.serverReady)], []);
    const serversReady = others.at(-1) ?? this.serverReady;
    const agentsReady = agents.map((host) => install(host, serversReady));

    const access = this.access(name, serversReady);
    this.kubeconfig = access.kubeconfig;
    this.apiServer = pulumi.interpolate`https://${this.server.address}:6443`;
    this.ingressAddress = serversReady.apply(() => this.server.address);
    this.serverAddresses = servers.map((server) => server.address);
    this.ready = pulumi
      .all([this.serverReady, ...others, ...agentsReady])
      .apply((all) => all.map((said) => said.split(" ")[0]!));
    this.provider = new k8s.Provider(
      `${name}-provider`,
      {
        kubeconfig: this.kubeconfig,
        // Without it every new kubeconfig would look like another cluster, and replace all that is on it.
        clusterIdentifier: access.identity,
        // An engine that was killed between a create and its checkpoint left an object that the state does not know.
        upsertExistingObjects: true,
        // What the graph sets is the graph's: a value that was changed by hand is put back and not quarrelled about.
        enablePatchForce: true,
      },
      { parent: this },
    );
    new ClusterBaseline(
      `${name}-baseline`,
      {
        servers: this.serverAddresses,
        nodes: hosts.map((host) => host.address),
        // With one server the cluster is gone with it.
        machine: servers.length === 1 ? this.server.machine : undefined,
      },
      { parent: this, providers: { kubernetes: this.provider } },
    );
    this.registerOutputs({ apiServer: this.apiServer, ingressAddress: this.ingressAddress, ready: this.ready });
  }

  /** Installs the CustomResourceDefinitions of a manifest; the result is known once they are Established. */
  readonly installCrds = (
    name: string,
    manifest: CachedFile,
    opts?: pulumi.ComponentResourceOptions,
  ): pulumi.Output<string> => new CrdBundle(name, { cluster: this, manifest }, opts).established;

  /** Puts the image archives where K3s imports them from. */
  private importImages(
    node: string,
    host: Host,
    archives: { name: string; path: string; sha256: string; ref?: string }[],
  ): pulumi.Output<string> {
    const delivered = archives.map((archive) => ({
      ref: archive.ref,
      // The name in the folder has the digest, so that K3s sees a changed archive as a new file.
      file: `${archive.name}-${archive.sha256.slice(0, 12)}${/\.tar(\.\w+)?$/.exec(path.basename(archive.path))?.[0] ?? ".tar"}`,
      sha256: archive.sha256,
      path: deliver(`${node}-${archive.name}`, host, archive, { parent: this }),
    }));
    const script = pulumi
      .output(delivered)
      .apply((all) => imagesScript(Object.fromEntries(all.map(({ file, ...artifact }) => [file, artifact]))));
    const imported = remoteScript(`${node}-images`, { host, apply: script }, { parent: this });
    return pulumi.unsecret(imported.stdout);
  }

  /** The kubeconfig and what the cluster is told from others by. */
  private access(name: string, ready: pulumi.Output<string>) {
    const read = remoteScript(
      `${name}-kubeconfig`,
      { host: this.server, apply: pulumi.output(this.server.address).apply(kubeconfigScript), triggers: [ready] },
      { parent: this, additionalSecretOutputs: ["stdout"] },
    );
    const text = pulumi.secret(read.stdout);
    return {
      kubeconfig: text.apply((both) => both.slice(both.indexOf("\n") + 1)),
      identity: pulumi.unsecret(text.apply((both) => both.slice(0, both.indexOf("\n")))),
    };
  }
}

/** A join token: never on a command line, in a log or in plain in the state. */
function token(name: string, parent: pulumi.Resource): pulumi.Output<string> {
  return new random.RandomPassword(name, { length: 48, special: false }, { parent }).result;
}

function definedOnly(args: K3sClusterArgs): Partial<ClusterSettings> {
  const { snapshots, podMaxPids, eventRateLimit } = args;
  return Object.fromEntries(
    Object.entries({ snapshots, podMaxPids, eventRateLimit }).filter(([, value]) => value !== undefined),
  );
}

/** The plan, once the machines' addresses are known. */
function planOf(hosts: Host[], settings: ClusterSettings, unrestricted: string[]): pulumi.Output<ClusterPlan> {
  const nodes = hosts.map(({ name, role, address, sharesKernel }) =>
    pulumi
      .all([address, sharesKernel ?? false])
      .apply(([at, shares]): NodePlan => ({ name, role, address: at, sharesKernel: shares })),
  );
  return pulumi.all(nodes).apply((all) => ({ ...settings, unrestricted, nodes: all }));
}
