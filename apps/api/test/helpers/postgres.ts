import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, escapeIdentifier, escapeLiteral } from "pg";
import { Authority } from "./authority";
import { installPackages } from "./packages";

/** The newest PostgreSQL of Debian's layout, or the one on PATH. */
function findBinaries(): string | undefined {
  const root = "/usr/lib/postgresql";
  const versions = fs.existsSync(root) ? fs.readdirSync(root).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [...versions.map((version) => path.join(root, version, "bin")), ...process.env["PATH"]!.split(":")];
  return folders.find((folder) => ["initdb", "postgres"].every((name) => fs.existsSync(path.join(folder, name))));
}

/** Debian's package would make and start a cluster of its own; the tests need the programs only. */
function install(): void {
  const settings = "/etc/postgresql-common/createcluster.d/groundwork-tests.conf";
  fs.mkdirSync(path.dirname(settings), { recursive: true });
  fs.writeFileSync(settings, "create_main_cluster = false\n");
  try {
    installPackages("postgresql", "openssl");
  } finally {
    fs.rmSync(settings, { force: true });
  }
}

function binaries(): string {
  const found = findBinaries();
  if (found) return found;
  if (process.getuid?.() === 0) install();
  const installed = findBinaries();
  if (installed) return installed;
  throw new Error(
    "the API's tests need PostgreSQL (initdb, postgres): install the package postgresql and run them again",
  );
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  for (const user of ["postgres", "nobody"]) {
    try {
      const id = (flag: string): number =>
        Number(execFileSync("id", [flag, user], { stdio: ["ignore", "pipe", "ignore"] }));
      return { uid: id("-u"), gid: id("-g") };
    } catch {
      // Not on this machine; the next one is.
    }
  }
  throw new Error("the API's tests run PostgreSQL as the user postgres or nobody, and this machine has neither");
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A throw-away PostgreSQL server on loopback. It speaks TLS with a certificate of its own CA for `localhost`. */
export class Postgres {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-pg-"));
  readonly authority = new Authority(path.join(this.folder, "authority"));
  readonly caFile = this.authority.caFile;
  readonly password = randomBytes(12).toString("hex");
  private readonly bin = binaries();
  private readonly identity = unprivileged();
  private readonly data = path.join(this.folder, "data");
  private process: ChildProcess | undefined;
  port = 0;

  /** @param mutual refuse everybody but the tests' own superuser without TLS and a certificate of the authority */
  constructor(private readonly mutual = false) {}

  async start(): Promise<void> {
    this.port = await freePort();
    const { uid, gid } = this.identity;
    const passwordFile = path.join(this.folder, "superuser");
    fs.writeFileSync(passwordFile, this.password);
    this.writeCertificate();
    for (const name of ["", "superuser"]) {
      if (uid !== undefined) fs.chownSync(path.join(this.folder, name), uid, gid!);
    }
    // Readable for the tests, whoever owns it.
    fs.chmodSync(this.folder, 0o755);
    execFileSync(
      path.join(this.bin, "initdb"),
      [
        "-D",
        this.data,
        "-U",
        "root",
        "-A",
        "scram-sha-256",
        `--pwfile=${passwordFile}`,
        "-E",
        "UTF8",
        "--locale=C",
        "-N",
      ],
      { uid, gid, cwd: this.folder, stdio: ["ignore", "ignore", "pipe"] },
    );
    if (this.mutual) {
      const rules = [
        "host all root 127.0.0.1/32 scram-sha-256",
        // As the platform's own clusters have it.
        "hostssl all all all scram-sha-256 clientcert=verify-ca",
        "hostnossl all all all reject",
      ];
      fs.writeFileSync(path.join(this.data, "pg_hba.conf"), `${rules.join("\n")}\n`);
    }
    await this.up();
    process.once("exit", this.kill);
  }

  /** Starts the server on the data that is there. */
  async up(): Promise<void> {
    const settings = {
      listen_addresses: "127.0.0.1",
      port: String(this.port),
      unix_socket_directories: "",
      fsync: "off",
      shared_buffers: "16MB",
      max_connections: "60",
      ssl: "on",
      ssl_cert_file: path.join(this.folder, "server.crt"),
      ssl_key_file: path.join(this.folder, "server.key"),
      ...(this.mutual && { ssl_ca_file: path.join(this.folder, "clients.crt") }),
    };
    const args = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
    this.process = spawn(path.join(this.bin, "postgres"), ["-D", this.data, ...args], {
      ...this.identity,
      cwd: this.folder,
      stdio: "ignore",
    });
    for (const deadline = Date.now() + 15_000; ; await sleep(50)) {
      try {
        await this.sql("SELECT 1");
        return;
      } catch (error) {
        if (Date.now() > deadline || this.process.exitCode !== null) throw error;
      }
    }
  }

  /** `SIGINT`: at once, sessions are told (57P01). `SIGQUIT`: at once, with crash recovery at the next start. */
  async down(signal: "SIGINT" | "SIGQUIT" = "SIGINT"): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }

  async stop(): Promise<void> {
    await this.down();
    process.off("exit", this.kill);
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs SQL as the superuser. */
  async sql(text: string, database = "postgres"): Promise<Record<string, unknown>[]> {
    const client = new Client({
      host: "127.0.0.1",
      port: this.port,
      user: "root",
      password: this.password,
      database,
    });
    // The server may be going away: what fails is told by the query.
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query(text)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  /** Makes a user with a database that it owns, and a folder with the files that a mounted Secret would have. */
  async makeDatabase(name: string, password = randomBytes(9).toString("hex")): Promise<MountedSecret> {
    await this.sql(`CREATE ROLE ${escapeIdentifier(name)} LOGIN PASSWORD ${escapeLiteral(password)}`);
    await this.sql(`CREATE DATABASE ${escapeIdentifier(name)} OWNER ${escapeIdentifier(name)}`);
    const secret = new MountedSecret(fs.mkdtempSync(path.join(this.folder, "secret-")));
    secret.write({ host: "localhost", port: String(this.port), dbname: name, username: name, password });
    return secret;
  }

  private readonly kill = (): void => {
    this.process?.kill("SIGQUIT");
  };

  /** Puts a new server certificate into its files, and the authorities of clients; the server reads them when it reloads. */
  writeCertificate(signer = this.authority, clients = this.authority.pem): void {
    const { uid, gid } = this.identity;
    const { cert, key } = signer.issue({ commonName: "localhost", dnsNames: ["localhost"] });
    for (const [name, content] of Object.entries({ "server.crt": cert, "server.key": key, "clients.crt": clients })) {
      const file = path.join(this.folder, name);
      fs.writeFileSync(file, content, { mode: 0o600 });
      if (uid !== undefined) fs.chownSync(file, uid, gid!);
    }
  }
}

/** A folder that changes as the kubelet changes a mounted Secret: a new folder, then one rename of the `..data` link. */
export class MountedSecret {
  private generation = 0;
  private values: Record<string, string> = {};

  constructor(readonly folder: string) {}

  write(changes: Record<string, string>): void {
    this.values = { ...this.values, ...changes };
    const at = (name: string): string => path.join(this.folder, name);
    const generation = `..generation-${++this.generation}`;
    fs.mkdirSync(at(generation));
    for (const [name, value] of Object.entries(this.values)) {
      fs.writeFileSync(path.join(at(generation), name), value, { mode: 0o600 });
      if (!fs.existsSync(at(name))) fs.symlinkSync(path.join("..data", name), at(name));
    }
    fs.symlinkSync(generation, at("..data_tmp"));
    fs.renameSync(at("..data_tmp"), at("..data"));
    if (this.generation > 1) fs.rmSync(at(`..generation-${this.generation - 1}`), { recursive: true });
  }

  get password(): string {
    return this.values["password"]!;
  }

  get name(): string {
    return this.values["username"]!;
  }

  remove(): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

let shared: Promise<Postgres> | undefined;

/** The server that all tests of this run share; started by the first that asks. */
export function postgres(): Promise<Postgres> {
  shared ??= (async () => {
    const server = new Postgres();
    await server.start();
    return server;
  })();
  return shared;
}

// At the file's top level this is a root hook: it runs once, after the last test of the run. The benchmark has no hooks.
if (typeof after === "function") {
  after(async () => {
    if (shared) await (await shared).stop();
  });
}
