import * as assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import * as fs from "node:fs";
import * as http from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import { type MountedSecret, type Postgres, freePort, postgres } from "./helpers/postgres";
import { ask, databaseName, until } from "./helpers/service";

const api = path.resolve(__dirname, "..");

/** The options that the README names for a small footprint. */
const MEMORY = ["--max-old-space-size=64", "--max-semi-space-size=1", "--v8-pool-size=1"];

/** A process that runs the bundle. */
interface Instance {
  url: string;
  child: ChildProcess;
  output: () => string;
  exited: Promise<number | null>;
}

/**
 * What a Service with readiness probes does: sends each request to one of the ready instances, over connections that
 * are kept, and looks at readiness ten times a second.
 */
class Balancer {
  private readonly agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  private ready: Instance[] = [];
  private next = 0;
  private readonly timer: NodeJS.Timeout;
  readonly failures: string[] = [];
  answered = 0;

  constructor(private readonly instances: Instance[]) {
    this.timer = setInterval(() => void this.look(), 100);
  }

  async look(): Promise<void> {
    const states = await Promise.all(
      this.instances.map((one) =>
        ask(`${one.url}/readyz`).then(
          ({ status }) => status === 200,
          () => false,
        ),
      ),
    );
    this.ready = this.instances.filter((_, index) => states[index]);
  }

  send(method: string, target: string, body?: string): Promise<void> {
    const instance = this.ready[this.next++ % this.ready.length];
    return new Promise((resolve) => {
      const done = (failure?: string): void => {
        if (failure) this.failures.push(failure);
        else this.answered++;
        resolve();
      };
      if (!instance) return done("nobody is ready");
      const headers = body ? { "content-type": "application/json" } : {};
      const request = http.request(instance.url + target, { method, agent: this.agent, headers }, (response) => {
        response.resume();
        response.once("end", () => done(response.statusCode! < 300 ? undefined : `${method} ${response.statusCode}`));
      });
      request.once("error", (error) => done(`${method} ${(error as NodeJS.ErrnoException).code}`));
      request.end(body);
    });
  }

  stop(): void {
    clearInterval(this.timer);
    this.agent.destroy();
  }
}

describe("the bundle", function () {
  this.timeout(60_000);
  let server: Postgres;
  let secret: MountedSecret;
  let folder: string;
  let bundle: string;
  const children: ChildProcess[] = [];

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-bundle-"));
    bundle = path.join(folder, "server.cjs");
    execFileSync(process.execPath, [path.join(api, "bundle.mjs"), bundle]);
    server = await postgres();
    secret = await server.makeDatabase(databaseName());
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill("SIGKILL");
  });
  after(() => {
    secret.remove();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  async function start(env: NodeJS.ProcessEnv = {}): Promise<Instance> {
    const port = await freePort();
    // Nothing of the test's environment: what the process needs is what is written here.
    const child = spawn(process.execPath, [...MEMORY, bundle], {
      cwd: "/",
      env: { PORT: String(port), DB_DIR: secret.folder, DB_CA: server.caFile, DRAIN_DELAY_MS: "600", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    children.push(child);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
    const exited = once(child, "close").then(([code]) => code as number | null);
    return { url: `http://localhost:${port}`, child, output: () => output, exited };
  }

  const ready = (instance: Instance) =>
    until(
      "ready",
      () => ask(`${instance.url}/readyz`).catch(() => ({ status: 0 })),
      ({ status }) => status === 200,
    );

  it("is the same for the same sources, and knows its version", async () => {
    const again = path.join(folder, "again.cjs");
    execFileSync(process.execPath, [path.join(api, "bundle.mjs"), again], { cwd: "/" });
    const digest = (file: string) => createHash("sha256").update(fs.readFileSync(file)).digest("hex");
    assert.equal(digest(again), digest(bundle));
    assert.ok(!fs.readFileSync(bundle, "utf8").includes(path.resolve(api, "../..")), "no path of this machine");
    const instance = await start();
    await ready(instance);
    const { version } = JSON.parse(fs.readFileSync(path.join(api, "package.json"), "utf8")) as { version: string };
    assert.equal((await ask(`${instance.url}/healthz`)).body.version, version);
  });

  it("hands over to another instance on SIGTERM under load without one failed request", async () => {
    const [leaving, staying] = [await start(), await start()];
    await Promise.all([ready(leaving), ready(staying)]);
    const balancer = new Balancer([leaving, staying]);
    await balancer.look();
    let on = true;
    const lanes = Array.from({ length: 12 }, async (_, lane) => {
      for (let n = lane; on; n++) {
        await (n % 3 === 0
          ? balancer.send("POST", "/items", '{"name":"load","quantity":1}')
          : balancer.send("GET", "/items?limit=5"));
      }
    });
    const answered = (count: number) =>
      until(
        "the load",
        async () => balancer.answered,
        (now) => now >= count,
      );
    await answered(100);
    const signalled = Date.now();
    leaving.child.kill("SIGTERM");
    const code = await leaving.exited;
    const took = Date.now() - signalled;
    await answered(balancer.answered + 100);
    on = false;
    await Promise.all(lanes);
    balancer.stop();
    assert.deepEqual(balancer.failures, []);
    assert.equal(code, 0);
    assert.ok(took >= 600 && took < 5000, `took ${took} ms`);
    assert.match(leaving.output(), /"msg":"stopped"/);
    const left = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = '${secret.name}'`;
    await until(
      "only the staying one's connections",
      () => server.sql(left),
      ([row]) => (row!["n"] as number) <= 10,
    );
  });

  it("answers a request that was in hand when the signal came", async () => {
    const instance = await start({ DRAIN_DELAY_MS: "50" });
    await ready(instance);
    await server.sql("BEGIN; LOCK TABLE items; SELECT pg_sleep(1); COMMIT", secret.name).catch(() => undefined);
    const blocked = server.sql("BEGIN; LOCK TABLE items; SELECT pg_sleep(1.2); COMMIT", secret.name);
    await new Promise((resolve) => setTimeout(resolve, 150));
    const slow = ask(`${instance.url}/items`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    instance.child.kill("SIGTERM");
    assert.equal((await slow).status, 200);
    assert.equal(await instance.exited, 0);
    await blocked;
  });

  it("ends within its limit whatever hangs", async () => {
    const instance = await start({ DRAIN_DELAY_MS: "0", SHUTDOWN_TIMEOUT_MS: "700" });
    await ready(instance);
    const lock = server.sql("BEGIN; LOCK TABLE items; SELECT pg_sleep(2.5); COMMIT", secret.name);
    await new Promise((resolve) => setTimeout(resolve, 150));
    const hanging = ask(`${instance.url}/items`).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const signalled = Date.now();
    instance.child.kill("SIGTERM");
    assert.equal(await instance.exited, 1);
    assert.ok(Date.now() - signalled < 1500);
    assert.match(instance.output(), /shutdown took too long/);
    await Promise.all([hanging, lock]);
  });

  it("starts while the database is away, is alive, and becomes ready by itself", async () => {
    await server.down();
    const instance = await start();
    const alive = await until(
      "alive",
      () => ask(`${instance.url}/healthz`).catch(() => ({ status: 0 })),
      ({ status }) => status === 200,
    );
    assert.equal(alive.status, 200);
    assert.equal((await ask(`${instance.url}/readyz`)).body.phase, "migrating");
    await server.up();
    await ready(instance);
  });

  it("says in one line each what is wrong with its settings", async () => {
    const instance = await start({ PORT: "70000", DB_TLS: "maybe" });
    assert.equal(await instance.exited, 1);
    assert.equal(
      instance.output(),
      'groundwork-api: PORT is "70000": it must be a whole number from 0 to 65535\n' +
        'DB_TLS is "maybe": it must be one of verify-full, off\n',
    );
    const blind = await start({ DB_DIR: "/nowhere" });
    assert.equal(await blind.exited, 1);
    assert.equal(blind.output(), "groundwork-api: cannot read /nowhere/host: ENOENT\n");
    const bare = await start({ DB_CA: "/nowhere/ca.crt" });
    assert.equal(await bare.exited, 1);
    assert.match(bare.output(), /cannot read the CA \/nowhere\/ca.crt: ENOENT \(set DB_TLS=off/);
  });

  it("rests in less than 80 MiB", async () => {
    const instance = await start();
    await ready(instance);
    for (let n = 0; n < 200; n++) {
      await ask(`${instance.url}/items`, n % 4 ? "GET" : "POST", n % 4 ? undefined : { name: "m", quantity: n });
    }
    const { text } = await ask(`${instance.url}/metrics`);
    const bytes = Number(/process_resident_memory_bytes (\d+)/.exec(text)![1]);
    assert.ok(bytes < 80 * 2 ** 20, `${(bytes / 2 ** 20).toFixed(1)} MiB`);
  });
});
