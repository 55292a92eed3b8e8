import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { openArtifacts } from "../../artifacts";
import { type Emulator, startEmulator } from "../../standins/cloud/main";

interface CloudServer {
  id: number;
  name: string;
}

/** Kinds that are the cloud's own and never a stack's. */
const catalogue = new Set([
  "actions",
  "images",
  "isos",
  "locations",
  "datacenters",
  "server_types",
  "load_balancer_types",
]);

/** The emulated cloud of a test (a stand-in), with a machine of this computer for each server. */
export class EmulatedCloud {
  /** What the project's commands need in their environment to use it. */
  readonly env: NodeJS.ProcessEnv;
  /** This computer's address in the emulated internet. */
  readonly computer: string;
  private readonly emulator: Emulator;
  private readonly folder: string;
  private ended = false;

  private constructor(emulator: Emulator, folder: string) {
    this.emulator = emulator;
    this.folder = folder;
    this.env = { HCLOUD_ENDPOINT: emulator.endpoint, HCLOUD_TOKEN: emulator.token };
    this.computer = new URL(emulator.endpoint).hostname;
  }

  static async start(): Promise<EmulatedCloud> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-cloud-"));
    return new EmulatedCloud(await startEmulator({ folder, backend: "machines" }), folder);
  }

  /** The project's server of that name. */
  server(name: string): CloudServer {
    const servers = this.emulator.objects()["servers"] as CloudServer[];
    const found = servers.find((server) => server.name === name);
    if (!found) throw new Error(`the project has no server ${name}, but ${servers.map((one) => one.name).join(", ")}`);
    return found;
  }

  requests(): { total: number; byPath: Record<string, number> } {
    return this.emulator.requests();
  }

  /** Ends a server as a power cut would. */
  async cut(name: string): Promise<void> {
    await this.ask("POST", `/servers/${this.server(name).id}/actions/poweroff`);
    await this.emulator.settled();
  }

  /** Takes a server away, as if its computer had burnt down; protection does not help against that. */
  async lose(name: string): Promise<void> {
    const { id } = this.server(name);
    await this.ask("POST", `/servers/${id}/actions/change_protection`, { delete: false, rebuild: false });
    await this.emulator.settled();
    await this.ask("DELETE", `/servers/${id}`);
    await this.emulator.settled();
  }

  /** Names of what is in the project, by kind; empty when nothing is. */
  left(): Record<string, string[]> {
    const kinds = Object.entries(this.emulator.objects()).filter(([kind]) => !catalogue.has(kind));
    const names = kinds.map(([kind, objects]) => [kind, (objects as CloudServer[]).map(({ name }) => name)] as const);
    return Object.fromEntries(names.filter(([, found]) => found.length > 0));
  }

  /** Runs a command of the K3s that machines get, on this computer. */
  k3s(...args: string[]): string {
    return execFileSync(openArtifacts().file("k3s").path, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  }

  /** Ends it, and takes its machines away. Safe to call twice. */
  async end(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    await this.emulator.stop();
    await this.emulator.destroy();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  private async ask(method: string, place: string, body?: object): Promise<void> {
    const answer = await fetch(`${this.emulator.endpoint}${place}`, {
      method,
      headers: { Authorization: `Bearer ${this.emulator.token}`, "Content-Type": "application/json" },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (!answer.ok) throw new Error(`${method} ${place}: ${answer.status} ${await answer.text()}`);
  }
}
