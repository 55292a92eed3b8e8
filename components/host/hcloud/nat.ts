import { tableUnitText } from "../firewall";
import type { RemoteFile } from "../remote-script";

/** What the gateway forwards. */
export interface NatPlan {
  /** The private network, whose machines go out by the gateway's public address. */
  cidr: string;
  /** Networks that reach the Kubernetes API through the gateway. */
  adminSources: string[];
  /** Private address of the API's load balancer. */
  api: string;
}

export const natFile = "/etc/groundwork/nat.nft";
export const natUnit = "groundwork-nat.service";
const forwardingFile = "/etc/sysctl.d/92-groundwork-forwarding.conf";

const set = (members: string[]): string => `{ ${members.join(", ")} }`;

/**
 * The gateway's tables. Forwarded is what machines of the private network send out with its answers, and what the administrators'
 * networks send to the API; nothing else gets through in either direction. The API's balancer sees the gateway's private
 * address: its answers must come back this way.
 */
export function natRules({ cidr, adminSources, api }: NatPlan): string {
  return `table inet groundwork_nat
delete table inet groundwork_nat
table inet groundwork_nat {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ip saddr != ${cidr} ip saddr ${set(adminSources)} tcp dport 6443 dnat ip to ${api}:6443
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    ip saddr ${cidr} ip daddr != ${cidr} accept
    ct status dnat ip daddr ${api} tcp dport 6443 accept
    counter comment "dropped"
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ip saddr ${cidr} ip daddr != ${cidr} masquerade
    ct status dnat ip daddr ${api} masquerade
  }
}
`;
}

const unitText = tableUnitText({
  description: "Way out and way in of the private network",
  file: natFile,
  table: "groundwork_nat",
});

export const natFiles = (plan: NatPlan): RemoteFile[] => [
  { path: forwardingFile, content: "net.ipv4.ip_forward = 1\n" },
  { path: natFile, content: natRules(plan) },
  { path: `/etc/systemd/system/${natUnit}`, content: unitText },
];

/** Shell that has the machine go by the files. The rules come first: nothing is forwarded that they do not name. */
export const natScript = `
case "$changed" in *${natUnit}*) systemctl daemon-reload ;; esac
systemctl enable --quiet ${natUnit}
case "$changed" in
  *${natFile}* | *${natUnit}*) systemctl reload-or-restart ${natUnit} ;;
  *) systemctl start ${natUnit} ;;
esac
sysctl --quiet --load ${forwardingFile}
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || fail "the kernel does not forward"`;
