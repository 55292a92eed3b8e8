import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import type { VaultClient } from "../../apps/keeper/src/vault/client";
import { AdminCluster, ApiError } from "../../cli/vault/cluster";
import type { Groundwork } from "./groundwork";
import { eventually } from "./https";

const root = path.resolve(__dirname, "..", "..");
const sealedPath = (namespace: string) => `/apis/bitnami.com/v1alpha1/namespaces/${namespace}/sealedsecrets`;
const externalPath = (namespace: string) => `/apis/external-secrets.io/v1/namespaces/${namespace}/externalsecrets`;

interface Conditions {
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

/** What a round trip measured, in milliseconds. */
export type Times = Record<string, number>;

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = Date.now();
  await work();
  return Date.now() - began;
};

/** Deletes an object, if it is there. */
const remove = (cluster: AdminCluster, at: string): Promise<unknown> =>
  cluster.api("DELETE", at).catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  });

/** Until a Secret holds exactly this. */
const holds = (
  cluster: AdminCluster,
  namespace: string,
  name: string,
  values: Record<string, string>,
  seconds: number,
) => eventually(seconds, async () => assert.deepEqual(await cluster.readSecret(namespace, name), values));

const condition = async (cluster: AdminCluster, at: string, type: string) =>
  (await cluster.api<Conditions>("GET", at)).status?.conditions?.find((one) => one.type === type);

/** Seals by the command line, as a person does, and gives the object. */
function seal(
  groundwork: Groundwork,
  input: string,
  ...argv: string[]
): { metadata: Record<string, unknown> } & object {
  const done = spawnSync(process.execPath, [path.join(root, "cli", "bootstrap.cjs"), "seal", ...argv], {
    cwd: root,
    env: groundwork.env,
    input,
    encoding: "utf8",
  });
  assert.equal(done.status, 0, done.stderr);
  return parse(done.stdout) as { metadata: Record<string, unknown> };
}

/**
 * Seals on the command line; the Secret appears in its namespace, comes back when it is deleted, and appears neither under
 * another name nor in a namespace that is not served.
 */
export async function sealedRoundTrip(
  groundwork: Groundwork,
  cluster: AdminCluster,
  namespace = "app",
): Promise<Times> {
  const name = `sealed-${randomUUID().slice(0, 8)}`;
  const elsewhere = "traefik";
  const values = { user: "alice", password: `round-trip-${randomUUID()}` };
  const input = Object.entries(values).map(([key, value]) => `${key}=${value}\n`);
  const object = seal(groundwork, input.join(""), "--name", name, "--namespace", namespace);
  const secret = `/api/v1/namespaces/${namespace}/secrets/${name}`;
  const moved = { ...object, metadata: { ...object.metadata, namespace: elsewhere } };
  const renamed = { ...object, metadata: { ...object.metadata, name: `${name}-renamed` } };
  try {
    assert.ok(!JSON.stringify(object).includes(values.password));
    const appears = await timed(async () => {
      await cluster.api("POST", sealedPath(namespace), object);
      await holds(cluster, namespace, name, values, 30);
    });
    const returns = await timed(async () => {
      await cluster.api("DELETE", secret);
      await holds(cluster, namespace, name, values, 30);
    });
    await cluster.api("POST", sealedPath(elsewhere), moved);
    await cluster.api("POST", sealedPath(namespace), renamed);
    await eventually(30, async () => {
      const synced = await condition(cluster, `${sealedPath(namespace)}/${name}-renamed`, "Synced");
      assert.match(synced?.message ?? "", /no key could decrypt/);
    });
    // By now the controller has looked at everything that it looks at.
    assert.equal(await condition(cluster, `${sealedPath(elsewhere)}/${name}`, "Synced"), undefined);
    assert.equal(await cluster.readSecret(elsewhere, name), undefined);
    assert.equal(await cluster.readSecret(namespace, `${name}-renamed`), undefined);
    return { appears, returns };
  } finally {
    await remove(cluster, `${sealedPath(namespace)}/${name}`);
    await remove(cluster, `${sealedPath(namespace)}/${name}-renamed`);
    await remove(cluster, `${sealedPath(elsewhere)}/${name}`);
  }
}

/** Makes a root token for the time of some work, and ends it. */
export async function withRootToken<T>(
  groundwork: Groundwork,
  cluster: AdminCluster,
  work: (vault: VaultClient) => Promise<T>,
): Promise<T> {
  const made = await groundwork.run("vault", "root-token", "--stack", groundwork.stack);
  assert.equal(made.code, 0, made.stderr);
  try {
    const file = /root token: (\S+)/.exec(made.stderr)?.[1];
    assert.ok(file, made.stderr);
    return await work(cluster.vault().as(fs.readFileSync(file, "utf8").trim()));
  } finally {
    const revoked = await groundwork.run("vault", "root-token", "--revoke", "--stack", groundwork.stack);
    assert.equal(revoked.code, 0, revoked.stderr);
  }
}

/**
 * A value in Vault becomes a Secret of its namespace, a changed value arrives, and a value of another namespace's is refused.
 *
 * @param vault a client that may write to `kv`
 */
export async function externalRoundTrip(
  cluster: AdminCluster,
  vault: VaultClient,
  namespace = "app",
  other = "other",
): Promise<Times> {
  const name = `external-${randomUUID().slice(0, 8)}`;
  const write = (of: string, value: string) => vault.write(`kv/data/${of}/${name}`, { data: { password: value } });
  const external = (suffix: string, of: string) => ({
    apiVersion: "external-secrets.io/v1",
    kind: "ExternalSecret",
    metadata: { name: `${name}${suffix}`, namespace },
    spec: {
      refreshInterval: "2s",
      secretStoreRef: { kind: "SecretStore", name: `vault-${namespace}` },
      target: { name: `${name}${suffix}` },
      data: [{ secretKey: "password", remoteRef: { key: `${of}/${name}`, property: "password" } }],
    },
  });
  try {
    await write(namespace, "first");
    await write(other, "not yours");
    const appears = await timed(async () => {
      await cluster.api("POST", externalPath(namespace), external("", namespace));
      await holds(cluster, namespace, name, { password: "first" }, 30);
    });
    await write(namespace, "second");
    const changes = await timed(() => holds(cluster, namespace, name, { password: "second" }, 30));

    await cluster.api("POST", externalPath(namespace), external("-foreign", other));
    await eventually(30, async () => {
      const ready = await condition(cluster, `${externalPath(namespace)}/${name}-foreign`, "Ready");
      assert.equal(ready?.status, "False");
    });
    assert.equal(await cluster.readSecret(namespace, `${name}-foreign`), undefined);
    return { appears, changes };
  } finally {
    await remove(cluster, `${externalPath(namespace)}/${name}`);
    await remove(cluster, `${externalPath(namespace)}/${name}-foreign`);
    for (const of of [namespace, other]) await vault.request("DELETE", `kv/metadata/${of}/${name}`);
  }
}
