import type * as hcloud from "@pulumi/hcloud";
import type { HcloudSettings } from "./settings";

type Rule = hcloud.types.input.FirewallRule;

const world = ["0.0.0.0/0", "::/0"];

const incoming = (
  description: string,
  protocol: "tcp" | "udp" | "icmp",
  port: string | undefined,
  from: string[],
): Rule => ({
  ...{ direction: "in", description, protocol, sourceIps: from },
  ...(port === undefined ? {} : { port }),
});

const ping = incoming("errors and echo", "icmp", undefined, world);

const wireguard = ({ wireguardPort }: HcloudSettings["firewall"]): Rule[] =>
  wireguardPort === undefined ? [] : [incoming("WireGuard", "udp", String(wireguardPort), world)];

const administration = ({ adminSources }: HcloudSettings["firewall"]): Rule[] => [
  incoming("SSH", "tcp", "22", adminSources),
  incoming("Kubernetes API", "tcp", "6443", adminSources),
];

/** What reaches the gateway from outside: administrators, and nobody else. */
export const gatewayRules = ({ firewall }: HcloudSettings): Rule[] => [
  ping,
  ...administration(firewall),
  ...wireguard(firewall),
];

/**
 * What reaches the machines of the cluster from outside. Hetzner's firewalls do not look at private networks, so with private
 * machines nothing is left: the firewall is there for the day on which somebody gives one a public address by hand.
 */
export const nodeRules = ({ firewall, privateNodes }: HcloudSettings): Rule[] =>
  privateNodes
    ? []
    : [
        ping,
        ...administration(firewall),
        ...["80", "443", ...firewall.ports.map(String)].map((port) => incoming("ingress", "tcp", port, world)),
        ...wireguard(firewall),
      ];
