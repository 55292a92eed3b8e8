/** Networks inside the cluster: K3s's defaults for `cluster-cidr` and `service-cidr` (docs.k3s.io/cli/server, Networking). */
export const clusterNetworks = { pods: "10.42.0.0/16", services: "10.43.0.0/16", dns: "10.43.0.10" };

/** What a machine's firewall is planned from. */
export interface FirewallPlan {
  /** Addresses of all machines of the stack. */
  machines: string[];
  /** Networks that may use SSH and the Kubernetes API. */
  adminSources: string[];
  /** More TCP ports open to everyone. */
  ports: number[];
  /** More TCP ports open to the stack's machines. @default none */
  machinePorts?: number[];
  /** More UDP ports open to everyone. @default none */
  udpPorts?: number[];
  /** Whether the machine serves the ingress, 80 and 443 to everyone. @default true */
  ingress?: boolean;
  /** Port of the machine's SSH server. */
  sshPort: number;
}

/** Where the rules and the unit that loads them lie. */
export const firewallFile = "/etc/groundwork/firewall.nft";
export const firewallUnit = "groundwork-firewall.service";

const set = (members: (string | number)[]): string => `{ ${[...new Set(members)].join(", ")} }`;

/** ICMPv6 that IPv6 does not work without (RFC 4890): errors, neighbours, routers, group membership. */
const icmpv6 = [
  "destination-unreachable",
  "packet-too-big",
  "time-exceeded",
  "parameter-problem",
  "echo-request",
  "nd-router-advert",
  "nd-neighbor-solicit",
  "nd-neighbor-advert",
  "mld-listener-query",
];

/**
 * The firewall as an nftables table of its own: loading it replaces the table and nothing else, so it stands
 * beside the rules of kube-proxy, the CNI and the network policies. Only what is sent to the machine itself is filtered;
 * traffic of pods and Services is forwarded, and network policies' to judge. Ports between machines are those of
 * docs.k3s.io/installation/requirements (Inbound Rules): etcd, kubelet, flannel's VXLAN, the embedded registry mirror. Pods
 * reach the API server and, for their metrics, the kubelets; whether a pod may is its network policy's to say.
 */
export function firewallRules(plan: FirewallPlan): string {
  const tcp = [...(plan.ingress === false ? [] : [80, 443]), ...plan.ports];
  const udp = plan.udpPorts ?? [];
  const open = [
    ...(tcp.length > 0 ? [`tcp dport ${set(tcp)} accept`] : []),
    ...(udp.length > 0 ? [`udp dport ${set(udp)} accept`] : []),
  ].map((rule) => `\n    ${rule}`);
  return `table inet groundwork
delete table inet groundwork
table inet groundwork {
  chain input {
    type filter hook input priority filter; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    iif lo accept
    ip saddr 127.0.0.0/8 drop
    ip6 saddr ::1 drop
    icmp type { destination-unreachable, time-exceeded, parameter-problem, echo-request } accept
    icmpv6 type ${set(icmpv6)} accept
    ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
    ip saddr ${set([clusterNetworks.pods])} tcp dport { 6443, 10250 } accept${open.join("")}
    ip saddr ${set(plan.adminSources)} tcp dport ${set([plan.sshPort, 6443])} accept
    ip saddr ${set(plan.machines)} tcp dport ${set([2379, 2380, 5001, 6443, 10250, ...(plan.machinePorts ?? [])])} accept
    ip saddr ${set(plan.machines)} udp dport { 8472 } accept
    counter comment "dropped"
  }
}
`;
}

/** A unit that loads a table of nftables at start, before the network is up, and takes it away when it is stopped. */
export const tableUnitText = (unit: { description: string; file: string; table: string }): string => `[Unit]
Description=${unit.description}
DefaultDependencies=no
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f ${unit.file}
ExecReload=/usr/sbin/nft -f ${unit.file}
ExecStop=/usr/sbin/nft delete table inet ${unit.table}

[Install]
WantedBy=sysinit.target
`;

/** Stopping it opens the machine. */
export const firewallUnitText = tableUnitText({
  description: "Firewall of this machine",
  file: firewallFile,
  table: "groundwork",
});
