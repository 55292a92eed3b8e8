import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { openArtifacts } from "../../../artifacts";
import { CloudApi } from "../../../cli/cloud/api";
import type { Graph } from "../../unit/graph/graph";
import { startCloud } from "../../../standins/cloud/cloud";
import { paper } from "../../../standins/cloud/paper";
import { ApiServer, startApiServer } from "../apiserver";
import { ApiObject, collection } from "../policies/objects";

/** A program that runs until the test ends it. */
export interface Program {
  /** Everything that it has written. */
  log(): string;
  /** Its exit code, once it has ended. */
  ended: Promise<number | null>;
  running(): boolean;
}

/** A real control plane without nodes, an emulated cloud without machines, and programs between the two. */
export class Surroundings {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-cloud-controllers-"));
  cluster!: ApiServer;
  cloud!: CloudApi;
  token = "";
  private emulator?: Awaited<ReturnType<typeof startCloud>>;
  private readonly children: { kill(): void; ended: Promise<unknown> }[] = [];

  async start(): Promise<void> {
    this.emulator = await startCloud({ folder: path.join(this.folder, "cloud"), backend: paper() });
    this.token = this.emulator.token;
    this.cloud = new CloudApi({ token: this.token, endpoint: this.emulator.endpoint });
    fs.writeFileSync(path.join(this.folder, "token"), this.token, { mode: 0o600 });
    const node = process.env["GROUNDWORK_K3S_BINARY"] ?? openArtifacts().file("k3s").path;
    this.cluster = await startApiServer(node);
  }

  get endpoint(): string {
    return this.emulator!.endpoint;
  }

  /** Path of the file that holds the cloud's token. */
  get tokenFile(): string {
    return path.join(this.folder, "token");
  }

  /** Makes what a graph asks for, in its order. Patches of what Kubernetes makes itself are left out. */
  async make(graph: Graph): Promise<ApiObject[]> {
    const made: ApiObject[] = [];
    for (const { type, inputs } of graph.nodes) {
      const [, apiVersion, kind = ""] = /^kubernetes:(?:core\/)?(.+):(\w+)$/.exec(type) ?? [];
      if (apiVersion === undefined || kind.endsWith("Patch")) continue;
      const object = { ...structuredClone(inputs), apiVersion, kind } as ApiObject;
      await this.cluster.api.post(collection(object), object);
      made.push(object);
    }
    return made;
  }

  /** A kubeconfig of an account with what it may do. */
  async account(namespace: string, name: string): Promise<string> {
    const { api, url, ca } = this.cluster;
    const place = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
    const { status } = await api.post<{ status: { token: string } }>(place, { spec: { expirationSeconds: 3600 } });
    const file = path.join(this.folder, `${name}.kubeconfig`);
    const certificate = Buffer.from(ca).toString("base64");
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: url, "certificate-authority-data": certificate } }],
      users: [{ name: "u", user: { token: status.token } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    };
    fs.writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
    return file;
  }

  /** Starts a program of the catalogue, or the one that `GROUNDWORK_PROGRAMS` has under the same name. */
  run(name: string, args: readonly string[], env: Record<string, string> = {}): Program {
    const given = path.join(process.env["GROUNDWORK_PROGRAMS"] ?? "/nonexistent", name);
    const file = fs.existsSync(given) ? given : openArtifacts().file(`${name}-binary`).path;
    const log = path.join(this.folder, `${name}-${this.children.length}.log`);
    const out = fs.openSync(log, "a");
    const child = spawn(file, args, { cwd: this.folder, env: { PATH: "/bin", ...env }, stdio: ["ignore", out, out] });
    fs.closeSync(out);
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    this.children.push({ kill: () => void child.kill("SIGKILL"), ended });
    return { log: () => fs.readFileSync(log, "utf8"), ended, running: () => child.exitCode === null };
  }

  async stop(): Promise<void> {
    for (const child of this.children) child.kill();
    await Promise.all(this.children.map(({ ended }) => ended));
    await this.cluster?.stop();
    await this.emulator?.stop();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A port that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
