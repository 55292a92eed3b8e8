import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { KubeClient } from "../../cli/access/api";
import { loginOf } from "../../cli/kube";
import { type AdminCluster, openCluster } from "../../cli/vault/cluster";
import type { StackReport } from "../../stacks/report";
import { Ended, Groundwork } from "./groundwork";
import { client, eventually } from "./https";
import { snapshot } from "./machine";

const root = path.resolve(__dirname, "..", "..");

interface Health {
  sealed: boolean;
  initialized: boolean;
}
interface PodList {
  items: { status: { conditions?: { type: string; status: string }[] } }[];
}

/** A stack with Vault on a machine of its own, and what the tests of security ask of it. */
export class TrustStack {
  readonly groundwork: Groundwork;
  private readonly server = "server-1";

  /** @param checkout whose commands are run @default the one of this file */
  constructor(stack: string, checkout?: string) {
    this.groundwork = new Groundwork(stack, checkout);
  }

  get stateDir(): string {
    return this.groundwork.stateDir;
  }
  get report(): StackReport {
    const file = `${this.stateDir}/summary/${this.groundwork.stack}.json`;
    return JSON.parse(fs.readFileSync(file, "utf8")) as StackReport;
  }
  get kube(): KubeClient {
    return new KubeClient(loginOf(`${this.stateDir}/kubeconfig/${this.groundwork.stack}`));
  }
  get cluster(): AdminCluster {
    return openCluster(`${this.stateDir}/kubeconfig/${this.groundwork.stack}`, this.groundwork.stack);
  }
  get recoveryKeysFile(): string {
    return `${this.stateDir}/vault/${this.groundwork.stack}/recovery-keys.json`;
  }

  /** Runs a verb of the project to its end. */
  run(verb: string, ...args: string[]): Promise<Ended> {
    return this.groundwork.run(verb, ...args);
  }

  /** Runs a command as root on the machine. */
  readonly on = (...command: string[]): Ended => this.groundwork.onMachine(this.server, ...command);

  kubectl(...args: string[]): Ended {
    return this.on("k3s", "kubectl", ...args);
  }

  /** A client of one of the stack's endpoints. */
  site(name: string): ReturnType<typeof client> {
    const { endpoints, ingressAddress, ca } = this.report;
    return client(endpoints[name]!, ingressAddress, ca);
  }

  /** What a program printed that ran in the API's pod; fails where it printed nothing. */
  inApi(program: string): string {
    const { stdout, stderr } = this.kubectl(
      "-n",
      "app",
      "exec",
      "deploy/api",
      "-c",
      "api",
      "--",
      "node",
      "-e",
      program,
    );
    assert.notEqual(stdout.trim(), "", stderr);
    return stdout.trim();
  }

  /** A Secret's values; empty where there is none. */
  secret(namespace: string, name: string): Record<string, string> {
    const { code, stdout } = this.kubectl("-n", namespace, "get", "secret", name, "-o", "json");
    if (code !== 0) return {};
    const { data } = JSON.parse(stdout) as { data?: Record<string, string> };
    const decode = (text: string) => Buffer.from(text, "base64").toString("utf8");
    return Object.fromEntries(Object.entries(data ?? {}).map(([key, value]) => [key, decode(value)]));
  }

  recoveryKeys(): string[] {
    return (JSON.parse(fs.readFileSync(this.recoveryKeysFile, "utf8")) as { recoveryKeys: string[] }).recoveryKeys;
  }

  /** Waits until both Vaults answer that they are open and their pods are ready again. */
  async unsealed(seconds: number): Promise<void> {
    await eventually(seconds, async () => {
      for (const name of ["vault-bootstrap", "vault"]) {
        const base = `/api/v1/namespaces/${name}/pods`;
        const query = "standbyok=true&sealedcode=200&uninitcode=200";
        const proxy = `${base}/https:${name}-0:8200/proxy/v1/sys/health?${query}`;
        const { sealed, initialized } = await this.kube.request<Health>("GET", proxy);
        assert.deepEqual({ name, sealed, initialized }, { name, sealed: false, initialized: true });
        const selector = encodeURIComponent(`app.kubernetes.io/name=${name}`);
        const { items } = await this.kube.request<PodList>("GET", `${base}?labelSelector=${selector}`);
        const ready = items.every(({ status }) =>
          status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True"),
        );
        assert.ok(items.length === 1 && ready, `${name} is ready`);
      }
    });
  }

  /** Takes the power from the machine and gives it back. */
  powerCut(machine: string): void {
    this.lose(machine);
    const started = this.tool("ensure", "--stack", this.groundwork.stack);
    assert.equal(started.status, 0, started.stderr);
  }

  /** Takes the power from the machine. */
  lose(machine: string): void {
    const killed = this.tool("kill", "--stack", this.groundwork.stack, machine);
    assert.equal(killed.status, 0, killed.stderr);
  }

  private tool(...args: string[]) {
    const program = path.join(root, "components", "host", "nspawn", "tool.cjs");
    return spawnSync(process.execPath, [program, ...args], { cwd: root, env: this.groundwork.env, encoding: "utf8" });
  }

  /** What must stand nowhere but in Secrets, in the operator's own files, and in pods' memory; by what it is. */
  canaries(): Record<string, string> {
    const named = (prefix: string, values: Record<string, string>, keys?: string[]) =>
      Object.entries(values)
        .filter(([key]) => !keys || keys.includes(key))
        .map(([key, value]): [string, string] => [`${prefix} ${key}`, pick(value)]);
    return Object.fromEntries([
      ...named("unseal key", this.secret("vault-bootstrap", "vault-bootstrap-keys")),
      ...named("recovery keys", this.secret("vault", "vault-recovery")),
      ...named("seal stanza", this.secret("vault", "vault-unseal")),
      ...named("database owner", this.secret("app", "app-db-login"), ["password"]),
      ...named("login of Vault", this.secret("app", "app-db-vault-login"), ["password"]),
      ...named("login of the cache", this.secret("app", "cache-login"), ["password"]),
      ...named("key of the database", this.secret("app", "app-db-server-tls"), ["tls.key"]),
      [
        "leased password",
        (
          JSON.parse(this.inApi(`console.log(fs.readFileSync("/vault/secrets/db.json","utf8"))`)) as {
            password: string;
          }
        ).password,
      ],
      ["passphrase", fs.readFileSync(`${this.stateDir}/passphrase`, "utf8").trim()],
    ]);
  }

  /** Texts in which no secret may stand, by where they are. */
  placesWithoutSecrets(): Record<string, string> {
    const kept = ["passphrase", "kubeconfig/"].map((name) => `${this.stateDir}/${name}`);
    const files = this.groundwork.stateFiles().filter((file) => !kept.some((prefix) => file.startsWith(prefix)));
    const objects = "pods,deployments,statefulsets,jobs,cronjobs,configmaps,events,certificates,secretstores";
    const environments = "cat /proc/[0-9]*/environ 2> /dev/null | tr '\\0' '\\n'";
    const logs = "cat /var/log/pods/*/*/*.log /var/lib/rancher/k3s/server/logs/*.log";
    return {
      "state and logs": files.map((file) => fs.readFileSync(file, "latin1")).join("\n"),
      "process arguments": snapshot().processes.join("\n"),
      "environments of processes": this.on("bash", "-c", environments).stdout,
      objects: this.kubectl("get", objects, "-A", "-o", "yaml").stdout,
      journal: this.on("journalctl", "--no-pager", "-o", "cat").stdout,
      "logs of pods and of the API server": this.on("bash", "-c", logs).stdout,
    };
  }

  /** Destroys the stack, whatever state it is in; where that fails the state is kept, or nobody could take it away. */
  async end(): Promise<void> {
    if (!fs.existsSync(`${this.stateDir}/backend`)) return;
    const destroyed = await this.groundwork.run("destroy", "--yes");
    assert.equal(destroyed.code, 0, `state kept in ${this.stateDir}: ${destroyed.stderr.slice(-2000)}`);
    this.groundwork.forget();
  }
}

/** The part of a Secret's value that gives it away: the longest word of a document, a line of a key. */
function pick(value: string): string {
  const words = value.split(/[\s"',:{}[\]]+/).filter((word) => !word.startsWith("-----"));
  return words.reduce((longest, word) => (word.length > longest.length ? word : longest), "");
}
