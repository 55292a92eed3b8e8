/** A program with every kind of the cloud's resources that the project uses, and with edits; each object has a name and the stack's labels. */
import * as hcloud from "@pulumi/hcloud";
import * as pulumi from "@pulumi/pulumi";

export interface Edits {
  /** Machines behind the balancer. Default 2. */
  nodes?: number;
  /** What the firewall lets in besides SSH. Default 80. */
  port?: string;
  /** Gigabytes of the volume. Default 10. */
  volume?: number;
  /** Type of the machines. Default cpx22. */
  type?: string;
  /** Whether the second firewall is applied to machines by their label. Default true. */
  applied?: boolean;
}

/** Value of the label `groundwork-stack`. */
export const label = "life";
const labels = { "groundwork-stack": label, "managed-by": "groundwork" };
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA test";

/** Makes all of it with the provider that the environment's token and endpoint belong to. */
export function everything(access: { token: string; endpoint: string }, edits: Edits = {}): void {
  const { nodes = 2, port = "80", volume: size = 10, type: serverType = "cpx22", applied = true } = edits;
  const provider = new hcloud.Provider("cloud", {
    ...access,
    token: pulumi.secret(access.token),
    pollInterval: "20ms",
  });
  const opts = { provider };
  const id = (r: pulumi.CustomResource): pulumi.Output<number> => r.id.apply(Number);
  const named = (name: string) => ({ name: `${label}-${name}`, labels });

  const sshKey = new hcloud.SshKey("key", { ...named("key"), publicKey: key }, opts);
  const group = new hcloud.PlacementGroup("group", { ...named("group"), type: "spread" }, opts);
  const network = new hcloud.Network("network", { ...named("network"), ipRange: "10.0.0.0/16" }, opts);
  const subnet = new hcloud.NetworkSubnet(
    "subnet",
    { networkId: id(network), type: "cloud", networkZone: "eu-central", ipRange: "10.0.1.0/24" },
    opts,
  );
  new hcloud.NetworkRoute(
    "route",
    { networkId: id(network), destination: "0.0.0.0/0", gateway: "10.0.1.2" },
    { ...opts, dependsOn: subnet },
  );
  const rule = { direction: "in", protocol: "tcp", sourceIps: ["0.0.0.0/0", "::/0"] };
  const rules = [
    { ...rule, port: "22" },
    { ...rule, port },
  ];
  const firewall = new hcloud.Firewall("firewall", { ...named("firewall"), rules }, opts);
  const closed = new hcloud.Firewall("closed", named("closed"), opts);

  const address = new hcloud.PrimaryIp(
    "address",
    { ...named("address"), type: "ipv4", assigneeType: "server", location: "fsn1", autoDelete: false },
    opts,
  );
  const common = { serverType, image: "debian-12", location: "fsn1", sshKeys: [sshKey.id] };
  const gateway = new hcloud.Server(
    "gateway",
    {
      ...named("gateway"),
      ...common,
      userData: "#cloud-config\n",
      firewallIds: [id(firewall)],
      publicNets: [{ ipv4Enabled: true, ipv4: id(address), ipv6Enabled: false }],
      networks: [{ networkId: id(network), ip: "10.0.1.2" }],
    },
    { ...opts, dependsOn: subnet },
  );
  const servers = Array.from({ length: nodes }, (_, i) => {
    const server = new hcloud.Server(
      `node-${i + 1}`,
      { ...named(`node-${i + 1}`), ...common, placementGroupId: id(group), labels: { ...labels, role: "node" } },
      opts,
    );
    const attached = new hcloud.ServerNetwork(
      `node-${i + 1}-network`,
      { serverId: id(server), subnetId: subnet.id, ip: `10.0.1.${11 + i}` },
      opts,
    );
    return { server, attached };
  });
  const [first] = servers;
  // A firewall that comes or goes locks the machines that it is for, and the provider does not try a deletion again.
  if (applied)
    new hcloud.FirewallAttachment(
      "closed-nodes",
      { firewallId: id(closed), labelSelectors: ["role=node"] },
      { ...opts, dependsOn: servers.map((s) => s.attached) },
    );
  const volume = new hcloud.Volume("volume", { ...named("volume"), size, location: "fsn1", format: "ext4" }, opts);
  new hcloud.VolumeAttachment("volume-node", { volumeId: id(volume), serverId: id(first!.server) }, opts);
  new hcloud.Snapshot("snapshot", { serverId: id(gateway), description: "gateway", labels }, opts);

  const balancer = new hcloud.LoadBalancer(
    "balancer",
    { ...named("balancer"), loadBalancerType: "lb11", location: "fsn1", algorithm: { type: "round_robin" } },
    opts,
  );
  const joined = new hcloud.LoadBalancerNetwork(
    "balancer-network",
    { loadBalancerId: id(balancer), subnetId: subnet.id, ip: "10.0.1.5", enablePublicInterface: true },
    opts,
  );
  new hcloud.LoadBalancerService(
    "balancer-web",
    { loadBalancerId: balancer.id, protocol: "tcp", listenPort: 80, destinationPort: 80, proxyprotocol: true },
    opts,
  );
  new hcloud.LoadBalancerTarget(
    "balancer-nodes",
    { loadBalancerId: id(balancer), type: "label_selector", labelSelector: "role=node", usePrivateIp: true },
    { ...opts, dependsOn: [joined, ...servers.map((s) => s.attached)] },
  );
}
