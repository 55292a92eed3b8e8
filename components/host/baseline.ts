import * as pulumi from "@pulumi/pulumi";
import { fail2banFile, fail2banFiles, fail2banPackages, fail2banScript, Fail2banPlan } from "./fail2ban";
import { fail2banUnit, ignoreFile, jailFile } from "./fail2ban";
import { firewallFile, FirewallPlan, firewallRules, firewallUnit, firewallUnitText } from "./firewall";
import type { Host } from "./host";
import { packagesFunction, switchFunctions } from "./packages";
import { remoteScript, RemoteFile, writeFiles } from "./remote-script";
import type { HardeningSettings } from "./settings";
import { sshdDropIn, sshdFile, sshdScript } from "./sshd";
import * as sysctl from "./sysctl";
import { clockScript, systemFiles, systemRemoval, systemScript } from "./system";
import { upgradesFiles, upgradesPackages, upgradesRemoval, upgradesScript } from "./upgrades";

export interface BaselinePlan {
  firewall: FirewallPlan;
  hardening: HardeningSettings;
  /** Name to address of the stack's machines, for /etc/hosts. */
  names: Record<string, string>;
  /** Accounts besides root that may log in. @default none */
  users?: string[];
  /** Other machines are reached over SSH through this one. @default false */
  jumpHost?: boolean;
  /** The machine keeps its own clock; a container has that of the computer that holds it. @default false */
  ownClock?: boolean;
}

/**
 * The jails' part of the plan. Never banned are the machines and the administrators' networks. Those that the firewall lets at
 * SSH are not: where they are few, nobody else could guess, and one of their computers may be somebody else's by then.
 */
const fail2banOf = ({ hardening, firewall }: BaselinePlan): Fail2banPlan => ({
  settings: hardening.fail2ban,
  trusted: [...firewall.machines, ...hardening.adminNetworks],
  sshPort: firewall.sshPort,
});

/** Debian packages that the plan needs. */
export const baselinePackages = ({ hardening }: Pick<BaselinePlan, "hardening">): string[] => [
  ...["nftables", "openssh-server"],
  ...(hardening.fail2ban.enabled ? fail2banPackages : []),
  ...(hardening.upgrades.enabled ? upgradesPackages : []),
];

/** The files of the baseline, but those that only the machine itself can tell the content of. */
export function baselineFiles(plan: BaselinePlan): RemoteFile[] {
  const { fail2ban, upgrades } = plan.hardening;
  return [
    { path: sysctl.kubeletSysctlFile, content: sysctl.sysctlText(sysctl.kubeletSysctls) },
    { path: sysctl.networkSysctlFile, content: sysctl.sysctlText(sysctl.networkSysctls) },
    { path: sysctl.kernelSysctlFile, content: sysctl.sysctlText(sysctl.kernelSysctls) },
    { path: sshdFile, mode: "600", content: sshdDropIn(plan.users, plan.jumpHost) },
    { path: firewallFile, content: firewallRules(plan.firewall) },
    { path: `/etc/systemd/system/${firewallUnit}`, content: firewallUnitText },
    ...systemFiles(),
    ...(fail2ban.enabled ? fail2banFiles(fail2banOf(plan)) : []),
    ...(upgrades.enabled ? upgradesFiles(upgrades) : []),
  ];
}

const hostsBegin = "# groundwork: machines of the stack";
const hostsEnd = "# groundwork: end";

/** Brings a machine to the baseline. Can be repeated; what is already so is left alone. */
export function baselineScript(plan: BaselinePlan): string {
  const names = Object.entries(plan.names).map(([name, address]) => `${address} ${name}\n`);
  return `
[ -d /run/systemd/system ] || fail "systemd does not run this machine"
own_kernel=''
systemd-detect-virt --container --quiet || own_kernel=yes
${packagesFunction}
${switchFunctions}
packages ${baselinePackages(plan).join(" ")}
${writeFiles(baselineFiles(plan))}
${sysctl.sysctlScript}
${sshdScript}
sed '/^${hostsBegin}$/,/^${hostsEnd}$/d' /etc/hosts > /etc/hosts.new
cat >> /etc/hosts.new <<'NAMES'
${hostsBegin}
${names.join("")}${hostsEnd}
NAMES
cmp -s /etc/hosts.new /etc/hosts || cat /etc/hosts.new > /etc/hosts
rm /etc/hosts.new
case "$changed" in *${firewallUnit}*) systemctl daemon-reload ;; esac
systemctl enable --quiet ${firewallUnit}
case "$changed" in
  *firewall*) systemctl reload-or-restart ${firewallUnit} ;;
  *) systemctl start ${firewallUnit} ;;
esac
${systemScript}
${plan.ownClock ? `if [ -n "$own_kernel" ]; then ${clockScript}\nfi` : ""}
${fail2banScript(fail2banOf(plan))}
${upgradesScript(plan.hardening.upgrades)}
echo ready`;
}

/**
 * Takes the baseline back. Kernel settings stay until the next start, since others may have come to need them, and so do
 * packages and the lock on root's password.
 */
export function baselineRemoval(plan: BaselinePlan): string {
  const files = baselineFiles(plan).map((file) => `'${file.path}'`);
  return `
${switchFunctions}
systemctl disable --quiet --now ${firewallUnit} || true
switch_off
rm -f ${files.join(" ")} '${jailFile}' '${fail2banFile}' '${ignoreFile}'
rmdir /etc/groundwork 2> /dev/null || true
${systemRemoval}
${upgradesRemoval}
sed -i '/^${hostsBegin}$/,/^${hostsEnd}$/d' /etc/hosts
systemctl daemon-reload
systemctl try-restart ${fail2banUnit} 2> /dev/null || true
systemctl reload ssh 2> /dev/null || systemctl reload sshd`;
}

/** The plan with these machines. */
const withAddresses = (plan: BaselinePlan, names: Record<string, string>): BaselinePlan => ({
  ...plan,
  names,
  firewall: { ...plan.firewall, machines: Object.values(names) },
});

export interface HostBaselineArgs extends BaselinePlan {
  /** The machine as the driver reaches it. */
  host: Pick<Host, "ssh" | "machine">;
  /** Name to address of the stack's machines, where they are known only once all of them run. @default as the plan has them */
  addresses?: pulumi.Input<Record<string, string>>;
}

/** What every machine gets over SSH, whatever driver made it, before anything is installed on it. */
export class HostBaseline extends pulumi.ComponentResource {
  /** Known once the machine has the baseline. */
  readonly ready: pulumi.Output<string>;

  constructor(name: string, args: HostBaselineArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:host:HostBaseline", name, {}, opts);
    const { addresses } = args;
    const planned = addresses && pulumi.output(addresses).apply((names) => withAddresses(args, names));
    const applied = remoteScript(
      `${name}-apply`,
      {
        host: args.host,
        apply: planned?.apply(baselineScript) ?? baselineScript(args),
        remove: planned?.apply(baselineRemoval) ?? baselineRemoval(args),
      },
      { parent: this },
    );
    // The word `ready`; secret only because the connection's key is.
    this.ready = pulumi.unsecret(applied.stdout);
    this.registerOutputs({ ready: this.ready });
  }
}
