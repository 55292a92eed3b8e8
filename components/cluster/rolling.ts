import { ClusterPlan, NodePlan, paths } from "./config";
import { drainFunctions, kubectl } from "./drain";
import type { ClusterSettings } from "./settings";
import { unitName } from "./unit";

/** Where a node notes that it is being upgraded, so that a run that was cut off is taken up again. */
const marker = "/var/lib/groundwork/upgrade";

/** The K3s that the node had before, kept to go back to. */
export const previousBinary = `${paths.binary}.previous`;

/** Annotation of a Node: from which release to which it was taken last, in how many seconds, and when (Unix time). */
export const lastUpgrade = "groundwork/last-upgrade";

/**
 * Annotation of the namespace kube-system: the backup that was taken before an upgrade, its Unix time, and what it was taken before
 * (releases, `packages-DAY`). The verbs write it; the gates on the first server read it.
 */
export const upgradeBackup = "groundwork/upgrade-backup";

/** Seconds after which a backup was taken too long before an upgrade to count for it. */
export const backupAge = 86_400;

/** What a backup was taken before, where packages are upgraded. */
export const packagesOf = (day: string): string => `packages-${day}`;

/** One line a server, `NAME ADDRESS READY`, of those that are members of etcd (docs.k3s.io/cli/etcd-snapshot names the label). */
export const serversTemplate =
  '{{range .items}}{{.metadata.name}} {{range .status.addresses}}{{if eq .type "InternalIP"}}{{.address}}{{end}}{{end}} ' +
  '{{range .status.conditions}}{{if eq .type "Ready"}}{{.status}}{{end}}{{end}}{{"\\n"}}{{end}}';

/** Shell function: why a step between two releases is refused, or nothing. The same rule as `stepProblem`, for where only the machine knows. */
const stepFunction = `
minor() { sed -n 's/^v1\\.\\([0-9]*\\)\\..*$/\\1/p' <<< "$1"; }
step_problem() { # FROM TO
  local here there
  here=$(minor "$1") there=$(minor "$2")
  [ -n "$here" ] && [ -n "$there" ] || return 0
  if [ "$there" -lt "$here" ]; then
    echo "the cluster runs $1, and Kubernetes does not go back a minor version: leave cluster.version at 1.$here, or restore a snapshot of etcd from before its upgrade"
  elif [ "$there" -gt $((here + 1)) ]; then
    echo "the cluster runs $1, and Kubernetes skips no minor version: set cluster.version to a release of 1.$((here + 1)) before $2"
  fi
}
installed_release() { k3s --version 2> /dev/null | sed -n 's/^k3s version \\([^ ]*\\).*/\\1/p'; }
`;

/** What the settings say of the data before an upgrade. */
export type GateSettings = Partial<Pick<ClusterSettings["upgrade"], "backup" | "backupCommand">>;

/**
 * Shell function `data_kept TARGET`: whether a backup was taken before this upgrade. The verbs take it and note that in the
 * cluster; the engine alone can't take one. It needs `$kubectl` and `fail`.
 */
function dataFunction(backup: GateSettings["backup"]): string {
  if (backup === undefined || backup === "none") return "data_kept() { :; }";
  const lacking =
    backup === "required"
      ? `fail "no backup of the data was taken in the last day before this upgrade, and cluster.upgrade.backup is required: nothing is upgraded. npm run upgrade takes one first, and so does npm run up"`
      : `echo "no backup of the data was taken before this upgrade: npm run upgrade takes one where backup.store is set" >&2`;
  return `data_kept() { # TARGET
  local id taken targets
  read -r id taken targets <<< "$($kubectl get namespace kube-system --output 'jsonpath={.metadata.annotations.${upgradeBackup}}')"
  case " $targets " in *" $1 "*) [ $(($(date +%s) - \${taken:-0})) -gt ${backupAge} ] || { echo "backup $id was taken before"; return 0; } ;; esac
  ${lacking}
}`;
}

/** What the gate says on a machine where no cluster has begun. */
export const noCluster = "no cluster yet";

/**
 * The gate before an upgrade, on a server that runs: refuses what Kubernetes can't do and what the settings don't allow without a
 * backup, saves etcd and makes sure that it did. On a machine without K3s, and where all nodes have the release already, there is
 * nothing to be done; an upgrade that was begun has passed it as far as the data go.
 */
export function gateScript(to: string, { backup, backupCommand }: GateSettings = {}): string {
  return `
export PATH=/usr/local/bin:$PATH
kubectl="${kubectl("server")}"
[ -x ${paths.binary} ] && [ -f ${paths.kubeconfig} ] || { echo '${noCluster}'; return 0; }
${stepFunction}
releases() { running=$($kubectl get nodes --output 'jsonpath={range .items[*]}{.status.nodeInfo.kubeletVersion}{"\\n"}{end}') && [ -n "$running" ]; }
await 60 1 releases || fail "the API server does not answer here, so it can't be told what runs: npm run doctor"
running=$(sort --unique <<< "$running")
${dataFunction(backup)}
[ "$running" != '${to}' ] || { echo '${to} runs'; return 0; }
for from in $running; do
  problem=$(step_problem "$from" '${to}')
  [ -z "$problem" ] || fail "$problem"
done
grep --quiet --line-regexp --fixed-strings '${to}' <<< "$running" || data_kept '${to}'
snapshots=${paths.data}/server/db/snapshots
name="before-$(tr '+' '-' <<< '${to}')"
mkdir -p -m 700 $snapshots
touch $snapshots/.asked
k3s etcd-snapshot save --name "$name" > /dev/null 2> /run/groundwork-snapshot.log || fail "etcd can't be saved, so nothing is upgraded: $(tail -n 3 /run/groundwork-snapshot.log)"
saved=$(find $snapshots -maxdepth 1 -name "$name*" -newer $snapshots/.asked -size +32k | sort | tail -n 1)
rm -f $snapshots/.asked
[ -n "$saved" ] || fail "k3s etcd-snapshot left no snapshot in $snapshots, so nothing is upgraded"
${backupCommand === undefined ? "" : `bash -c '${backupCommand.replaceAll("'", `'\\''`)}' > /run/groundwork-backup.log 2>&1 || fail "cluster.upgrade.backupCommand failed, so nothing is upgraded: $(tail -n 3 /run/groundwork-backup.log)"`}
echo "$(tr '\\n' ' ' <<< "$running")to ${to}, etcd saved as $(basename "$saved")"`;
}

/** The same before the operating system's packages of a day: once a node has them, the gate was passed. */
export function patchGateScript(day: string, { backup }: GateSettings): string {
  return `
export PATH=/usr/local/bin:$PATH
kubectl="${kubectl("server")}"
[ -x ${paths.binary} ] && [ -f ${paths.kubeconfig} ] || { echo '${noCluster}'; return 0; }
${dataFunction(backup)}
days() { patched=$($kubectl get nodes --output 'jsonpath={range .items[*]}day {.metadata.annotations.groundwork/last-patches}{"\\n"}{end}') && [ -n "$patched" ]; }
await 60 1 days || fail "the API server does not answer here, so it can't be told what was patched: npm run doctor"
grep --quiet '^day ${day} ' <<< "$patched" || data_kept '${packagesOf(day)}'`;
}

/** Shell: only one script at a time works on this node. One that lost its engine goes on, and the next run waits for it. */
export const nodeLock = `
exec 9> /run/groundwork-node.lock
flock --timeout 1800 9 || fail "another run has been working on this machine for half an hour: see there what hangs"`;

/**
 * Shell functions that take a node through something with its pods elsewhere: `leave_service`, `healthy RELEASE`, `back_in_service`.
 * They need `$kubectl` and `fail`.
 */
export function serviceFunctions(plan: ClusterPlan, node: NodePlan): string {
  const { drain, drainTimeout } = plan.upgrade;
  const server = node.role === "server";
  // With nowhere to go, pods stay: K3s restarts without them.
  const moves = drain && (plan.size ?? plan.nodes.length) > 1;
  return `
${drainFunctions}
others_suffice() { # whether etcd keeps its majority while this server is away
  local total=1 ready=0 name address state
  while read -r name address state; do
    [ "$name" != ${node.name} ] || continue
    total=$((total + 1))
    $kubectl --server "https://$address:6443" get --raw /readyz > /dev/null 2>&1 && ready=$((ready + 1))
  done <<< "$($kubectl get nodes --selector node-role.kubernetes.io/etcd=true --output 'go-template=${serversTemplate}')"
  [ $total -lt 3 ] || [ $ready -gt $((total / 2)) ]
}
leave_service() { # REASON
${server ? `  await 60 1 others_suffice || fail "too few of the other servers answer: without ${node.name} etcd would have no majority. Bring them back first (npm run doctor)"` : ""}
${
  moves
    ? `  cordon ${node.name} "$1"
  if ! drain ${node.name} ${drainTimeout}; then
    uncordon ${node.name}
    fail "${node.name} can't be emptied, and is in service as before. Let its pods be moved (more replicas, a wider PodDisruptionBudget), or set cluster.upgrade.drainTimeout or cluster.upgrade.drain"
  fi`
    : "  :"
}
}
healthy() { # RELEASE: one look
  ${server ? "$kubectl get --raw /readyz > /dev/null && others_suffice || return 1" : ":"}
  [ "$($kubectl get node ${node.name} --output 'jsonpath={.status.nodeInfo.kubeletVersion} {.status.conditions[?(@.type=="Ready")].status}')" = "$1 True" ] || return 1
  ! $kubectl get pods --namespace kube-system --field-selector spec.nodeName=${node.name} --output 'go-template={{range .items}}{{if eq .status.phase "Running" "Pending"}}{{range .status.conditions}}{{if eq .type "Ready"}}{{.status}} {{end}}{{end}}{{end}}{{end}}' | grep -q False || return 1
${server ? `  ! $kubectl get deployments --namespace kube-system --output 'go-template={{range .items}}{{if ne (or .status.availableReplicas 0) .spec.replicas}}missing {{end}}{{end}}' | grep -q missing` : ""}
}
back_in_service() { uncordon ${node.name}; }
`;
}

/**
 * Shell function `roll PATH SHA256`: this node's K3s becomes the one at the path. Goes on where an earlier run was cut off. When the
 * node does not become healthy, its old K3s is put back, but on a server that has been a minor version further: what it has written
 * may be in forms that the old one can't read.
 */
export function rollFunction(plan: ClusterPlan, node: NodePlan, to: string): string {
  const unit = unitName(node.role);
  const { healthTimeout } = plan.upgrade;
  return `
kubectl="${kubectl(node.role)}"
${stepFunction}${serviceFunctions(plan, node)}
in_roll() { [ -f ${marker} ]; }
roll() { # PATH SHA256
  local from began problem log
  if in_roll && read -r from began < ${marker}; then :; else
    from=$(installed_release) began=$(date +%s)
    problem=$(step_problem "$from" '${to}')
    [ -z "$problem" ] || fail "$problem"
    mkdir -p $(dirname ${marker})
    echo "$from $began" > ${marker}
  fi
  if ! echo "$2  ${paths.binary}" | sha256sum --check --status; then
    (leave_service "K3s ${to}") || { rm -f ${marker}; exit 1; }
    cp "$1" ${paths.binary}.new
    echo "$2  ${paths.binary}.new" | sha256sum --check --status || { rm ${paths.binary}.new ${marker}; back_in_service; fail "the K3s binary at $1 has another digest than the lock says"; }
    chmod 755 ${paths.binary}.new
    ln -f ${paths.binary} ${previousBinary}
    mv ${paths.binary}.new ${paths.binary}
  fi
  systemctl daemon-reload
  systemctl restart --no-block ${unit}
  if ! await ${healthTimeout} 1 healthy '${to}'; then
    log=$(journalctl --no-pager --unit ${unit} --lines 20 --output cat)
    if [ ! -f ${previousBinary} ] || { ${node.role === "server" ? `[ "$(minor "$from")" != "$(minor '${to}')" ]` : "false"}; }; then
      fail "K3s ${to} is not healthy after ${healthTimeout} s, and a server does not go back a minor version. The node gets no pods until it is: mend the cause and run up again, or restore the snapshot of etcd from before. The end of its log:
$log"
    fi
    mv ${previousBinary} ${paths.binary}
    systemctl restart --no-block ${unit}
    await ${healthTimeout} 1 healthy "$from" || fail "neither K3s ${to} nor $from, which was put back, becomes healthy. The end of the first one's log:
$log"
    back_in_service
    rm -f ${marker}
    fail "K3s ${to} was not healthy after ${healthTimeout} s: $from was put back and the node is in service. The end of its log:
$log"
  fi
  back_in_service
  note ${node.name} "${lastUpgrade}=$from ${to} $(($(date +%s) - began)) $(date +%s)"
  rm -f ${marker}
}
`;
}
