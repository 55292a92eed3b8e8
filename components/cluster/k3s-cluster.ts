import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { k3sEntries } from "../../artifacts/catalogue/cluster";
import type { Artifacts } from "../../artifacts/types";
import type { Host, Target } from "../host/host";
import { remoteScript } from "../host/remote-script";
import { ClusterBaseline } from "./cluster-baseline";
import { apiServer, ClusterPlan, NodePlan } from "./config";
import { CrdBundle } from "./crd-bundle";
import type { CachedFile } from "./crd-file";
import { kubeconfigScript, Tokens } from "./install";
import { nodePlan, Nodes } from "./nodes";
import { ClusterSettings, clusterSchema } from "./settings";
import { chooseRelease } from "./versions";

export interface K3sClusterArgs extends Partial<ClusterSettings> {
  /** Machines, an odd number of servers among them. Their order says nothing: the first server is the first by name. */
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
  /** `https://ADDRESS:6443` of the balancer, or of the first server. */
  readonly apiServer: pulumi.Output<string>;
  /** Where LoadBalancer Services are reached: K3s's servicelb gives them the nodes' addresses. */
  readonly ingressAddress: pulumi.Output<string>;
  /** What goes when the whole cluster goes, where the stack owns its machines: nothing in it has to be deleted then. */
  readonly lifetime?: pulumi.Resource;
  /** Addresses of the machines that run the API server. */
  readonly serverAddresses: pulumi.Output<string>[];
  /** Names of the nodes, known once all of them are Ready. */
  readonly ready: pulumi.Output<string[]>;
  /** The first server, and a value that is known once it is Ready: for what is done on the machine itself. */
  readonly server: Host;
  readonly serverReady: pulumi.Output<string>;

  constructor(name: string, args: K3sClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:cluster:K3sCluster", name, {}, opts);
    const { hosts, artifacts } = args;
    const servers = byName(hosts.filter((host) => host.role === "server"));
    const agents = byName(hosts.filter((host) => host.role === "agent"));
    if (servers.length % 2 === 0) throw new Error(`a cluster needs an odd number of servers, not ${servers.length}`);
    this.server = servers[0]!;

    const settings: ClusterSettings = { ...clusterSchema.parse({}), ...definedOnly(args) };
    const release = chooseRelease(settings.version);
    if (release === undefined) throw new Error(`the catalogue has no K3s release of Kubernetes ${settings.version}`);
    const names = k3sEntries(release);
    const plan = planOf(servers.map(nodePlan), hosts.length, settings, args);
    const serverToken = token(`${name}-server-token`, this);
    // Not a machine: one of several can be made anew while the cluster goes on.
    if (servers.every(({ machine }) => machine !== undefined)) this.lifetime = serverToken;
    const nodes = new Nodes(
      name,
      {
        hosts: [...servers, ...agents],
        plan,
        tokens: pulumi
          .all([serverToken.result, token(`${name}-agent-token`, this).result])
          .apply(([server, agent]): Tokens => ({ server, agent })),
        k3s: { ...artifacts.file(names.binary), version: release },
        // The archive of K3s's own images has no single reference, so to the catalogue it is a file.
        images: [
          { ...artifacts.file(names.images), name: "k3s-airgap" },
          ...(args.images ?? []).map((image) => artifacts.image(image)),
        ],
        upgrade: settings.upgrade,
        cluster: serverToken,
      },
      this,
    ).install();
    this.serverReady = nodes.first;

    const access = this.access(name, plan, nodes.servers);
    this.kubeconfig = access.kubeconfig;
    this.apiServer = plan.apply(apiServer);
    this.ingressAddress = nodes.servers.apply(() => this.server.address);
    this.serverAddresses = servers.map((server) => server.address);
    this.ready = pulumi.all(nodes.all).apply((all) => all.map((said) => said.split(" ")[0]!));
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
        // With its tokens the cluster goes, also where its API can't be asked any more.
        cluster: serverToken,
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

  /** The kubeconfig and what the cluster is told from others by. */
  private access(name: string, plan: pulumi.Output<ClusterPlan>, ready: pulumi.Output<string>) {
    const read = remoteScript(
      `${name}-kubeconfig`,
      { host: this.server, apply: plan.apply((all) => kubeconfigScript(apiServer(all))), triggers: [ready] },
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
const token = (name: string, parent: pulumi.Resource): random.RandomPassword =>
  new random.RandomPassword(name, { length: 48, special: false }, { parent });

/** In an order that the settings' own has no say in, so that moving a line there changes nothing: server-2 before server-10. */
const byName = (hosts: Host[]): Host[] =>
  [...hosts].sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));

function definedOnly(args: K3sClusterArgs): Partial<ClusterSettings> {
  const { version, upgrade, snapshots, podMaxPids, eventRateLimit } = args;
  return Object.fromEntries(
    Object.entries({ version, upgrade, snapshots, podMaxPids, eventRateLimit }).filter(
      ([, value]) => value !== undefined,
    ),
  );
}

/** The plan, once the servers' addresses are known: none of them waits for an agent's machine. */
function planOf(
  servers: pulumi.Output<NodePlan>[],
  size: number,
  settings: ClusterSettings,
  args: K3sClusterArgs,
): pulumi.Output<ClusterPlan> {
  const { unrestricted = [], api, cloud } = args;
  const balancer = api === undefined ? undefined : { address: api.address, inside: api.inside };
  return pulumi.all([pulumi.all(servers), pulumi.output(balancer)]).apply(([nodes, at]) => ({
    ...{ ...settings, unrestricted, nodes, size },
    ...(at === undefined ? {} : { api: at }),
    ...(cloud === undefined ? {} : { cloud }),
  }));
}
