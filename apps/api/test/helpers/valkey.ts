import { ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as tls from "node:tls";
import { paths, planServerConfig, planUsers, port as componentsPort } from "../../../../components/data/valkey-files";
import type { Authority } from "./authority";
import { installPackages } from "./packages";
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
  for (const name of PROGRAMS) {
    if (found) break;
    installPackages(`${name}-tools`);
    found = find();
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
    const probe = this.authority.issue({ commonName: "probe" });
    this.write("probe/tls.crt", probe.cert);
    this.write("probe/tls.key", probe.key);
    this.write("reloader/password", this.reloader);
    this.write("valkey.conf", this.here(planServerConfig("64Mi")).replace("bind * -::*", "bind 127.0.0.1"));
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

  /** A file of the component with this server's port and folders in place of the pod's. */
  here(text: string): string {
    const folders = { tls: "tls", probe: "probe", users: "users", reloader: "reloader", beat: "beat" } as const;
    return Object.entries(folders)
      .reduce(
        (all, [name, folder]) => all.replaceAll(paths[name as keyof typeof folders], path.join(this.folder, folder)),
        text,
      )
      .replace(`tls-port ${componentsPort}`, `tls-port ${this.port}`)
      .replace(`-p ${componentsPort}`, `-p ${this.port}`);
  }

  /** Writes the file with a script of the component and gives its path. */
  script(name: string, text: string): string {
    this.write(name, this.here(text));
    fs.mkdirSync(path.join(this.folder, "beat"), { recursive: true });
    return path.join(this.folder, name);
  }

  /** A folder for PATH in which the command-line client has Valkey's name. */
  commands(): string {
    const folder = path.join(this.folder, "commands");
    fs.mkdirSync(folder, { recursive: true });
    const link = path.join(folder, "valkey-cli");
    const folders = process.env["PATH"]!.split(":");
    const client = PROGRAMS.flatMap((one) => folders.map((at) => path.join(at, `${one}-cli`))).find((file) =>
      fs.existsSync(file),
    );
    if (!fs.existsSync(link)) fs.symlinkSync(client!, link);
    return folder;
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

  /** Puts a file of the server's certificate in the place of another. */
  replace(name: "tls.crt" | "tls.key", content: string): void {
    this.write(`tls/${name}`, content);
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
