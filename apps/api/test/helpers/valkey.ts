import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as tls from "node:tls";
import { paths, planServerConfig, planUsers, port as componentsPort } from "../../../../components/data/valkey-files";
import type { Authority } from "./authority";
import { freePort } from "./postgres";

/** Valkey, or Redis 7 where the machine's distribution has no Valkey yet: they speak the same, TLS and ACLs included. */
const PROGRAMS = ["valkey", "redis"];

/** Debian's tools package holds the server under the name of one of its tools, and starts no service. */
function find(): string | undefined {
  const folders = process.env["PATH"]!.split(":");
  const names = PROGRAMS.flatMap((program) => [`${program}-server`, `${program}-check-rdb`]);
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) => fs.existsSync(file));
}

function program(): string {
  let found = find();
  if (!found && process.getuid?.() === 0 && fs.existsSync("/usr/bin/apt-get")) {
    const options = { stdio: "ignore", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } } as const;
    for (const name of PROGRAMS) {
      try {
        execFileSync("apt-get", ["install", "-y", "--no-install-recommends", `${name}-tools`], options);
      } catch {
        // Not in this distribution; the message below says what to do.
      }
      found ??= find();
    }
  }
  if (found) return found;
  throw new Error("the API's tests need Valkey or Redis 7 with TLS: install valkey-tools or redis-tools");
}

/** A throw-away cache on loopback with the platform's own configuration and users: mutual TLS, and a password. */
export class Valkey {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-cache-"));
  /** Folder with the files that a mounted Secret would have. */
  readonly login = path.join(this.folder, "login");
  private readonly password = randomBytes(12).toString("hex");
  private readonly reloader = randomBytes(12).toString("hex");
  private process: ChildProcess | undefined;
  private trusted = "";
  port = 0;

  constructor(private readonly authority: Authority) {}

  async start(): Promise<void> {
    this.port = await freePort();
    const digest = (text: string) => createHash("sha256").update(text).digest("hex");
    this.writeCertificate();
    this.write("users/users.acl", planUsers("app", { client: digest(this.password), reloader: digest(this.reloader) }));
    const login = { host: "localhost", port: String(this.port), username: "app", password: this.password };
    for (const [name, value] of Object.entries(login)) this.write(`login/${name}`, value);
    const settings = planServerConfig("64Mi")
      .replaceAll(paths.tls, path.join(this.folder, "tls"))
      .replaceAll(paths.users, path.join(this.folder, "users"))
      .replace(`tls-port ${componentsPort}`, `tls-port ${this.port}`)
      .replace("bind * -::*", "bind 127.0.0.1");
    this.write("valkey.conf", settings);
    await this.up();
  }

  async up(): Promise<void> {
    const child = spawn(program(), [path.join(this.folder, "valkey.conf")], {
      argv0: "valkey-server",
      cwd: this.folder,
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.process = child;
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
    process.once("exit", this.kill);
    for (const deadline = Date.now() + 10_000; !output.includes("Ready to accept connections"); await sleep(20)) {
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`the cache did not start: ${output}`);
    }
  }

  async down(): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    process.off("exit", this.kill);
  }

  /** It hangs: connections stay, nothing is answered. */
  freeze(frozen: boolean): void {
    this.process?.kill(frozen ? "SIGSTOP" : "SIGCONT");
  }

  /** A new certificate in the files, and the authorities of clients; the server goes on with the old ones until it is told. */
  writeCertificate(signer = this.authority, clients = this.authority.pem): void {
    this.trusted = clients;
    this.write("tls/ca.crt", clients);
    const { cert, key } = signer.issue({ commonName: "localhost", dnsNames: ["localhost"] });
    this.write("tls/tls.crt", cert);
    this.write("tls/tls.key", key);
  }

  /** What the component's reloader says to the server. */
  async reload(client: { cert: string; key: string }): Promise<string> {
    const at = (name: string) => path.join(this.folder, "tls", name);
    const files = `tls-cert-file ${at("tls.crt")} tls-key-file ${at("tls.key")} tls-ca-cert-file ${at("ca.crt")}`;
    return this.say([`AUTH reloader ${this.reloader}`, `CONFIG SET ${files}`], client);
  }

  /** Logs in as the API does and asks. */
  ask(lines: string[], client: { cert: string; key: string }): Promise<string> {
    return this.say([`AUTH app ${this.password}`, ...lines], client);
  }

  /** Serial number of the certificate that the server shows. */
  async serial(client: { cert: string; key: string }): Promise<string> {
    const socket = tls.connect({ port: this.port, servername: "localhost", ca: this.trusted, ...client });
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  }

  /** Sends lines as a client with or without a certificate, or none of TLS; what came back until the end. */
  say(lines: string[], client?: { cert: string; key: string }): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = tls.connect({ port: this.port, servername: "localhost", ca: this.trusted, ...client });
      let answer = "";
      socket.on("data", (chunk: Buffer) => (answer += chunk.toString()));
      socket.once("error", reject);
      socket.once("close", () => resolve(answer));
      socket.write([...lines, "QUIT", ""].join("\r\n"));
    });
  }

  async stop(): Promise<void> {
    this.freeze(false);
    await this.down();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  private readonly kill = (): void => {
    this.process?.kill("SIGKILL");
  };

  private write(name: string, content: string): void {
    const file = path.join(this.folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content, { mode: 0o600 });
  }
}
