import * as pulumi from "@pulumi/pulumi";
import * as tls from "@pulumi/tls";
import type { BaselinePlan } from "../baseline";
import { Depot, depotPort } from "../depot";
import { clusterNetworks } from "../firewall";
import type { Target } from "../host";
import { HcloudHost } from "./host";
import { cloudEndpoint } from "./endpoint";
import { cloudToken, HcloudMachines } from "./machines";
import type { CloudPlan, PlannedServer } from "./plan";
import type { HcloudSettings } from "./settings";

export interface HcloudDeps {
  key: tls.PrivateKey;
  /** Hetzner refuses to delete what the stack has there. @default false */
  protect?: boolean;
  opts?: pulumi.ComponentResourceOptions;
}

/** The order at Hetzner alone: what costs money, without anything that happens inside a machine. */
export const orderMachines = (settings: HcloudSettings, { key, protect, opts }: HcloudDeps): HcloudMachines =>
  new HcloudMachines("hcloud", { settings, publicKey: key.publicKeyOpenssh, protect: protect ?? false }, opts);

/**
 * A cluster's machines at Hetzner Cloud with what stands before them. With private machines everything goes through the gateway:
 * their way out, SSH, and the API for those who administrate the cluster.
 */
export function hcloudTarget(settings: HcloudSettings, deps: HcloudDeps): Target {
  const machines = orderMachines(settings, deps);
  const { plan } = machines;
  const depot = plan.gateway ?? plan.nodes[0]!;
  const privateKey = pulumi.secret(deps.key.privateKeyOpenssh);
  const inNetwork = { network: plan.network, privateKey };
  const gateway =
    machines.gateway &&
    new HcloudHost(
      machines.gateway.plan.name,
      {
        ...inNetwork,
        machine: machines.gateway,
        baseline: gatewayBaseline(settings, plan),
        nat: { cidr: plan.network.cidr, adminSources: settings.firewall.adminSources, api: plan.api.address },
      },
      deps.opts,
    );
  const hosts = machines.nodes.map(
    (machine) =>
      new HcloudHost(
        machine.plan.name,
        {
          ...inNetwork,
          machine,
          baseline: nodeBaseline(settings, plan, machine.plan, machine.plan === depot),
          ...(gateway === undefined ? {} : { gateway: gateway.ssh }),
        },
        deps.opts,
      ),
  );
  const keeper = new Depot("depot", { host: gateway ?? hosts[0]!, address: depot.address }, deps.opts);
  for (const host of hosts) host.depot = keeper;
  return { hosts, ...orderedTarget(settings, machines) };
}

/** What stands before the machines, and the cloud that they stand in. */
export function orderedTarget(settings: HcloudSettings, machines: HcloudMachines) {
  const { plan, api } = machines;
  // A balancer without a public interface is reached by the gateway, or else not at all from outside: then at the first server.
  const entrance = plan.api.public ? api.ipv4 : (machines.gateway ?? machines.nodes[0]!).publicIpv4!;
  const endpoint = cloudEndpoint(settings);
  return {
    api: { inside: api.address, address: entrance },
    ingress: {
      address: machines.ingress.ipv4,
      addressV6: machines.ingress.ipv6,
      trustedProxies: [`${plan.ingress.address}/32`],
    },
    cloud: {
      kind: "hcloud",
      token: cloudToken(),
      ...(endpoint === undefined ? {} : { endpoint }),
      network: machines.network,
      clusterCidr: clusterNetworks.pods,
      location: settings.location,
    },
  } satisfies Partial<Target>;
}

const baselineOf = (settings: HcloudSettings, machine: Pick<PlannedServer, "name" | "address">) => ({
  names: { [machine.name]: machine.address },
  users: settings.users,
  hardening: settings.hardening,
  ownClock: true,
});

const udpPorts = ({ firewall }: HcloudSettings): number[] =>
  firewall.wireguardPort === undefined ? [] : [firewall.wireguardPort];

/** The gateway serves no ingress; SSH goes through it, and the API, which its own rules forward. */
const gatewayBaseline = (settings: HcloudSettings, plan: CloudPlan): BaselinePlan => ({
  ...baselineOf(settings, plan.gateway!),
  jumpHost: true,
  firewall: {
    // The network is the stack's own: a machine that comes or goes changes nothing on the others.
    machines: [plan.network.subnet],
    adminSources: settings.firewall.adminSources,
    ports: [],
    udpPorts: udpPorts(settings),
    machinePorts: [depotPort],
    ingress: false,
    sshPort: 22,
  },
});

/**
 * Who administrates a private machine comes by the gateway. The API's balancer dials from the private network, whose machines
 * may reach the API anyway.
 */
const nodeBaseline = (
  settings: HcloudSettings,
  plan: CloudPlan,
  machine: PlannedServer,
  hasDepot: boolean,
): BaselinePlan => ({
  ...baselineOf(settings, machine),
  firewall: {
    machines: [plan.network.subnet],
    adminSources: plan.gateway ? [`${plan.gateway.address}/32`] : settings.firewall.adminSources,
    ports: machine.public ? settings.firewall.ports : [],
    udpPorts: machine.public ? udpPorts(settings) : [],
    machinePorts: hasDepot ? [depotPort] : [],
    sshPort: 22,
  },
});
