import { claimFunctions, freeClaims } from "./claims";
import { ClusterPlan, NodePlan, paths } from "./config";
import { drainFunctions, kubectl } from "./drain";
import { serversTemplate } from "./rolling";

/**
 * Takes a node out of the cluster, from another server's machine: its pods go first where it still answers, then its Node object,
 * with which K3s drops its password and its member of etcd (docs.k3s.io/architecture; k3s-io/k3s pull 4001), then the claims of what
 * lay on its disk. Only then may its machine go, or another one come under its name. Never where that would leave etcd without a majority.
 */
export function departureScript(plan: ClusterPlan, node: NodePlan): string {
  const { drain, drainTimeout } = plan.upgrade;
  const servers = plan.nodes.filter(({ role, name }) => role === "server" && name !== node.name);
  return `
export PATH=/usr/local/bin:$PATH
[ -x ${paths.binary} ] && [ -f ${paths.kubeconfig} ] || return 0
exec 8> /run/groundwork-members.lock
flock --timeout 1800 8 || fail "another run has been taking nodes out of the cluster for half an hour: see there what hangs"
find_api() { # this machine may itself be leaving: its credentials open any server
  local address
  for address in 127.0.0.1 ${servers.map(({ address }) => address).join(" ")}; do
    kubectl="${kubectl("server")} --server https://$address:6443"
    $kubectl get --raw /readyz > /dev/null 2>&1 && return 0
  done
  return 1
}
${servers.length === 0 ? "return 0 # with the last server the cluster ends" : ""}
await 60 2 find_api || fail "no API server answers, so ${node.name} can't be taken out of the cluster: bring the servers back first (npm run doctor)"
${drainFunctions}
${claimFunctions}
there=$($kubectl get node ${node.name} --ignore-not-found --output 'jsonpath={.metadata.name} {.status.conditions[?(@.type=="Ready")].status}')
if [ -n "$there" ]; then
  servers=$($kubectl get nodes --selector node-role.kubernetes.io/etcd=true --output 'go-template=${serversTemplate}')
  if grep -q '^${node.name} ' <<< "$servers"; then
    left=$(grep -vc '^${node.name} ' <<< "$servers" || true)
    ready=$(grep -v '^${node.name} ' <<< "$servers" | grep -c ' True$' || true)
    [ "$left" -gt 0 ] || return 0
    [ "$ready" -gt $((left / 2)) ] ||
      fail "without ${node.name} only $ready of the $left other servers would answer, and etcd would have no majority: bring the others back first, then remove it"
  fi
  cordon ${node.name} departure
${
  drain
    ? `  case "$there" in *' True') drain ${node.name} ${drainTimeout} || { uncordon ${node.name}; fail "${node.name} can't be emptied, and is in service as before. Let its pods be moved (more replicas, a wider PodDisruptionBudget), or set cluster.upgrade.drainTimeout or cluster.upgrade.drain"; } ;; esac`
    : ""
}
  $kubectl delete node ${node.name} --ignore-not-found --wait --timeout=60s > /dev/null || fail "the Node object ${node.name} does not go away: see kubectl get node ${node.name} --output yaml, finalizers"
fi
$kubectl delete secret --namespace kube-system ${node.name}.node-password.k3s --ignore-not-found > /dev/null
${freeClaims(node.name)}
# The member goes a moment after its Node; whoever joins before that is refused.
sleep 1
await 60 1 find_api || fail "no API server answers since ${node.name} was taken out of the cluster"`;
}
