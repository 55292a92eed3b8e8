import { strict as assert } from "node:assert";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setUpWithRoot } from "../../../apps/keeper/src/configure/base";
import { ensureInitialised, keysOf, Recovery } from "../../../apps/keeper/src/configure/initialise";
import { ensureMounts } from "../../../apps/keeper/src/configure/mounts";
import { ensureAuthorities, renewAuthorities } from "../../../apps/keeper/src/configure/pki";
import { generateRoot } from "../../../apps/keeper/src/vault/root";
import type { AdminCluster } from "../../../cli/vault/cluster";
import { keysFile, readKeys, rootTokenFile } from "../../../cli/vault/files";
import { handOver, rotateRecoveryKeys } from "../../../cli/vault/keys";
import { putBack } from "../../../cli/vault/put-back";
import { bringRootOnline, takeRootOffline } from "../../../cli/vault/root-ca";
import { revokeRootToken, rootToken } from "../../../cli/vault/root-token";
import { restoreSnapshot } from "../../../cli/vault/snapshots";
import { outside, patiently, platform, sealedBy } from "./primary";
import { KubeDouble, VaultServer } from "./server";

const stack = "test";

describe("what an operator does with Vault", function () {
  this.timeout(90_000);
  const transit = new VaultServer();
  const kube = new KubeDouble();
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-operator-"));
  let server: VaultServer;
  let said = "";
  const recovery = () => (kube.objects.get("secret/vault-recovery") ?? {}) as Recovery;
  const mode = (file: string): string => (fs.statSync(file).mode & 0o777).toString(8);

  /** A test double of the API server in front of a real Vault. */
  const cluster: AdminCluster = {
    api: (_method, api) => Promise.resolve({ data: kube.objects.get(`configmap/${api.split("/").at(-1)}`) } as never),
    vault: () => server.client(),
    chooseLeader: () => Promise.resolve(),
    servers: () => Promise.resolve(["vault-0"]),
    readSecret: (_namespace, name) => kube.readSecret(name),
    patchSecret: (_namespace, name, values) => kube.writeSecret(name, values),
  };

  const stderr = process.stderr.write.bind(process.stderr);
  before(async () => {
    process.env["GROUNDWORK_STATE_DIR"] = home;
    server = await sealedBy(transit);
    await server.start();
    const where = platform(server.address);
    await ensureInitialised([server.client()], kube, where);
    await patiently(async () => assert.equal((await server.client().health()).standby, false));
    const root = server.client().as(recovery().rootToken);
    await root.write("sys/audit/file", { type: "file", options: { file_path: path.join(server.folder, "audit.log") } });
    await ensureMounts(root);
    await kube.writeConfigMap("vault-authority", { "ca.crt": await ensureAuthorities(root, kube, where) });
    await setUpWithRoot(server.client(), kube, where, recovery(), outside);
    await kube.writeSecret("vault-bootstrap-keys", { unsealKey: "an unseal key" });
    await kube.writeSecret("vault-bootstrap-copy", { snapshot: "a copy", taken: "2027-01-01T00:00:00Z" });
  });
  beforeEach(() => {
    said = "";
    process.stderr.write = (chunk: string | Uint8Array): boolean => {
      said += chunk.toString();
      return true;
    };
  });
  afterEach(() => {
    process.stderr.write = stderr;
    const secrets = [...keysOf(recovery()), recovery().rootCaKey ?? "no key"];
    if (fs.existsSync(keysFile(stack))) secrets.push(...readKeys(stack).recoveryKeys);
    for (const secret of secrets) assert.ok(!said.includes(secret), "a secret was printed");
  });
  after(async () => {
    delete process.env["GROUNDWORK_STATE_DIR"];
    await server.remove();
    await transit.remove();
    fs.rmSync(home, { recursive: true });
  });

  it("gets a root token into a file, and ends it", async () => {
    await rootToken(cluster, stack);
    const token = fs.readFileSync(rootTokenFile(stack), "utf8").trim();
    assert.equal(mode(rootTokenFile(stack)), "600");
    assert.ok(!said.includes(token));
    assert.deepEqual((await server.client().as(token).read("auth/token/lookup-self"))?.data?.["policies"], ["root"]);
    await assert.rejects(rootToken(cluster, stack), /there is a root token already/);
    await revokeRootToken(cluster, stack);
    await assert.rejects(server.client().as(token).read("auth/token/lookup-self"), /403/);
    await assert.rejects(revokeRootToken(cluster, stack), /there is no root token/);
  });

  it("rotates keys that lie in the cluster, there", async () => {
    const before = keysOf(recovery());
    await rotateRecoveryKeys(cluster, stack);
    const now = keysOf(recovery());
    assert.equal(now.filter((key) => before.includes(key)).length, 0);
    await assert.rejects(generateRoot(server.client(), before.slice(0, 3)));
    await server
      .client()
      .as(await generateRoot(server.client(), now))
      .write("auth/token/revoke-self");
  });

  it("takes over the keys, which are then nowhere else", async () => {
    const before = { ...recovery() };
    await handOver(cluster, stack);
    assert.deepEqual(Object.keys(recovery()), ["handedOver"]);
    const kept = readKeys(stack);
    assert.deepEqual([kept.recoveryKeys, kept.rootCaKey], [JSON.parse(before.keys!), before.rootCaKey]);
    assert.equal(kept.bootstrap.unsealKey, "an unseal key");
    assert.equal(mode(keysFile(stack)), "600");
    await assert.rejects(handOver(cluster, stack), /were handed over at/);
  });

  it("rotates keys that were handed over, in the file", async () => {
    const before = readKeys(stack).recoveryKeys;
    await rotateRecoveryKeys(cluster, stack);
    assert.notDeepEqual(readKeys(stack).recoveryKeys, before);
    assert.deepEqual(Object.keys(recovery()), ["handedOver"]);
    await rootToken(cluster, stack);
    await revokeRootToken(cluster, stack);
  });

  it("is told where the file is missing, readable for others, or of something else", async () => {
    const file = keysFile(stack);
    const text = fs.readFileSync(file);
    fs.chmodSync(file, 0o644);
    await assert.rejects(rootToken(cluster, stack), /can be read by others/);
    fs.chmodSync(file, 0o600);
    fs.writeFileSync(file, "{}");
    await assert.rejects(rootToken(cluster, stack), /is no file of recovery keys/);
    fs.rmSync(file);
    await assert.rejects(rootToken(cluster, stack), /bring it back first/);
    fs.writeFileSync(file, text, { mode: 0o600 });
  });

  it("takes the root authority offline and brings it back for a new intermediate", async () => {
    const asRoot = async () => server.client().as(await generateRoot(server.client(), readKeys(stack).recoveryKeys));
    await takeRootOffline(cluster, stack);
    const root = await asRoot();
    assert.deepEqual(await root.list("pki-root/keys"), []);
    await assert.rejects(takeRootOffline(cluster, stack), /offline already/);
    await root.write("pki/config/issuers", { default: "" }).catch(() => undefined);
    for (const issuer of await root.list("pki/issuers")) await root.remove(`pki/issuer/${issuer}`);
    await assert.rejects(renewAuthorities(root), /sign-intermediate/);
    await bringRootOnline(cluster, stack);
    await renewAuthorities(root);
    assert.equal((await root.list("pki/issuers")).length, 2);
    await assert.rejects(bringRootOnline(cluster, stack), /is in Vault/);
    await root.write("auth/token/revoke-self");
  });

  it("restores a snapshot, and is told where a file is none", async () => {
    const root = server.client().as(await generateRoot(server.client(), readKeys(stack).recoveryKeys));
    await root.write("kv/data/note", { data: { text: "before" } });
    const { body } = await root.raw("GET", "sys/storage/raft/snapshot");
    const file = path.join(home, "a.snap");
    fs.writeFileSync(file, body);
    await root.write("kv/data/note", { data: { text: "after" } });
    await assert.rejects(restoreSnapshot(cluster, stack, undefined, true), /say which/);
    await assert.rejects(restoreSnapshot(cluster, stack, path.join(home, "none"), true), /there is no file/);
    fs.writeFileSync(path.join(home, "junk"), "junk");
    await assert.rejects(restoreSnapshot(cluster, stack, path.join(home, "junk"), true), /junk: /);
    await restoreSnapshot(cluster, stack, file, true);
    const answer = await patiently(() => root.request("GET", "kv/data/note"));
    assert.deepEqual((answer.data as { data: object }).data, { text: "before" });
  });

  it("gives the bootstrap Vault back what it lost, and no older copy", async () => {
    kube.objects.delete("secret/vault-bootstrap-keys");
    await putBack(cluster, stack);
    assert.equal(kube.objects.get("secret/vault-bootstrap-keys")?.["unsealKey"], "an unseal key");
    await kube.writeSecret("vault-bootstrap-copy", { snapshot: "a younger copy" });
    await putBack(cluster, stack);
    assert.equal(kube.objects.get("secret/vault-bootstrap-copy")?.["snapshot"], "a younger copy");
    kube.objects.delete("secret/vault-bootstrap-copy");
    await putBack(cluster, stack);
    assert.equal(kube.objects.get("secret/vault-bootstrap-copy")?.["snapshot"], "a copy");
  });
});
