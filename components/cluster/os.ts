import { ClusterPlan, NodePlan } from "./config";
import { kubectl } from "./drain";
import { nodeLock, serviceFunctions } from "./rolling";

/** Where a machine notes the day of its packages. */
const patched = "/var/lib/groundwork/os-patched";

/** Annotation of a Node: the day of its packages, in how many seconds it got them, and when (Unix time). */
export const lastPatches = "groundwork/last-patches";

/**
 * Brings the distribution's newer packages to a machine with its pods elsewhere, and restarts it where these ask for it. Prints
 * `NAME is patched`, or `NAME restarts BOOT-ID DAY BEGAN`: the rest is then `returnScript`'s, from another machine.
 */
export function patchScript(plan: ClusterPlan, node: NodePlan, day: string): string {
  const { reboot, healthTimeout } = plan.upgrade;
  // An agent is seen by any server; while the only server restarts nobody answers.
  const unseen = !plan.nodes.some(({ role, name }) => role === "server" && name !== node.name);
  const restart = unseen
    ? `echo "${node.name} asks for a restart, and there is no other server to see it come back from: restart it by hand" >&2`
    : `systemd-run --quiet --on-active=2 systemctl reboot; echo "${node.name} restarts $(cat /proc/sys/kernel/random/boot_id) ${day} $began"; return 0`;
  return `
export PATH=/usr/local/bin:$PATH
${nodeLock}
[ "$(cat ${patched} 2> /dev/null || true)" != '${day}' ] || { echo '${node.name} is patched'; return 0; }
kubectl="${kubectl(node.role)}"
${serviceFunctions(plan, node)}
apt() { DEBIAN_FRONTEND=noninteractive apt-get -qq --yes -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@" > /run/groundwork-apt.log 2>&1 || { tail -n 5 /run/groundwork-apt.log >&2; return 1; }; }
command -v apt-get > /dev/null || fail "there is no apt-get here: patch this machine by its own means, and take cluster.upgrade.osPatches out of the settings"
began=$(date +%s)
# Before anything moves: a machine that can't read its package lists is left as it is.
apt update || fail "apt-get update failed, and nothing was changed"
release=$($kubectl get node ${node.name} --output 'jsonpath={.status.nodeInfo.kubeletVersion}')
if apt-get --simulate --quiet upgrade --with-new-pkgs | grep -q '^Inst '; then
  leave_service 'packages of ${day}'
  apt upgrade --with-new-pkgs || { back_in_service; fail "apt-get upgrade failed; ${node.name} is in service. Mend it there (dpkg --configure -a) and run up again"; }
fi
mkdir -p $(dirname ${patched})
${reboot === "if-needed" ? `if [ -f /run/reboot-required ]; then ${restart}; fi` : ""}
await ${healthTimeout} 1 healthy "$release" || fail "${node.name} is not healthy ${healthTimeout} s after its packages, and gets no pods until it is: see there journalctl, mend it and run up again"
back_in_service
note ${node.name} "${lastPatches}=${day} $(($(date +%s) - began)) $(date +%s)"
echo '${day}' > ${patched}
echo '${node.name} is patched'`;
}

/** Waits, on another server's machine, until a node that restarts is back and Ready, and puts it in service. */
export function returnScript(plan: ClusterPlan, node: NodePlan, said: string): string {
  const [, boot, day, began] = / restarts (\S+) (\S+) (\d+)/.exec(said) ?? [];
  if (boot === undefined) return `echo '${node.name} is patched'`;
  const { healthTimeout } = plan.upgrade;
  return `
export PATH=/usr/local/bin:$PATH
kubectl="${kubectl("server")}"
${serviceFunctions(plan, { ...node, role: "agent" })}
is_back() {
  local now
  now=$($kubectl get node ${node.name} --output 'jsonpath={.status.nodeInfo.bootID} {.status.conditions[?(@.type=="Ready")].status}')
  case "$now" in '${boot} '*) return 1 ;; *' True') ;; *) return 1 ;; esac
}
await ${healthTimeout} 2 is_back || fail "${node.name} was restarted and is not Ready after ${healthTimeout} s. It gets no pods until it is: see its console, then run up again"
back_in_service
note ${node.name} "${lastPatches}=${day} $(($(date +%s) - ${began})) $(date +%s)"
echo '${node.name} is patched'`;
}
