import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import { Balancer } from "./balancer";
import { gatewayRules, nodeRules } from "./firewall-rules";
import { labelsOf, planCloud, type CloudPlan, type PlannedServer } from "./plan";
import { CloudServer } from "./server";
import { cloudEndpoint } from "./endpoint";
import type { HcloudSettings } from "./settings";

export interface HcloudMachinesArgs {
  settings: HcloudSettings;
  /** Public key that the stack's machines are reached with. */
  publicKey: pulumi.Input<string>;
  /** Hetzner refuses to delete what this makes. @default false */
  protect?: boolean;
}

/**
 * Everything that a stack has at Hetzner Cloud, and nothing that happens inside a machine: network, firewalls, keys, machines,
 * load balancers. Machines are ordered side by side; what waits for what is what Hetzner itself asks for.
 */
export class HcloudMachines extends pulumi.ComponentResource {
  readonly plan: CloudPlan;
  /** Machines of the cluster, servers first. */
  readonly nodes: CloudServer[];
  readonly gateway?: CloudServer;
  readonly api: Balancer;
  readonly ingress: Balancer;
  /** Name of the private network, known once machines can be in it. */
  readonly network: pulumi.Output<string>;

  constructor(name: string, args: HcloudMachinesArgs, opts?: pulumi.ComponentResourceOptions) {
    const { settings, protect = false } = args;
    super("groundwork:host:HcloudMachines", name, {}, opts);
    this.plan = planCloud(settings, pulumi.getStack());
    const { plan } = this;
    const { prefix } = plan;
    const provider = new hcloud.Provider(`${name}-provider`, providerArgs(settings), { parent: this });
    const here = { parent: this, provider };

    const key = new hcloud.SshKey(
      `${name}-key`,
      {
        name: prefix,
        publicKey: pulumi.output(args.publicKey).apply((line) => line.trim()),
        labels: labelsOf(prefix, "key"),
      },
      // Hetzner takes a public key once in a project.
      { ...here, deleteBeforeReplace: true },
    );
    const network = this.makeNetwork(name, protect, here);
    const firewall = (part: string, rules: hcloud.types.input.FirewallRule[]) =>
      new hcloud.Firewall(
        `${name}-${part}-firewall`,
        { name: `${prefix}-${part}`, rules, labels: labelsOf(prefix, "firewall") },
        { ...here, deleteBeforeReplace: true },
      );
    const groups = new Map(
      plan.groups.map((group) => [
        group,
        new hcloud.PlacementGroup(
          `${name}-group-${group.slice(prefix.length + 1)}`,
          { name: group, type: "spread", labels: labelsOf(prefix, "group") },
          { ...here, deleteBeforeReplace: true },
        ),
      ]),
    );
    const make = (planned: PlannedServer, networkId: pulumi.Output<number>, wall: hcloud.Firewall) => {
      const group = planned.group === undefined ? undefined : groups.get(planned.group);
      return new CloudServer(
        `${name}-${planned.name.slice(prefix.length + 1)}`,
        {
          plan: planned,
          network: plan.network,
          networkId,
          firewallId: wall.id.apply(Number),
          sshKeys: [key.id, ...settings.sshKeys],
          ...(group === undefined ? {} : { groupId: group.id.apply(Number) }),
          snapshots: planned.role === "gateway" ? [] : settings.snapshots,
          protect,
        },
        here,
      );
    };

    if (plan.gateway) this.gateway = make(plan.gateway, network.id, firewall("gateway", gatewayRules(settings)));
    const nodesWall = firewall("nodes", nodeRules(settings));
    this.nodes = plan.nodes.map((node) => make(node, network.forNodes, nodesWall));
    const balancer = (part: "api" | "ingress") =>
      new Balancer(`${name}-${part}`, { plan: plan[part], networkId: network.id, protect }, here);
    this.api = balancer("api");
    this.ingress = balancer("ingress");
    this.network = network.id.apply(() => plan.network.name);
    this.registerOutputs({ network: this.network });
  }

  private makeNetwork(name: string, protect: boolean, opts: pulumi.CustomResourceOptions) {
    const { network, zone, labels, gateway } = this.plan;
    const made = new hcloud.Network(
      `${name}-network`,
      { name: network.name, ipRange: network.cidr, labels, deleteProtection: protect },
      { ...opts, deleteBeforeReplace: true },
    );
    const subnet = new hcloud.NetworkSubnet(
      `${name}-subnet`,
      { networkId: made.id.apply(Number), type: "cloud", ipRange: network.subnet, networkZone: zone },
      { ...opts, deleteBeforeReplace: true },
    );
    const id = subnet.networkId;
    if (!gateway) return { id, forNodes: id };
    const route = new hcloud.NetworkRoute(
      `${name}-route`,
      { networkId: subnet.networkId, destination: "0.0.0.0/0", gateway: gateway.address },
      { ...opts, deleteBeforeReplace: true },
    );
    // Machines without public addresses are made once the network has a way out.
    return { id, forNodes: route.networkId };
  }
}

/**
 * The token is given where the stack's file has it (`hcloud:token`, encrypted). Else the provider reads HCLOUD_TOKEN itself, and
 * nothing of it is in the state: a new token is no change, and `destroy` goes by the one of its day.
 *
 * The rate limit is 3,600 requests an hour for a whole project, and by default each thing that takes time is asked after twice a
 * second.
 */
function providerArgs(settings: HcloudSettings): hcloud.ProviderArgs {
  const token = new pulumi.Config("hcloud").getSecret("token");
  // Given, so that it is in the state: what was ordered from an emulator is never looked for at Hetzner.
  const endpoint = cloudEndpoint(settings);
  return {
    ...(token === undefined ? {} : { token }),
    ...(endpoint === undefined ? {} : { endpoint }),
    pollInterval: "1s",
    pollFunction: "exponential",
  };
}

/** The token for whoever speaks to the API besides the provider; empty where none is set. */
export const cloudToken = (): pulumi.Output<string> =>
  new pulumi.Config("hcloud").getSecret("token") ?? pulumi.secret(process.env["HCLOUD_TOKEN"] ?? "");
