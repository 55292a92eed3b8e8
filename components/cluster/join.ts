import { ClusterPlan, joinAddresses, NodePlan, paths } from "./config";

/** Seconds that a node waits for a cluster to join: the servers before it, and then the balancer, come up meanwhile. */
const joinLimit = 300;

/** What the other servers' machines said: which of them hold data of the cluster. */
export type Witnesses = Record<string, boolean>;

/**
 * Shell that decides whether the machine begins the cluster or joins it, and writes it down beside the configuration
 * (docs.k3s.io/datastore/ha-embedded). A name says nothing: the first server may be a machine made anew, and must join the others
 * then. So a server without data asks whether a cluster answers (with a token that means nothing, or kubectl would ask for a name), and begins one only if none does and no other server's
 * machine holds its data. Needs the K3s binary; `$changed` then lists the file where it matters.
 */
export function joinScript(plan: ClusterPlan, node: NodePlan, witnesses: Witnesses = {}): string {
  const addresses = joinAddresses(plan, node);
  const holders = Object.keys(witnesses).filter((name) => witnesses[name]);
  const first = node.role === "server" && node.name === plan.nodes[0]!.name;
  const nobody =
    holders.length > 0
      ? `fail "no server answers, but ${holders.join(" and ")} holds data of this cluster: bring K3s up there first, so that this machine can join it (docs/runbooks/nodes.md)"`
      : "put 600 \"$join\" <<< 'cluster-init: true'";
  return `
join=${paths.join}
answers() { k3s kubectl --kubeconfig /dev/null --server "https://$1:6443" --insecure-skip-tls-verify --token none --request-timeout=3s get --raw /cacerts 2> /dev/null | grep -q BEGIN; }
find_cluster() { local one; for one in ${addresses.join(" ")}; do if answers $one; then found=$one; return; fi; done; return 1; }
found=''
named=$(sed -n 's#^server: https://\\(.*\\):6443$#\\1#p' "$join" 2> /dev/null || true)
has_data() { ${node.role === "server" ? `[ -d ${paths.data}/server/db/etcd/member ]` : "false"}; }
if has_data && [ -f "$join" ]; then : # a member comes back by itself, whoever it once joined
elif case ' ${addresses.join(" ")} ' in *" $named "*) [ -n "$named" ] ;; *) false ;; esac; then : # still right
elif ${first ? "has_data" : "false"}; then put 600 "$join" <<< 'cluster-init: true' # installed before this file was
${first ? `elif ! find_cluster; then\n  ${nobody}` : `elif ! await ${joinLimit} 1 find_cluster; then\n  fail "no server of the cluster answers at ${addresses.join(", ")}"`}
else put 600 "$join" <<< "server: https://$found:6443"
fi`;
}

/** Whether a machine holds data of a cluster: one word. */
export const witnessScript = `[ -d ${paths.data}/server/db/etcd/member ] && echo member || echo none`;
