import type { RemoteFile } from "../remote-script";

/** What a machine without public addresses needs to reach the world. */
export interface Uplink {
  /** The private network; the machine's interface is the one that has an address in it. */
  cidr: string;
  /** First address of the network: Hetzner's router there, which goes by the network's routes. */
  gateway: string;
}

/** Hetzner's own name servers (docs.hetzner.com/dns-console/dns/general/recursive-name-servers). */
const nameServers = ["185.12.64.1", "185.12.64.2"];

const program = "/usr/local/sbin/groundwork-uplink";
const unit = "groundwork-uplink.service";
const timer = "groundwork-uplink.timer";

/**
 * Puts the default route there again and again. DHCP in a private network brings routes to that network only, a route that was
 * set once is lost when the network is configured anew (vitobotta/hetzner-k3s#621), and how it could be made to last differs
 * between Debian's ifupdown and Ubuntu's netplan. The route is on-link: the router is outside of the address's /32.
 */
const programText = ({ cidr, gateway }: Uplink): string => `#!/bin/sh
# Way out of a machine without public addresses: through the private network's router.
set -eu
interface=$(ip -4 -o route show ${cidr} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p' | head -n 1)
[ -n "$interface" ] || interface=$(ip -4 -o route get ${gateway} | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')
ip -4 route show default | grep -q "^default via ${gateway} dev $interface" ||
  ip -4 route replace default via ${gateway} dev "$interface" onlink
if ! grep -q '^nameserver' /etc/resolv.conf 2> /dev/null; then
  [ -L /etc/resolv.conf ] && [ -d /run/systemd/resolve ] && command -v resolvectl > /dev/null &&
    resolvectl dns "$interface" ${nameServers.join(" ")} ||
    printf 'nameserver %s\\n' ${nameServers.join(" ")} > /etc/resolv.conf
fi
`;

/** The files of the uplink: the same ones in a machine's first seconds (cloud-init) and whenever the graph looks at it. */
export const uplinkFiles = (uplink: Uplink): RemoteFile[] => [
  { path: program, mode: "755", content: programText(uplink) },
  {
    path: `/etc/systemd/system/${unit}`,
    content: `[Unit]
Description=Default route through the private network
After=network.target
Before=network-online.target

[Service]
Type=oneshot
ExecStart=${program}

[Install]
WantedBy=multi-user.target
`,
  },
  {
    path: `/etc/systemd/system/${timer}`,
    content: `[Unit]
Description=Default route through the private network, kept

[Timer]
OnBootSec=20
OnUnitActiveSec=30
AccuracySec=5

[Install]
WantedBy=timers.target
`,
  },
];

/** Starts it, now and at every start. */
export const uplinkCommands = [
  "systemctl daemon-reload",
  `systemctl enable --quiet ${unit}`,
  `systemctl enable --quiet --now ${timer}`,
  `systemctl start ${unit}`,
];
