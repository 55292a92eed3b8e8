import { strict as assert } from "node:assert";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BootstrapKeeper } from "../../../apps/keeper/src/bootstrap/bootstrap";
import type { Bootstrap } from "../../../apps/keeper/src/bootstrap/options";
import { readStanza } from "../../../apps/keeper/src/seal";
import { KubeDouble, VaultServer } from "./server";

describe("the bootstrap Vault and its keeper", function () {
  this.timeout(90_000);
  const server = new VaultServer();
  const kube = new KubeDouble();
  const signals: NodeJS.Signals[] = [];
  const options = (): Bootstrap => ({
    vault: server.client(),
    kube,
    store: server.store,
    keys: "keys",
    copy: "copy",
    seal: { namespace: "vault", secret: "seal", address: server.address, caFile: "/ca.crt" },
    certificate: "/none",
    port: 0,
    signal: (signal) => signals.push(signal) > 0,
  });
  let keeper: BootstrapKeeper;
  const state = (): string => (keeper.status as { state: string }).state;

  /** Turns until it is ready, or in that state. */
  async function turnUntil(wanted: string): Promise<void> {
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; await sleep(200)) {
      await keeper.turn().catch(() => undefined);
      if (wanted === "unsealed" ? keeper.ready : state() === wanted) return;
    }
    assert.fail(`it is ${JSON.stringify(keeper.status)}, and not ${wanted}`);
  }
  const secret = (name: string) => kube.objects.get(`secret/${name}`) ?? {};
  const primary = () => server.client().as(readStanza(secret("seal")["seal.hcl"]!).token);
  const encrypt = async (): Promise<string> => {
    const plaintext = Buffer.from("kept").toString("base64");
    return (await primary().write("transit/encrypt/autounseal", { plaintext })).data?.["ciphertext"] as string;
  };
  const decrypt = async (ciphertext: string): Promise<string> => {
    const { data } = await primary().write("transit/decrypt/autounseal", { ciphertext });
    return Buffer.from(data?.["plaintext"] as string, "base64").toString();
  };
  let ciphertext = "";

  before(() => server.start());
  beforeEach(() => (keeper = new BootstrapKeeper(options())));
  after(() => server.remove());

  it("is initialised, unsealed, and gives the primary a token", async () => {
    await turnUntil("unsealed");
    ciphertext = await encrypt();
    assert.equal(await decrypt(ciphertext), "kept");
  });

  it("keeps no root token, and the primary may do nothing but encrypt and decrypt", async () => {
    assert.deepEqual(Object.keys(secret("keys")).sort(), ["roleId", "secretId", "unsealKey"]);
    await assert.rejects(primary().read("sys/mounts"), /403/);
    await assert.rejects(primary().read("transit/keys/autounseal"), /403/);
  });

  it("is unsealed again after it was killed", async () => {
    const before = secret("seal")["seal.hcl"];
    await server.restart();
    assert.equal((await server.client().health()).sealed, true);
    await turnUntil("unsealed");
    assert.equal(secret("seal")["seal.hcl"], before, "a token that is good stays");
  });

  it("mints another token where the primary's is worth nothing", async () => {
    const before = readStanza(secret("seal")["seal.hcl"]!).token;
    await primary().write("auth/token/revoke-self");
    await turnUntil("unsealed");
    assert.notEqual(readStanza(secret("seal")["seal.hcl"]!).token, before);
    assert.equal(await decrypt(ciphertext), "kept");
  });

  it("makes itself a new login where its own is lost", async () => {
    await kube.writeSecret("keys", { roleId: null, secretId: null });
    await turnUntil("unsealed");
    assert.deepEqual(Object.keys(secret("keys")).sort(), ["roleId", "secretId", "unsealKey"]);
  });

  it("is restored where its data is lost", async () => {
    await server.stop();
    fs.rmSync(path.dirname(server.store), { recursive: true });
    await server.start();
    await turnUntil("unsealed");
    assert.equal(await decrypt(ciphertext), "kept");
  });

  it("begins a restore again that was cut off", async () => {
    await server.stop();
    fs.rmSync(path.dirname(server.store), { recursive: true });
    await server.start();
    // What a keeper leaves that is killed right after the first step.
    fs.writeFileSync(path.join(path.dirname(server.store), "restoring"), "");
    await server.client().request("PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 });
    signals.length = 0;
    await keeper.turn();
    assert.deepEqual(signals, ["SIGKILL"]);
    await server.restart();
    await turnUntil("unsealed");
    assert.equal(await decrypt(ciphertext), "kept");
  });

  it("says so where its key is wrong, and opens with the right one", async () => {
    const right = secret("keys")["unsealKey"]!;
    await kube.writeSecret("keys", { unsealKey: Buffer.alloc(32, 7).toString("base64") });
    await server.restart();
    await turnUntil("wrong-unseal-key");
    await kube.writeSecret("keys", { unsealKey: right });
    await turnUntil("unsealed");
    assert.equal(await decrypt(ciphertext), "kept");
  });

  it("says so where its key is gone, and touches nothing", async () => {
    const keys = secret("keys");
    kube.objects.delete("secret/keys");
    await server.restart();
    signals.length = 0;
    await turnUntil("unseal-key-missing");
    assert.deepEqual(signals, []);
    kube.objects.set("secret/keys", keys);
    await turnUntil("unsealed");
    assert.equal(await decrypt(ciphertext), "kept");
  });

  it("says so where data and copy are lost, and does not begin anew", async () => {
    await server.stop();
    fs.rmSync(path.dirname(server.store), { recursive: true });
    await server.start();
    kube.objects.delete("secret/copy");
    await turnUntil("storage-lost");
    assert.equal((await server.client().health()).initialized, false);
  });

  it("begins anew where the answer to the initialisation was lost", async () => {
    const fresh = new VaultServer();
    await fresh.start();
    try {
      await fresh.client().request("PUT", "sys/init", { secret_shares: 1, secret_threshold: 1 });
      const empty = new KubeDouble();
      keeper = new BootstrapKeeper({ ...options(), vault: fresh.client(), kube: empty, store: fresh.store });
      signals.length = 0;
      await keeper.turn();
      assert.deepEqual(signals, ["SIGKILL"]);
      await fresh.restart();
      await turnUntil("unsealed");
      assert.ok(empty.objects.get("secret/keys")?.["unsealKey"]);
    } finally {
      await fresh.remove();
    }
  });
});
