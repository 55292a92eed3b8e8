import { paths } from "./config";

/** Names of K3s's own units (docs.k3s.io/installation/uninstall and its install script). */
export const unitName = (role: "server" | "agent"): string => (role === "server" ? "k3s.service" : "k3s-agent.service");

/** Scripts of K3s's install script; a server's and an agent's uninstall script have different names there. */
export const killAllScript = "/usr/local/bin/k3s-killall.sh";
export const uninstallScript = (role: "server" | "agent"): string =>
  role === "server" ? "/usr/local/bin/k3s-uninstall.sh" : "/usr/local/bin/k3s-agent-uninstall.sh";

/**
 * The unit, with the settings that K3s's install script gives it: pods outlive a restart of K3s (KillMode), the
 * cgroups below are K3s's own (Delegate), and nothing bounds it or what it starts, but that there are no core dumps:
 * containers inherit the limit, and a dump holds what the process knew. A server tells systemd when it
 * is ready; an agent does not.
 */
export function unitText(role: "server" | "agent"): string {
  const environment = ["/etc/default/%N", "/etc/sysconfig/%N", `/etc/systemd/system/${unitName(role)}.env`];
  return `[Unit]
Description=Lightweight Kubernetes (${role})
Documentation=https://docs.k3s.io
Wants=network-online.target
After=network-online.target

[Service]
Type=${role === "server" ? "notify" : "exec"}
${environment.map((file) => `EnvironmentFile=-${file}\n`).join("")}ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=${paths.binary} ${role}
KillMode=process
Delegate=yes
User=root
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=0
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s

[Install]
WantedBy=multi-user.target
`;
}

/** Ends K3s with all its containers and takes back what it made in the kernel, but keeps its data. */
export const killAllText = `#!/bin/sh
# Stops K3s and every container that it started; the data stays.
for unit in k3s.service k3s-agent.service; do
  [ ! -f /etc/systemd/system/$unit ] || systemctl stop $unit
done
shims() { pgrep -f '(${paths.data}|/run/k3s).*containerd-shim|containerd-shim.*/run/k3s' ; }
for shim in $(shims); do
  for container in $(pgrep -P "$shim"); do kill -9 "$container" 2> /dev/null; done
  kill -9 "$shim" 2> /dev/null
done
for place in /run/k3s /var/lib/kubelet/pods /var/lib/kubelet/plugins /run/netns/cni-; do
  awk -v place="$place" 'index($2, place) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mount; do
    umount -l "$mount" && rm -rf "$mount"
  done
done
ip netns list 2> /dev/null | awk '/^cni-/ { print $1 }' | while read -r netns; do ip netns delete "$netns"; done
for link in cni0 flannel.1 flannel-v6.1 flannel-wg flannel-wg-v6 kube-ipvs0; do ip link delete "$link" 2> /dev/null; done
for family in iptables ip6tables; do
  command -v $family-save > /dev/null || continue
  $family-save | grep -vE 'KUBE-|CNI-|GW-NETPOL|[Ff]lannel|FLANNEL' | $family-restore
done
rm -rf /var/lib/cni
exit 0
`;

/** Takes K3s off the machine, with its data. */
export function uninstallText(role: "server" | "agent"): string {
  const unit = unitName(role);
  return `#!/bin/sh
# Takes K3s off this machine with all of its data.
${killAllScript}
systemctl disable ${unit}
rm -f /etc/systemd/system/${unit} /etc/systemd/system/${unit}.env
systemctl daemon-reload
systemctl reset-failed ${unit} 2> /dev/null
for command in kubectl crictl ctr; do [ ! -L /usr/local/bin/$command ] || rm -f /usr/local/bin/$command; done
rm -rf /etc/rancher/k3s /etc/rancher/node /run/k3s /run/flannel /var/lib/kubelet
# The folder may be a mount point, and is then the machine's to keep.
rm -rf ${paths.data} 2> /dev/null || find ${paths.data} -mindepth 1 -delete
rmdir /etc/rancher 2> /dev/null
rm -f ${paths.binary} ${killAllScript} ${uninstallScript(role)}
`;
}
