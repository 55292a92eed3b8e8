import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";
import type { PlannedBalancer } from "./plan";

export interface BalancerArgs {
  plan: PlannedBalancer;
  /** The private network, known once its subnet is there. */
  networkId: pulumi.Input<number>;
  /** Hetzner refuses to delete it. */
  protect: boolean;
}

/**
 * How a target's health is asked. Three seconds is the least that Hetzner takes; a machine that is gone gets no more connections
 * after 10 s at most, where the defaults (15 s, three times) would take a minute.
 */
const check = { protocol: "tcp", interval: 3, timeout: 2, retries: 2 };

/**
 * A load balancer of Hetzner's, whose price a preview can tell and which goes with the stack, other than one that a controller in
 * the cluster makes. It finds its machines by their labels, so that one that is added or made anew is found without a change
 * here, and speaks to their private addresses.
 */
export class Balancer extends pulumi.ComponentResource {
  readonly ipv4: pulumi.Output<string>;
  readonly ipv6: pulumi.Output<string>;
  /** Its private address, known once it leads to its targets. */
  readonly address: pulumi.Output<string>;

  constructor(name: string, { plan, networkId, protect }: BalancerArgs, opts: pulumi.ComponentResourceOptions) {
    super("groundwork:host:HcloudBalancer", name, {}, opts);
    const balancer = new hcloud.LoadBalancer(
      name,
      {
        name: plan.name,
        loadBalancerType: plan.type,
        location: plan.location,
        labels: plan.labels,
        deleteProtection: protect,
        algorithm: { type: "least_connections" },
      },
      { parent: this, deleteBeforeReplace: true },
    );
    // Hetzner does one thing after the other to a balancer and answers "locked" to what comes meanwhile; each such answer is a
    // request that counts. So the parts follow each other.
    let last: pulumi.Resource = new hcloud.LoadBalancerNetwork(
      `${name}-network`,
      {
        loadBalancerId: balancer.id.apply(Number),
        networkId,
        ip: plan.address,
        enablePublicInterface: plan.public,
      },
      { parent: this, deleteBeforeReplace: true },
    );
    const network = last as hcloud.LoadBalancerNetwork;
    last = new hcloud.LoadBalancerTarget(
      `${name}-targets`,
      {
        // By way of the network: private addresses can be used once the balancer is in it.
        loadBalancerId: network.loadBalancerId,
        type: "label_selector",
        labelSelector: plan.selector,
        usePrivateIp: true,
      },
      { parent: this, deleteBeforeReplace: true },
    );
    for (const port of plan.ports) {
      last = new hcloud.LoadBalancerService(
        `${name}-port-${port}`,
        {
          loadBalancerId: balancer.id,
          protocol: "tcp",
          listenPort: port,
          destinationPort: port,
          proxyprotocol: plan.proxyProtocol,
          healthCheck: { ...check, port },
        },
        { parent: this, dependsOn: last, deleteBeforeReplace: true },
      );
    }
    const ready = (last as hcloud.LoadBalancerService).id;
    this.ipv4 = pulumi.all([balancer.ipv4, ready]).apply(([address]) => address);
    this.ipv6 = pulumi.all([balancer.ipv6, ready]).apply(([address]) => address);
    this.address = pulumi.all([network.ip, ready]).apply(([address]) => address);
    this.registerOutputs({ address: this.address });
  }
}
