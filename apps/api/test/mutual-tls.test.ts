import * as assert from "node:assert/strict";
import { randomBytes, X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { Client, escapeLiteral } from "pg";
import { leasedUser } from "../../../components/data/leased-user";
import { Authority, replaceFile } from "./helpers/authority";
import { load } from "./helpers/load";
import { type MountedSecret, Postgres } from "./helpers/postgres";
import { type Running, ask, databaseName, running, until } from "./helpers/service";
import { Valkey } from "./helpers/valkey";

/** A certificate's serial number as PostgreSQL shows it. */
const decimal = (certificate: X509Certificate): string => BigInt(`0x${certificate.serialNumber}`).toString();

/** Changes an item all the time; what failed, and what was written last. */
function change(url: string): () => Promise<{ failed: number[]; last: number }> {
  let on = true;
  let last = 0;
  const failed: number[] = [];
  const lane = (async () => {
    while (on) {
      const { status } = await ask(url, "PATCH", { quantity: last + 1 });
      if (status === 200) last++;
      else failed.push(status);
    }
  })();
  return async () => {
    on = false;
    await lane;
    return { failed, last };
  };
}

describe("mutual TLS", function () {
  this.timeout(60_000);
  const server = new Postgres(true);
  const cache = new Valkey(server.authority);
  /** What Vault Agent would write to. */
  const agent = path.join(server.folder, "agent");
  const files = { login: path.join(agent, "db.json"), certificate: path.join(agent, "client.pem") };
  let secret: MountedSecret;
  let service: Running;

  const newCertificate = (authority = server.authority): string => {
    const { cert, key } = authority.issue({ commonName: "api" });
    replaceFile(files.certificate, cert + key);
    return decimal(new X509Certificate(cert));
  };
  /** A user as Vault makes one, in PostgreSQL 15's words: what differs is who may grant what. */
  const lease = async (): Promise<string> => {
    const name = `v-api-${randomBytes(4).toString("hex")}`;
    const password = randomBytes(9).toString("base64");
    const values = { "{{name}}": name, "{{password}}": password, "{{expiration}}": "2100-01-01 00:00:00+00" };
    for (const statement of leasedUser(secret.name).create.slice(0, 2)) {
      await server.sql(Object.entries(values).reduce((text, [mark, value]) => text.replaceAll(mark, value), statement));
    }
    replaceFile(files.login, JSON.stringify({ username: name, password }));
    return name;
  };
  const revoke = (name: string): Promise<unknown> =>
    server.sql(leasedUser(secret.name).revoke[0]!.replaceAll("{{name}}", name), secret.name);
  const sessions = async (user: string): Promise<{ serial: string }[]> =>
    (await server.sql(
      `SELECT s.client_serial::text AS serial FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
       WHERE a.usename = ${escapeLiteral(user)}`,
    )) as { serial: string }[];
  const shown = (user: string) => async () => (await sessions(user)).map(({ serial }) => serial);
  const metrics = async (): Promise<string> =>
    (await fetch(`http://127.0.0.1:${service.operationsPort}/metrics`)).text();

  before(async () => {
    await server.start();
    await cache.start();
    fs.mkdirSync(agent);
    secret = await server.makeDatabase(databaseName());
    newCertificate();
    await lease();
    // The owner's login is not needed any more.
    fs.rmSync(path.join(secret.folder, "password"));
    const env = {
      DB_LOGIN: files.login,
      DB_CA: server.caFile,
      CLIENT_CERT: files.certificate,
      CACHE_DIR: cache.login,
      CACHE_CA: server.caFile,
      OPERATIONS_PORT: "0",
    };
    service = await running(env, secret, true, server);
    await until("the cache", metrics, (text) => text.includes("groundwork_api_cache_up 1"));
  });
  after(async () => {
    await service?.end();
    await cache.stop();
    await server.stop();
  });

  it("is asked for by the database: no session without TLS, none without a certificate", async () => {
    const { username, password } = JSON.parse(fs.readFileSync(files.login, "utf8")) as Record<string, string>;
    const connect = async (ssl: object | false): Promise<void> => {
      const client = new Client({
        host: "localhost",
        port: server.port,
        user: username,
        password,
        database: secret.name,
        ssl,
      });
      client.on("error", () => undefined);
      await client.connect();
      await client.end();
    };
    const { cert, key } = server.authority.issue({ commonName: "stranger" });
    const foreign = new Authority(path.join(server.folder, "foreign")).issue({ commonName: "api" });
    await assert.rejects(connect(false), { code: "28000" });
    await assert.rejects(connect({ ca: server.authority.pem }), { code: "28000" });
    await assert.rejects(connect({ ca: server.authority.pem, ...foreign }));
    await connect({ ca: server.authority.pem, cert, key });
  });

  it("is asked for by the cache: no answer without TLS, none without a certificate, little without a password", async () => {
    const client = server.authority.issue({ commonName: "api" });
    await assert.rejects(cache.say(["PING"]), /certificate required|ECONNRESET|handshake|EPIPE/);
    const plain = await new Promise<string>((resolve) => {
      const socket = new net.Socket();
      let answer = "";
      socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
      socket.on("error", () => undefined);
      socket.on("close", () => resolve(answer));
      socket.connect(cache.port, "127.0.0.1", () => socket.write("PING\r\n"));
    });
    assert.doesNotMatch(plain, /PONG/);
    assert.match(await cache.say(["GET x"], client), /NOAUTH/);
    const answers = await cache.ask(
      ["SET a b PX 1000", "GET a", "KEYS *", "FLUSHALL", "CONFIG GET *", "DEBUG SLEEP 0"],
      client,
    );
    assert.equal(answers.match(/\+OK/g)?.length, 3, answers);
    assert.match(answers, /\$1\r\nb/);
    assert.equal(answers.match(/-NOPERM|-ERR DEBUG/g)?.length, 4, answers);
  });

  it("rotates certificate and login under load without a failed request", async () => {
    const { body } = await ask(`${service.url}/items`, "POST", { name: "read all the time", quantity: 1 });
    const stop = load(service.url, 12, true);
    const reads = load(`${service.url}/items/${body.id}?x=`, 2, false);
    const changes = change(`${service.url}/items/${body.id}`);
    const login = JSON.parse(fs.readFileSync(files.login, "utf8")) as { username: string };
    const first = login.username;

    // A new certificate alone: the same user, other connections.
    const serial = newCertificate();
    await until("the new certificate", shown(first), (all) => all.length > 0 && all.every((one) => one === serial));
    const cached = await until("the cache's look", metrics, (text) =>
      text.includes('groundwork_api_cache_credential_reloads_total{outcome="rotated"} 2'),
    );
    assert.match(cached, /groundwork_api_cache_up 1/);

    // A new user: the old one's lease ends when nobody uses it any more.
    const second = await lease();
    await until("sessions of the second user", shown(second), (all) => all.length > 0);
    await until("no sessions of the first", shown(first), (all) => all.length === 0);
    await revoke(first);

    // A lease that ends early: sessions are cut off, and the next login comes a moment later.
    await revoke(second);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const third = await lease();
    await until("sessions of the third user", shown(third), (all) => all.length > 0);

    // The cache's own certificate, as its reloader does it.
    const client = server.authority.issue({ commonName: "probe" });
    const before = await cache.serial(client);
    cache.writeCertificate();
    assert.match(await cache.reload(client), /^\+OK\r\n\+OK/);
    assert.notEqual(await cache.serial(client), before);

    await new Promise((resolve) => setTimeout(resolve, 300));
    const counts = [await stop(), await reads()];
    assert.deepEqual(Object.keys({ ...counts[0], ...counts[1] }).sort(), ["200", "201"], JSON.stringify(counts));
    const { failed, last } = await changes();
    assert.deepEqual(failed, [], "changes were done, in spite of sessions that were cut off");
    assert.equal((await ask(`${service.url}/items/${body.id}`)).body.quantity, last);
    assert.match(await metrics(), /database_credential_reloads_total\{outcome="rotated"\} 3/);
    const users = await server.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-api-%'");
    assert.deepEqual(users, [{ rolname: third }]);
    const owners = await server.sql(
      "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'",
      secret.name,
    );
    assert.deepEqual(owners, [{ tableowner: secret.name }], "what a leased user makes belongs to the owner");
  });

  it("follows a new authority: both are trusted first, then the servers change over", async () => {
    const next = new Authority(path.join(server.folder, "next"));
    const probe = server.authority.issue({ commonName: "probe" });
    const stop = load(service.url, 4, true);
    const reload = () => server.sql("SELECT pg_reload_conf()");
    const both = server.authority.pem + next.pem;
    replaceFile(server.caFile, both);
    server.writeCertificate(server.authority, both);
    cache.writeCertificate(server.authority, both);
    await Promise.all([reload(), cache.reload(probe)]);
    await until("trust in both", metrics, (text) =>
      /database_credential_reloads_total\{outcome="rotated"\} 4/.test(text),
    );
    server.writeCertificate(next, both);
    cache.writeCertificate(next, both);
    await Promise.all([reload(), cache.reload(probe)]);
    const serial = newCertificate(next);
    const { username } = JSON.parse(fs.readFileSync(files.login, "utf8")) as { username: string };
    await until(
      "sessions by certificates of the next authority",
      shown(username),
      (all) => all.length > 0 && all.every((one) => one === serial),
    );
    await until("the cache", metrics, (text) => text.includes("groundwork_api_cache_up 1"));
    const counts = await stop();
    assert.deepEqual(Object.keys(counts).sort(), ["200", "201"], JSON.stringify(counts));
  });

  it("keeps what works when the agent's files are unusable, and says when its certificate ends", async () => {
    const good = fs.readFileSync(files.certificate, "utf8");
    const other = server.authority.issue({ commonName: "api" });
    replaceFile(files.certificate, server.authority.issue({ commonName: "api" }).cert + other.key);
    await until(
      "the look at the files",
      async () => service.logs.join(""),
      (text) => text.includes("is not the one of the certificate"),
    );
    assert.equal((await ask(`${service.url}/items`)).status, 200);
    replaceFile(files.certificate, good);
    const end = Number(/^groundwork_api_client_certificate_not_after_seconds (\d+)$/m.exec(await metrics())![1]);
    assert.equal(end, Date.parse(new X509Certificate(good).validTo) / 1000);
    const { password } = JSON.parse(fs.readFileSync(files.login, "utf8")) as { password: string };
    const logs = service.logs.join("");
    assert.ok(!logs.includes(password) && !logs.includes("PRIVATE KEY"));
  });

  it("keeps metrics on the port for operations, which answers probes too", async () => {
    const base = `http://127.0.0.1:${service.operationsPort}`;
    assert.equal((await ask(`${service.url}/metrics`)).status, 404);
    assert.equal((await ask(`${base}/readyz`)).status, 200);
    assert.equal((await ask(`${base}/healthz`)).status, 200);
    assert.equal((await ask(`${base}/items`)).status, 404);
    const { text } = await ask(`${service.url}/openapi.json`);
    assert.ok(!text.includes("/metrics"));
  });
});
