import * as pulumi from "@pulumi/pulumi";
import { firewallFile, FirewallPlan, firewallRules, firewallUnit, firewallUnitText } from "./firewall";
import type { Host } from "./host";
import { remoteScript, RemoteFile, writeFiles } from "./remote-script";
import { sshdDropIn, sshdFile } from "./sshd";

/** Kernel settings that the kubelet demands with `protect-kernel-defaults` (docs.k3s.io/security/hardening-guide). */
const sysctls: Record<string, string> = {
  "vm.panic_on_oom": "0",
  "vm.overcommit_memory": "1",
  "kernel.panic": "10",
  "kernel.panic_on_oops": "1",
};
/** The file is the guide's, and so the one that an auditor looks for. */
const sysctlFile = "/etc/sysctl.d/90-kubelet.conf";

export interface BaselinePlan {
  firewall: FirewallPlan;
  /** Name to address of the stack's machines, for /etc/hosts. */
  names: Record<string, string>;
}

/** The files of the baseline. */
export function baselineFiles(plan: BaselinePlan): RemoteFile[] {
  const settings = Object.entries(sysctls).map(([key, value]) => `${key}=${value}\n`);
  return [
    { path: sysctlFile, content: settings.join("") },
    { path: sshdFile, content: sshdDropIn() },
    { path: firewallFile, content: firewallRules(plan.firewall) },
    { path: `/etc/systemd/system/${firewallUnit}`, content: firewallUnitText },
  ];
}

const hostsBegin = "# groundwork: machines of the stack";
const hostsEnd = "# groundwork: end";

/** Brings a machine to the baseline: kernel settings, SSH server, firewall, names. Can be repeated. */
export function baselineScript(plan: BaselinePlan): string {
  const names = Object.entries(plan.names).map(([name, address]) => `${address} ${name}\n`);
  return `
command -v nft > /dev/null || fail "nftables is missing: install the package nftables"
[ -d /run/systemd/system ] || fail "systemd does not run this machine"
${writeFiles(baselineFiles(plan))}
wrong=''
while IFS='=' read -r key value; do
  file=/proc/sys/\${key//.//}
  [ "$(cat "$file")" = "$value" ] || (echo "$value" > "$file") 2> /dev/null || wrong="$wrong $key=$value"
done < ${sysctlFile}
[ -z "$wrong" ] || fail "these kernel settings can't be set from inside and must be set on the computer that holds the machine:$wrong"
case "$changed" in *${sshdFile}*)
  sshd -t || fail "the SSH server refuses ${sshdFile}"
  systemctl reload ssh 2> /dev/null || systemctl reload sshd
esac
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
echo ready`;
}

/** Takes the baseline back; kernel settings stay until the next start, since others may have come to need them. */
export function baselineRemoval(plan: BaselinePlan): string {
  const files = baselineFiles(plan).map((file) => `'${file.path}'`);
  return `
systemctl disable --quiet --now ${firewallUnit} || true
rm -f ${files.join(" ")}
rmdir /etc/groundwork 2> /dev/null || true
sed -i '/^${hostsBegin}$/,/^${hostsEnd}$/d' /etc/hosts
systemctl daemon-reload
systemctl reload ssh 2> /dev/null || systemctl reload sshd`;
}

export interface HostBaselineArgs extends BaselinePlan {
  /** The machine as the driver reaches it. */
  host: Pick<Host, "ssh" | "machine">;
}

/** What every machine gets over SSH, whatever driver made it, before anything is installed on it. */
export class HostBaseline extends pulumi.ComponentResource {
  /** Known once the machine has the baseline. */
  readonly ready: pulumi.Output<string>;

  constructor(name: string, args: HostBaselineArgs, opts?: pulumi.ComponentResourceOptions) {
    super("groundwork:host:HostBaseline", name, {}, opts);
    const applied = remoteScript(
      `${name}-apply`,
      { host: args.host, apply: baselineScript(args), remove: baselineRemoval(args) },
      { parent: this },
    );
    // The word `ready`; secret only because the connection's key is.
    this.ready = pulumi.unsecret(applied.stdout);
    this.registerOutputs({ ready: this.ready });
  }
}
