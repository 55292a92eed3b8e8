import * as path from "node:path";
import { openArtifacts } from "../../artifacts";
import { cacheDir } from "../../cli/paths";
import { CisReason, cisReasons, CisWitness } from "../../components/cluster/cis-reasons";

/** Runs a command as root on a machine that is a server of a cluster. */
export type OnMachine = (...command: string[]) => { code: number; stdout: string; stderr: string };

/** What kube-bench says of one check. */
export interface CisResult {
  check: string;
  status: "PASS" | "FAIL" | "WARN" | "INFO";
  text: string;
}

/** Where a machine of nspawn sees the artefact cache. */
const inside = (file: string): string => path.join("/var/lib/groundwork/artifacts", path.relative(cacheDir(), file));

/**
 * K3s writes the command lines of its parts into its journal, and kube-bench reads them there. The stand-in runs them as
 * processes and writes nothing: their command lines, as the kernel has them, are put into the journal as K3s would have, of the
 * processes themselves (journald's OBJECT_PID).
 */
const journal = `
journalctl -u k3s -o cat --no-pager | grep -q '^Running kube-apiserver\\|level=info msg="Running kube-apiserver' || {
  for name in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy; do
    pid=$(pgrep -of "^$name ") || continue
    printf 'MESSAGE=Running %s\\nOBJECT_PID=%s\\nPRIORITY=6\\n' "$(tr '\\0' ' ' < /proc/$pid/cmdline)" "$pid" | logger --journald
  done
  journalctl --sync
}`;

/** Runs kube-bench with the benchmark for K3s on a server. The artefacts kube-bench and kube-bench-config are fetched already. */
export function runKubeBench(on: OnMachine): CisResult[] {
  const artifacts = openArtifacts();
  const binary = inside(artifacts.file("kube-bench").path);
  const config = inside(artifacts.file("kube-bench-config").path);
  const script = `set -e
${journal}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tar -xf '${config}' -C "$folder"
PATH=/usr/local/bin:$PATH KUBECONFIG=/etc/rancher/k3s/k3s.yaml '${binary}' run --config-dir "$folder" --config "$folder/config.yaml" --benchmark k3s-cis-1.7 --json`;
  const done = on("bash", "-c", script);
  if (done.code !== 0) throw new Error(`kube-bench failed: ${done.stderr.slice(-2000)}`);
  interface Report {
    Controls: { tests: { results: { test_number: string; status: CisResult["status"]; test_desc: string }[] }[] }[];
  }
  const report = JSON.parse(done.stdout.slice(done.stdout.indexOf("{"))) as Report;
  return report.Controls.flatMap(({ tests }) => tests)
    .flatMap(({ results }) => results)
    .map(({ test_number, status, test_desc }) => ({ check: test_number, status, text: test_desc }));
}

/** Checks that do not pass and have no reason, reasons that no check needs, and reasons that are no longer in force. */
export function judge(results: CisResult[], reasons: readonly CisReason[] = cisReasons, now = new Date()): string[] {
  const open = results.filter(({ status }) => status === "FAIL" || status === "WARN");
  const covers = (reason: CisReason, { check, status }: CisResult) =>
    reason.check === check && reason.status === status;
  return [
    ...(results.some(({ status }) => status === "PASS") ? [] : ["no check passes: kube-bench did not see the cluster"]),
    ...open
      .filter((result) => !reasons.some((reason) => covers(reason, result)))
      .map(({ check, status, text }) => `${check} is ${status} and has no reason: ${text}`),
    ...reasons
      .filter((reason) => !open.some((result) => covers(reason, result)))
      .map(({ check, status }) => `${check} is not ${status} any more: take its reason away`),
    ...reasons
      .filter(({ expires }) => Date.parse(`${expires}T23:59:59Z`) < now.getTime())
      .map(({ check, expires }) => `the reason of ${check} expired on ${expires}`),
  ];
}

/** Paths (with wildcards) and the most that their mode may be; owner and group are root's. CIS 1.1, 4.1 as K3s lays files out. */
const modes: [string, number][] = [
  ["/etc/rancher/k3s", 0o700],
  ["/etc/rancher/k3s/*.yaml", 0o600],
  ["/etc/rancher/k3s/*token", 0o600],
  ["/var/lib/rancher/k3s/server", 0o700],
  ["/var/lib/rancher/k3s/server/db/etcd", 0o700],
  ["/var/lib/rancher/k3s/server/tls", 0o700],
  ["/var/lib/rancher/k3s/server/tls/*.crt", 0o600],
  ["/var/lib/rancher/k3s/server/tls/*.key", 0o600],
  ["/var/lib/rancher/k3s/server/tls/etcd/*.key", 0o600],
  ["/var/lib/rancher/k3s/server/cred/*.kubeconfig", 0o600],
  ["/var/lib/rancher/k3s/server/cred/encryption-config.json", 0o600],
  ["/var/lib/rancher/k3s/server/psa.yaml", 0o600],
  ["/var/lib/rancher/k3s/server/audit.yaml", 0o600],
  ["/var/lib/rancher/k3s/server/logs", 0o700],
  ["/var/lib/rancher/k3s/server/logs/audit*.log", 0o600],
  ["/var/lib/rancher/k3s/agent/*.kubeconfig", 0o600],
  ["/var/lib/rancher/k3s/agent/*.key", 0o600],
  ["/var/lib/rancher/k3s/agent/client-ca.crt", 0o600],
];

/** Files of a server that more people can read than should, or that are missing. */
export function fileFindings(on: OnMachine): string[] {
  const asked = modes.map(([pattern], index) => `stat -c '${index} %a %U:%G %n' ${pattern} 2> /dev/null`);
  const lines = on("bash", "-c", `${asked.join("; ")}; true`)
    .stdout.trim()
    .split("\n");
  return modes.flatMap(([pattern, most], index) => {
    const found = lines.map((line) => line.split(" ")).filter(([of]) => of === String(index));
    if (found.length === 0) return [`${pattern} is not there`];
    return found.flatMap(([, mode = "", owner = "", file = ""]) => [
      ...((parseInt(mode, 8) & ~most & 0o777) === 0 ? [] : [`${file} has mode ${mode}`]),
      ...(owner === "root:root" ? [] : [`${file} is owned by ${owner}`]),
    ]);
  });
}

/** CIS 2.1 to 2.7 by what etcd really runs with: its process's flags, or the file that K3s gives it. */
export function etcdFindings(on: OnMachine): string[] {
  const config = "/var/lib/rancher/k3s/server/db/etcd/config";
  const { stdout } = on(
    "bash",
    "-c",
    `if [ -f ${config} ]; then cat ${config}; else tr '\\0' '\\n' < /proc/$(pgrep -of '^etcd ')/cmdline; fi`,
  );
  const flags = stdout.includes("--data-dir=");
  const wanted: [string, RegExp][] = flags
    ? [
        ["2.1: its certificate", /^--cert-file=\/.+\n[^]*^--key-file=\//m],
        ["2.2: certificates of clients", /^--client-cert-auth=true$/m],
        ["2.4: its certificate for members", /^--peer-cert-file=\//m],
        ["2.5: certificates of members", /^--peer-client-cert-auth=true$/m],
        ["2.7: an authority of its own", /^--trusted-ca-file=.*\/tls\/etcd\//m],
      ]
    : [
        ["2.1: its certificate", /^client-transport-security:\n(?: +.*\n)*? +cert-file: /m],
        ["2.2: certificates of clients", /^client-transport-security:\n(?: +.*\n)*? +client-cert-auth: true/m],
        ["2.4: its certificate for members", /^peer-transport-security:\n(?: +.*\n)*? +cert-file: /m],
        ["2.5: certificates of members", /^peer-transport-security:\n(?: +.*\n)*? +client-cert-auth: true/m],
        ["2.7: an authority of its own", /^ +trusted-ca-file: .*\/tls\/etcd\//m],
      ];
  const open = /auto-tls(=|: )true/.test(stdout) ? ["2.3 or 2.6: etcd signs certificates itself"] : [];
  return [...wanted.filter(([, pattern]) => !pattern.test(stdout)).map(([what]) => `etcd lacks ${what}`), ...open];
}

/** What each witness of the reasons finds wrong; all are empty on a cluster as it should be. */
export function witnessFindings(on: OnMachine): Record<Exclude<CisWitness, "accepted">, string[]> {
  const kubectl = (...args: string[]) => on("/usr/local/bin/k3s", "kubectl", ...args);
  const names = (text: string) => text.split(/\s+/).filter(Boolean);
  const tokens = names(
    kubectl("get", "secrets", "-n", "kube-system", "--field-selector=type=bootstrap.kubernetes.io/token", "-o", "name")
      .stdout,
  );
  const bound = kubectl(
    ...["get", "clusterrolebindings,rolebindings", "-A", "-o"],
    'jsonpath={range .items[*]}{range .subjects[?(@.kind=="User")]}{.name}{"\\n"}{end}{end}',
  );
  const people = names(bound.stdout).filter((name) => !name.startsWith("system:"));
  const refused = on(
    "bash",
    "-c",
    "/usr/local/bin/k3s kubectl run cis-probe -n default --image=none --dry-run=server --privileged 2>&1",
  );
  const audit = on("bash", "-c", "tail -n 2000 /var/lib/rancher/k3s/server/logs/audit.log | grep -m1 '\"user\"'");
  return {
    files: fileFindings(on),
    "etcd-flags": etcdFindings(on),
    people: [
      ...tokens.map((name) => `${name} is a bootstrap token`),
      ...people.filter((name) => !/^k3s-|^kube-/.test(name)).map((name) => `${name} is bound by name`),
    ],
    admission: /violates PodSecurity "restricted/.test(refused.stdout) ? [] : [`a privileged pod: ${refused.stdout}`],
    audit: audit.code === 0 ? [] : ["the audit log has no requests"],
  };
}
