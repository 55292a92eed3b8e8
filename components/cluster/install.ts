import { stringify } from "yaml";
import { RemoteFile, writeFiles } from "../host/remote-script";
import { admissionConfig, auditPolicy, cgroupV1Config, ClusterPlan, NodePlan, paths, planConfig } from "./config";
import { kubectl } from "./drain";
import { joinScript, Witnesses } from "./join";
import { nodeLock, rollFunction } from "./rolling";
import { killAllScript, killAllText, uninstallScript, uninstallText, unitName, unitText } from "./unit";

/** Seconds that a node may take until it is Ready: 15 s here, more where images are many or the disk is slow. */
const readyLimit = 300;

/** Tokens that nodes join with; secret. */
export interface Tokens {
  server: string;
  agent: string;
}

/** A file of the artefact cache as the machine sees it. */
export interface RemoteArtifact {
  /** Path on the machine: below the artefact mount, or where it was copied to. */
  path: string;
  sha256: string;
  /** Reference of the image in an archive of one, `name:tag@sha256:...`. */
  ref?: string;
}

/** Files of a node; the tokens are the only secrets among them. */
export function nodeFiles(plan: ClusterPlan, node: NodePlan, tokens: Tokens): RemoteFile[] {
  const files: RemoteFile[] = [
    { path: paths.config, mode: "600", content: stringify(planConfig(plan, node)) },
    // An agent gets the agents' token only: with it nothing can join as a server.
    { path: paths.token, mode: "600", content: node.role === "server" ? tokens.server : tokens.agent },
    { path: `/etc/systemd/system/${unitName(node.role)}`, content: unitText(node.role) },
    { path: killAllScript, mode: "755", content: killAllText },
    { path: uninstallScript(node.role), mode: "755", content: uninstallText(node.role) },
  ];
  if (node.role === "agent") return files;
  return [
    ...files,
    { path: paths.agentToken, mode: "600", content: tokens.agent },
    { path: paths.admission, mode: "600", content: admissionConfig(plan) },
    { path: paths.audit, mode: "600", content: auditPolicy },
  ];
}

/** A K3s release as the machine sees it. */
export interface RemoteK3s extends RemoteArtifact {
  /** Such as `v1.36.3+k3s1`. */
  version: string;
}

/** Shell function that ends the script with the end of K3s's log. */
const tellFunction = (node: NodePlan): string =>
  `tell() { echo "K3s on ${node.name}: $1 after ${readyLimit} s; the end of its log:" >&2; journalctl --no-pager --unit ${unitName(node.role)} --lines 25 --output cat >&2; exit 1; }`;

/**
 * Installs K3s on a node, or brings it up to date: the binary, its files and its unit as K3s's install script lays them out. Waits
 * until an agent is Ready; a server has joined once its API answers, which it does as a voting member of etcd only. K3s is restarted
 * only when something of it changed; pods go on running meanwhile. Another binary than is there replaces it with the node's pods moved away, on a server here, one server after
 * the other; on an agent it is `upgradeScript`'s to do, since agents are installed side by side.
 */
export function installScript(
  plan: ClusterPlan,
  node: NodePlan,
  tokens: Tokens,
  k3s: RemoteK3s,
  witnesses: Witnesses = {},
): string {
  const unit = unitName(node.role);
  const server = node.role === "server";
  return `
export PATH=/usr/local/bin:$PATH
${nodeLock}
[ -r '${k3s.path}' ] || fail "the K3s binary is not at ${k3s.path}"
${server ? rollFunction(plan, node, k3s.version) : `kubectl="${kubectl("agent")}"`}
mkdir -p -m 755 ${paths.data}/server
${server ? `mkdir -p -m 700 ${paths.logs} # CIS 1.1: the audit log is root's alone` : ""}
${writeFiles(nodeFiles(plan, node, tokens))}
chmod 700 /etc/rancher/k3s # the administrator's kubeconfig and the tokens lie here
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then rm -f ${paths.cgroupV1}; else
${writeFiles([{ path: paths.cgroupV1, mode: "600", content: cgroupV1Config }])}
fi
if [ ! -x ${paths.binary} ]; then
  cp '${k3s.path}' ${paths.binary}.new
  echo '${k3s.sha256}  ${paths.binary}.new' | sha256sum --check --status || { rm ${paths.binary}.new; fail "the K3s binary at ${k3s.path} has another digest than the lock says"; }
  chmod 755 ${paths.binary}.new
  mv ${paths.binary}.new ${paths.binary}
  changed="$changed ${paths.binary}"
fi
for command in kubectl crictl ctr; do [ -e /usr/local/bin/$command ] || ln -s k3s /usr/local/bin/$command; done
${joinScript(plan, node, witnesses)}
systemctl daemon-reload
systemctl enable --quiet ${unit}
${tellFunction(node)}
${
  server
    ? `if in_roll || ! echo '${k3s.sha256}  ${paths.binary}' | sha256sum --check --status; then roll '${k3s.path}' ${k3s.sha256}; changed=''; fi`
    : ""
}
# Without waiting: an agent's unit never says that it is ready, and the bound below is ours.
if [ -n "$changed" ]; then systemctl restart --no-block ${unit}; else systemctl start --no-block ${unit}; fi
${server ? `await ${readyLimit} 0.3 $kubectl get --raw /readyz || tell "the API server is not ready"\necho '${node.name} has joined'` : awaitReady(node)}`;
}

/** Shell: waits until the node is Ready. Needs `$kubectl`, and `tell`. */
const awaitReady = (node: NodePlan): string => `is_ready() {
  $kubectl get node ${node.name} --output 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' | grep -q True
}
await ${readyLimit} 0.3 is_ready || tell "the node is not Ready"
echo '${node.name} is Ready'`;

/** Waits until a server that has joined is a Ready node: its images are imported meanwhile, and the next server joins. */
export function readyScript(node: NodePlan): string {
  return `
export PATH=/usr/local/bin:$PATH
kubectl="${kubectl("server")}"
${tellFunction(node)}
chmod 600 ${paths.data}/server/tls/*.crt # CIS 1.1.20
${awaitReady(node)}`;
}

/** Takes an agent to the release, if it has another one. Its turn comes after the servers', in batches. */
export function upgradeScript(plan: ClusterPlan, node: NodePlan, k3s: RemoteK3s): string {
  return `
export PATH=/usr/local/bin:$PATH
${nodeLock}
${rollFunction(plan, node, k3s.version)}
if in_roll || ! echo '${k3s.sha256}  ${paths.binary}' | sha256sum --check --status; then roll '${k3s.path}' ${k3s.sha256}; fi
echo '${node.name} is Ready'`;
}

/** Takes K3s off a machine that stays. */
export function uninstall(node: NodePlan): string {
  return `[ ! -x ${uninstallScript(node.role)} ] || ${uninstallScript(node.role)}
rm -f ${paths.binary}.previous /var/lib/groundwork/upgrade /var/lib/groundwork/os-patched
rmdir /var/lib/groundwork 2> /dev/null || true`;
}

/** The name that containerd finds an image by when a pod asks for it by digest: without the tag. */
const digestName = (ref: string): string => ref.replace(/:[^:@/]+@/, "@");

/**
 * Puts image archives where K3s imports them from when it starts (docs.k3s.io/installation/airgap, manually deploy images).
 * Where it runs already, what containerd lacks is imported before anything goes on: K3s would notice the archive some time
 * later, and a pod that starts before that fails and backs off. Archives of earlier versions of ours go.
 */
export function imagesScript(archives: Record<string, RemoteArtifact>): string {
  const links = Object.entries(archives).map(([name, { path }]) => `link '${path}' '${name}'\n`);
  const imports = Object.values(archives).flatMap(({ path, ref }) =>
    ref === undefined ? [] : [`  import '${path}' '${digestName(ref)}'\n`],
  );
  return `
mkdir -p ${paths.images}
wanted=' '
link() {
  [ -r "$1" ] || fail "the image archive $1 is missing"
  wanted="$wanted$2 "
  [ "$(readlink "${paths.images}/$2")" = "$1" ] || ln -sfn "$1" "${paths.images}/$2"
}
${links.join("")}for archive in ${paths.images}/*; do
  [ -L "$archive" ] || continue
  case "$wanted" in *" $(basename "$archive") "*) ;; *) rm "$archive" ;; esac
done
import() {
  case "$there" in *"
$2
"*) return ;; esac
  k3s ctr --namespace k8s.io images import --all-platforms "$1" > /dev/null || fail "containerd does not take $1"
}
export PATH=/usr/local/bin:$PATH
if [ -S /run/k3s/containerd/containerd.sock ] && there="
$(timeout 20 k3s ctr --namespace k8s.io images list --quiet 2> /dev/null)
"; then
${imports.join("") || "  :\n"}fi
echo '${Object.values(archives).length} archives'`;
}

/** Prints the cluster's identity, and the administrator's kubeconfig for the API at that address. */
export function kubeconfigScript(server: string): string {
  // The UID of kube-system is the cluster's identity by convention: it changes when the cluster is made anew.
  return `
export PATH=/usr/local/bin:$PATH
await 120 0.3 ${kubectl("server")} get deployment coredns --namespace kube-system || fail "K3s has not made its CoreDNS: see journalctl --unit k3s"
${kubectl("server")} get namespace kube-system --output 'jsonpath={.metadata.uid}{"\\n"}'
sed 's#https://127.0.0.1:6443#${server}#' ${paths.kubeconfig}`;
}
