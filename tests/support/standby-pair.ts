import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { stringify } from "yaml";
import { Checkout } from "./checkout";
import { client, eventually } from "./https";
import { TrustStack } from "./trust-stack";

/**
 * A stack's settings: one machine, and no more of the platform than a standby has to bring over (database, Vault, sealing keys),
 * for two of them share one computer: no cache, no External Secrets, no replicas, no bans and no upgrades.
 */
const settings = (network: { cidr: string; bridge: string }, of?: string): string =>
  stringify({
    config: {
      "groundwork:domain": "standby.local",
      "groundwork:localNames": false,
      "groundwork:protect": false,
      "groundwork:target": {
        driver: "nspawn",
        servers: 1,
        network,
        firewall: { adminSources: [network.cidr] },
      },
      "groundwork:database": { instances: 1, storage: "1Gi", memory: "256Mi" },
      "groundwork:certificates": { enabled: true, issuer: "vault" },
      "groundwork:vault": { enabled: true },
      "groundwork:sealedSecrets": { enabled: true },
      ...(of !== undefined && { "groundwork:standby": { of } }),
    },
  });

/**
 * Two stacks with two operators, who share the passphrase, the store of the backups and the checkout, and nothing else: each
 * has a state directory of its own.
 */
export class StandbyPair {
  readonly checkout = new Checkout();
  readonly store = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-standby-"));
  readonly first: TrustStack;
  readonly second: TrustStack;

  constructor() {
    this.checkout.write("Pulumi.east.yaml", settings({ cidr: "10.53.0.0/24", bridge: "gwsby0" }));
    this.checkout.write("Pulumi.west.yaml", settings({ cidr: "10.54.0.0/24", bridge: "gwsby1" }, "east"));
    this.first = new TrustStack("east", this.checkout.folder);
    this.second = new TrustStack("west", this.checkout.folder);
  }

  sharePassphrase(): void {
    const [from, to] = [this.first, this.second].map(({ stateDir }) => path.join(stateDir, "passphrase"));
    fs.copyFileSync(from!, to!);
    fs.chmodSync(to!, 0o600);
  }

  /**
   * The API as a client knows it, by the first stack's name and authority, at one of the two: what DNS would decide.
   *
   * @param authority that the client trusts
   */
  api(at: TrustStack, authority: string): ReturnType<typeof client> {
    return client("https://api.standby.local", at.report.ingressAddress, authority);
  }

  /** Rows of the second's database, by what they are called: it has no API that could be asked. */
  rows(): string[] {
    const query = "SELECT name FROM items ORDER BY name";
    const words = ["-n", "app", "exec", "app-db-1", "-c", "postgres", "--", "psql", "-XAtc", query, "app"];
    const { code, stdout, stderr } = this.second.kubectl(...words);
    assert.equal(code, 0, stderr);
    return stdout.split("\n").filter(Boolean);
  }

  /** Has the first stack seal with a new key, as it does by itself every month. */
  async renewSealingKey(): Promise<void> {
    const [namespace, name] = ["sealed-secrets", "sealed-secrets-key-renewed"];
    const folder = fs.mkdtempSync(path.join(this.store, "..", "groundwork-sealing-"));
    const [key, cert] = [path.join(folder, "tls.key"), path.join(folder, "tls.crt")];
    const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=sealed-secrets"];
    const made = spawnSync("openssl", [...words, "-keyout", key, "-out", cert], { encoding: "utf8" });
    assert.equal(made.status, 0, made.stderr);
    const data = Object.fromEntries(
      [key, cert].map((file) => [path.basename(file), fs.readFileSync(file).toString("base64")]),
    );
    const certificate = fs.readFileSync(cert, "utf8").trim();
    fs.rmSync(folder, { recursive: true });
    const labels = { "sealedsecrets.bitnami.com/sealed-secrets-key": "active" };
    await this.first.cluster.api("POST", `/api/v1/namespaces/${namespace}/secrets`, {
      ...{ apiVersion: "v1", kind: "Secret", metadata: { name, namespace, labels } },
      ...{ type: "kubernetes.io/tls", data },
    });
    const restarted = this.first.kubectl("-n", namespace, "rollout", "restart", "deployment/sealed-secrets");
    assert.equal(restarted.code, 0, restarted.stderr);
    await eventually(120, async () => {
      assert.equal((await this.first.run("seal", "--fetch-cert")).stdout.trim(), certificate);
    });
  }

  /** Takes both stacks down, whatever state they are in, and then what they shared. @throws the first error */
  async end(): Promise<void> {
    const ended = [];
    for (const stack of [this.second, this.first]) ended.push(...(await Promise.allSettled([stack.end()])));
    const failed = ended.find(({ status }) => status === "rejected");
    if (failed?.status === "rejected") throw failed.reason;
    for (const { stateDir } of [this.first, this.second]) fs.rmSync(stateDir, { recursive: true, force: true });
    fs.rmSync(this.store, { recursive: true, force: true });
    this.checkout.close();
  }
}
