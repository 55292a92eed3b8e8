import { strict as assert } from "node:assert";
import * as fs from "node:fs";
import * as path from "node:path";
import { X509Certificate } from "node:crypto";
import { Client } from "pg";
import { Postgres } from "../../../apps/api/test/helpers/postgres";
import { applyDocument } from "../../../apps/keeper/src/configure/apply";
import { setUpWithRoot } from "../../../apps/keeper/src/configure/base";
import { documentSchema, type Platform } from "../../../apps/keeper/src/configure/document";
import { ensureInitialised, keysOf, NotYetError, Recovery } from "../../../apps/keeper/src/configure/initialise";
import { ensureMounts } from "../../../apps/keeper/src/configure/mounts";
import { ensureAuthorities } from "../../../apps/keeper/src/configure/pki";
import { checkSnapshot } from "../../../apps/keeper/src/snapshot";
import { Transport, VaultClient } from "../../../apps/keeper/src/vault/client";
import { generateRoot } from "../../../apps/keeper/src/vault/root";
import { planBaseDocument } from "../../../components/secrets/vault-base";
import { outside, patiently, platform, sealedBy } from "./primary";
import { KubeDouble, VaultServer } from "./server";

/** The answer to the n-th request is lost: it was carried out, and whoever asked is killed. */
const losing =
  (answers: number) =>
  (send: Transport): Transport => {
    let count = 0;
    return async (api, call) => {
      const answer = await send(api, call);
      count += 1;
      if (count > answers) throw new Error("killed");
      return answer;
    };
  };

describe("the primary Vault and its keeper", function () {
  this.timeout(120_000);
  const transit = new VaultServer();
  const kube = new KubeDouble();
  let server: VaultServer;
  let where: Platform;
  const recovery = () => (kube.objects.get("secret/vault-recovery") ?? {}) as Recovery;

  before(async () => {
    server = await sealedBy(transit);
    await server.start();
    where = platform(server.address);
  });
  after(async () => {
    await server.remove();
    await transit.remove();
  });

  /** A token with the keeper's policy, as its login would give: there is no API server here to log in by. */
  async function keeperToken(): Promise<string> {
    const root = server.client().as(await generateRoot(server.client(), keysOf(recovery())));
    const { auth } = await root.write("auth/token/create", {
      policies: ["keeper"],
      no_default_policy: true,
      no_parent: true,
    });
    await root.write("auth/token/revoke-self");
    return auth?.client_token as string;
  }
  let token = "";
  const keeper = (between?: (send: Transport) => Transport): VaultClient => server.client(between).as(token);

  it("begins anew where the answer to the initialisation was lost", async () => {
    await assert.rejects(ensureInitialised([server.client(losing(1))], kube, where), /killed/);
    assert.equal((await server.client().health()).initialized, true);
    assert.equal(recovery().keys, undefined);
    await assert.rejects(ensureInitialised([server.client()], kube, where), NotYetError);
    assert.equal(kube.objects.get("configmap/vault-state")?.["generation"], "1");
    // What the guard does when it sees the count.
    await server.stop();
    fs.rmSync(server.store, { recursive: true });
    await server.start();
  });

  it("is initialised with its keys in their Secret, and then left alone", async () => {
    const made = await ensureInitialised([server.client()], kube, where);
    assert.equal(keysOf(made).length, 5);
    const again = await ensureInitialised([server.client()], kube, where);
    assert.deepEqual(again, recovery());
    assert.equal(kube.objects.get("configmap/vault-state")?.["phase"], "initialised");
  });

  it("loses its root token once the keeper is set up", async () => {
    const before = recovery().rootToken as string;
    await patiently(async () => assert.equal((await server.client().health()).standby, false));
    const root = server.client().as(before);
    // The audit log's folder exists in pods only.
    await root.write("sys/audit/file", { type: "file", options: { file_path: path.join(server.folder, "audit.log") } });
    await setUpWithRoot(server.client(), kube, where, recovery(), outside);
    await assert.rejects(root.read("auth/token/lookup-self"), /403/);
    assert.deepEqual(Object.keys(recovery()), ["keys"]);
    token = await keeperToken();
  });

  it("goes on where it was killed between revoking the root token and forgetting it", async () => {
    await setUpWithRoot(server.client(), kube, where, { ...recovery(), rootToken: "hvs.forgotten" }, outside);
    assert.deepEqual(Object.keys(recovery()), ["keys"]);
  });

  it("gets mounts and authorities, with no more than the keeper's policy", async () => {
    await ensureMounts(keeper());
    const root = new X509Certificate(await ensureAuthorities(keeper(), kube, where));
    const years = (Date.parse(root.validTo) - Date.now()) / (365 * 86_400_000);
    assert.ok(years > 9.9 && years < 10.1, `the root lives ${years} years`);
    assert.ok(recovery().rootCaKey?.includes("EC PRIVATE KEY"));
  });

  it("issues certificates whose chain ends at the root", async () => {
    const document = documentSchema.parse(planBaseDocument(["api", "streaming_replica"]));
    await applyDocument(keeper(), "base", document);
    const root = server.client().as(await generateRoot(server.client(), keysOf(recovery())));
    const names = { server: "app-db-rw.app.svc", client: "streaming_replica" };
    for (const [role, name] of Object.entries(names)) {
      const { data } = await root.write(`pki/issue/${role}`, { common_name: name });
      const chain = [data?.["certificate"], ...(data?.["ca_chain"] as string[])].map(
        (pem) => new X509Certificate(pem as string),
      );
      assert.equal(chain.length, 3);
      assert.ok(chain[0]!.verify(chain[1]!.publicKey) && chain[1]!.verify(chain[2]!.publicKey));
      const authority =
        kube.objects.get("configmap/vault-authority")?.["ca.crt"] ?? (await ensureAuthorities(keeper(), kube, where));
      assert.equal(chain[2]!.fingerprint256, new X509Certificate(authority).fingerprint256);
    }
    await assert.rejects(root.write("pki/issue/server", { common_name: "example.org" }), /not allowed/);
    await assert.rejects(root.write("pki/issue/client", { common_name: "admin" }), /not allowed/);
    await root.write("auth/token/revoke-self");
  });

  const document = documentSchema.parse({
    policies: { api: `path "kv/data/api" { capabilities = ["read"] }\n` },
    kubernetesRoles: { api: { serviceAccounts: ["api"], namespaces: ["app"], policies: ["api"] } },
    appRoles: { ci: { policies: ["api"] } },
    pkiRoles: { orders: { allowedDomains: ["orders"], bareDomains: true, client: true, ttl: "24h", maxTtl: "48h" } },
    kv: { api: { key: { length: 64, characters: "hex" } } },
  });

  it("holds what a document says, and a second run changes nothing", async () => {
    const first = await applyDocument(keeper(), "api", document);
    assert.deepEqual(first.changed, [
      "sys/policies/acl/api",
      "pki/roles/orders",
      "auth/kubernetes/role/api",
      "auth/approle/role/ci",
      "kv/api",
    ]);
    const second = await applyDocument(keeper(), "api", document);
    assert.deepEqual([second.changed, second.removed, second.unchanged], [[], [], 5]);
  });

  it("does not let the keeper read secrets", async () => {
    await assert.rejects(keeper().read("kv/data/api"), /403/);
    await assert.rejects(keeper().write("pki/issue/server", { common_name: "a.app.svc" }), /403/);
  });

  it("puts back what someone changed by hand", async () => {
    await keeper().write("pki/roles/orders", { allowed_domains: ["anything"], allow_subdomains: true });
    const outcome = await applyDocument(keeper(), "api", document);
    assert.deepEqual(outcome.changed, ["pki/roles/orders"]);
    assert.deepEqual((await keeper().read("pki/roles/orders"))?.data?.["allowed_domains"], ["orders"]);
  });

  it("loses what a later document of the same name leaves out, and keeps what others made", async () => {
    const outcome = await applyDocument(keeper(), "api", { ...document, appRoles: {}, pkiRoles: {} });
    assert.deepEqual(outcome.removed.sort(), ["auth/approle/role/ci", "pki/roles/orders"]);
    assert.equal(await keeper().read("pki/roles/orders"), undefined);
    assert.ok(await keeper().read("pki/roles/server"));
  });

  it("ends up the same wherever a run is killed, and forgets nothing that it had begun", async () => {
    await applyDocument(keeper(), "api", documentSchema.parse({}));
    for (let requests = 0; requests < 40; requests += 1) {
      const name = `killed-${requests}`;
      const dying = keeper(losing(requests));
      const done = await applyDocument(dying, name, document).then(
        () => true,
        () => false,
      );
      // Whatever was made by then is removed by a document that has nothing of it.
      await applyDocument(keeper(), name, documentSchema.parse({}));
      for (const path of [
        "sys/policies/acl/api",
        "pki/roles/orders",
        "auth/kubernetes/role/api",
        "auth/approle/role/ci",
      ]) {
        assert.equal(await keeper().read(path), undefined, `${path} after ${requests} requests`);
      }
      await applyDocument(keeper(), name, document);
      assert.equal((await applyDocument(keeper(), name, document)).changed.length, 0, `after ${requests} requests`);
      await applyDocument(keeper(), name, documentSchema.parse({}));
      if (done) return;
    }
    assert.fail("no run came to its end");
  });

  it("gives leased logins to a database whose password only it knows", async () => {
    const postgres = new Postgres();
    await postgres.start();
    try {
      const secret = await postgres.makeDatabase("vault");
      await postgres.sql(`ALTER ROLE vault CREATEROLE`);
      const url = `postgresql://{{username}}:{{password}}@localhost:${postgres.port}/vault?sslmode=verify-full`;
      const connection = {
        plugin: "postgresql",
        url,
        allowedRoles: ["app"],
        credential: secret.folder,
        ca: postgres.caFile,
        rotateRoot: true,
      };
      const create = [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`];
      const wanted = documentSchema.parse({
        database: {
          connections: { db: connection },
          roles: { app: { connection: "db", create, defaultTtl: "1h", maxTtl: "2h" } },
        },
      });
      assert.deepEqual((await applyDocument(keeper(), "db", wanted)).changed, [
        "database/roles/app",
        "database/config/db",
      ]);
      assert.deepEqual((await applyDocument(keeper(), "db", wanted)).changed, []);
      const login = (user: string, password: string) => connectTo(postgres.port, user, password);
      await assert.rejects(
        login("vault", fs.readFileSync(path.join(secret.folder, "password"), "utf8")),
        /authentication/,
      );

      const root = server.client().as(await generateRoot(server.client(), keysOf(recovery())));
      const lease = (await root.read("database/creds/app"))?.data as { username: string; password: string };
      await login(lease.username, lease.password);

      // The database is restored to a time before: the file's password is good again, Vault's is not.
      const password = fs.readFileSync(path.join(secret.folder, "password"), "utf8").trim();
      await postgres.sql(`ALTER ROLE vault PASSWORD '${password}'`);
      await root.write("database/reset/db").catch(() => undefined);
      const changed = documentSchema.parse({
        database: { ...wanted.database, connections: { db: { ...connection, allowedRoles: ["app", "other"] } } },
      });
      await applyDocument(keeper(), "db", changed);
      const next = (await root.read("database/creds/app"))?.data as { username: string; password: string };
      await login(next.username, next.password);
      await assert.rejects(login("vault", password), /authentication/);
      await root.write("auth/token/revoke-self");
    } finally {
      await postgres.stop();
    }
  });

  it("unseals itself after it was killed, and gives snapshots that are whole", async () => {
    await server.restart();
    await patiently(async () => assert.equal((await server.client().health()).sealed, false));
    const root = server.client().as(await patiently(() => generateRoot(server.client(), keysOf(recovery()))));
    const { body } = await patiently(() => root.raw("GET", "sys/storage/raft/snapshot"));
    checkSnapshot(body);
    assert.throws(() => checkSnapshot(Buffer.from("no snapshot")), /header/);
    await root.write("auth/token/revoke-self");
  });
});

async function connectTo(port: number, user: string, password: string): Promise<void> {
  const client = new Client({ host: "127.0.0.1", port, user, password: password.trim(), database: "vault" });
  await client.connect();
  await client.end();
}
