import { stringify } from "yaml";
import { RemoteFile, writeFiles } from "../host/remote-script";
import { admissionConfig, auditPolicy, cgroupV1Config, ClusterPlan, NodePlan, paths, planConfig } from "./config";
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

/** How a node asks the API server about itself: a server as the administrator, an agent as its own kubelet. */
const kubectl = (role: NodePlan["role"]): string =>
  `k3s kubectl --request-timeout=5s --kubeconfig ${role === "server" ? paths.kubeconfig : `${paths.data}/agent/kubelet.kubeconfig`}`;

/**
 * Installs K3s on a node, or brings it up to date, and waits until the node is Ready: the binary, its files and
 * its unit as K3s's install script lays them out. K3s is restarted only when something of it changed; pods go on
 * running meanwhile.
 */
export function installScript(plan: ClusterPlan, node: NodePlan, tokens: Tokens, k3s: RemoteArtifact): string {
  const unit = unitName(node.role);
  return `
export PATH=/usr/local/bin:$PATH
[ -r '${k3s.path}' ] || fail "the K3s binary is not at ${k3s.path}"
mkdir -p -m 755 ${paths.data}/server
${node.role === "server" ? `mkdir -p -m 700 ${paths.logs} # CIS 1.1: the audit log is root's alone` : ""}
${writeFiles(nodeFiles(plan, node, tokens))}
chmod 700 /etc/rancher/k3s # the administrator's kubeconfig and the tokens lie here
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then rm -f ${paths.cgroupV1}; else
${writeFiles([{ path: paths.cgroupV1, mode: "600", content: cgroupV1Config }])}
fi
if ! echo '${k3s.sha256}  ${paths.binary}' | sha256sum --check --status 2> /dev/null; then
  cp '${k3s.path}' ${paths.binary}.new
  echo '${k3s.sha256}  ${paths.binary}.new' | sha256sum --check --status || { rm ${paths.binary}.new; fail "the K3s binary at ${k3s.path} has another digest than the lock says"; }
  chmod 755 ${paths.binary}.new
  mv ${paths.binary}.new ${paths.binary}
  changed="$changed ${paths.binary}"
fi
for command in kubectl crictl ctr; do [ -e /usr/local/bin/$command ] || ln -s k3s /usr/local/bin/$command; done
systemctl daemon-reload
systemctl enable --quiet ${unit}
# Without waiting: an agent's unit never says that it is ready, and the bound below is ours.
if [ -n "$changed" ]; then systemctl restart --no-block ${unit}; else systemctl start --no-block ${unit}; fi
tell() { echo "K3s on ${node.name}: $1 after ${readyLimit} s; the end of its log:" >&2; journalctl --no-pager --unit ${unit} --lines 25 --output cat >&2; exit 1; }
is_ready() {
  ${kubectl(node.role)} get node ${node.name} --output 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' | grep -q True
}
${node.role === "server" ? `await ${readyLimit} 0.3 ${kubectl(node.role)} get --raw /readyz || tell "the API server is not ready"` : ""}
await ${readyLimit} 0.3 is_ready || tell "the node is not Ready"
${node.role === "server" ? `chmod 600 ${paths.data}/server/tls/*.crt # CIS 1.1.20` : ""}
echo '${node.name} is Ready'`;
}

/** Takes K3s off a machine that stays. */
export function uninstall(node: NodePlan): string {
  return `[ ! -x ${uninstallScript(node.role)} ] || ${uninstallScript(node.role)}`;
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

/** Prints the administrator's kubeconfig, at the server's address, and the cluster's identity. */
export function kubeconfigScript(address: string): string {
  // The UID of kube-system is the cluster's identity by convention: it changes when the cluster is made anew.
  return `
export PATH=/usr/local/bin:$PATH
${kubectl("server")} get namespace kube-system --output 'jsonpath={.metadata.uid}{"\\n"}'
sed 's#https://127.0.0.1:6443#https://${address}:6443#' ${paths.kubeconfig}`;
}
