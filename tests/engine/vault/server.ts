import { ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, Call } from "../../../apps/keeper/src/http";
import type { Kube, Values } from "../../../apps/keeper/src/kube/client";
import { Transport, VaultClient } from "../../../apps/keeper/src/vault/client";
import { openArtifacts } from "../../../artifacts";
import { freePort } from "../../../apps/api/test/helpers/postgres";
import { programOf } from "../../support/image-program";

let program: string | undefined;

/** Vault's program out of its image in the artefact cache, taken out once a run. */
function vaultProgram(): string {
  if (program) return program;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-vault-program-"));
  process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
  return (program = programOf(openArtifacts().image("vault"), "/bin/vault", folder));
}

/** A real Vault server on loopback, on Raft as in the cluster; without TLS, which the tests here are not about. */
export class VaultServer {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-vault-"));
  /** As in the pods: below the volume. */
  readonly store = path.join(this.folder, "data", "store");
  private child: ChildProcess | undefined;
  private output = "";
  port = 0;

  /** @param seal the stanza that unseals it; without, it takes an unseal key */
  constructor(private readonly seal?: string) {}

  get address(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    this.port ||= await freePort();
    const cluster = await freePort();
    fs.mkdirSync(this.store, { recursive: true });
    const config = path.join(this.folder, "server.hcl");
    fs.writeFileSync(
      config,
      `disable_mlock = true
api_addr = "${this.address}"
cluster_addr = "http://127.0.0.1:${cluster}"
listener "tcp" {
  address = "127.0.0.1:${this.port}"
  cluster_address = "127.0.0.1:${cluster}"
  tls_disable = true
}
storage "raft" {
  path = "${this.store}"
  node_id = "one"
  performance_multiplier = 1
}
${this.seal ?? ""}`,
    );
    const env = { PATH: process.env["PATH"], HOME: this.folder };
    this.child = spawn(vaultProgram(), ["server", `-config=${config}`], { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString()));
    }
    process.once("exit", this.kill);
    for (const deadline = Date.now() + 15_000; ; await sleep(50)) {
      try {
        await this.client().health();
        return;
      } catch (error) {
        if (Date.now() > deadline || this.child.exitCode !== null) throw new Error(this.output, { cause: error });
      }
    }
  }

  /** Ends it as a power cut would. */
  async stop(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
    process.off("exit", this.kill);
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async remove(): Promise<void> {
    await this.stop();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  /** Without a token, over a transport that a test may come between. */
  client(between: (send: Transport) => Transport = (send) => send): VaultClient {
    return new VaultClient(between((api, call) => plain(`${this.address}/v1/${api}`, call)));
  }

  private readonly kill = (): void => {
    this.child?.kill("SIGKILL");
  };
}

function plain(url: string, { method = "GET", headers = {}, body, timeout = 10_000 }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, timeout }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    request.on("timeout", () => request.destroy(new Error("timeout")));
    request.on("error", reject);
    request.end(body);
  });
}

/** A test double of the API server: Secrets and ConfigMaps in memory, of which any may be taken away. */
export class KubeDouble implements Kube {
  readonly objects = new Map<string, Values>();

  readSecret(name: string): Promise<Values | undefined> {
    return Promise.resolve(this.objects.get(`secret/${name}`));
  }
  writeSecret(name: string, values: Record<string, string | null>): Promise<void> {
    return this.write(`secret/${name}`, values);
  }
  readConfigMap(name: string): Promise<Values | undefined> {
    return Promise.resolve(this.objects.get(`configmap/${name}`));
  }
  writeConfigMap(name: string, values: Values): Promise<void> {
    return this.write(`configmap/${name}`, values);
  }

  private write(key: string, values: Record<string, string | null>): Promise<void> {
    const merged = { ...this.objects.get(key), ...values };
    this.objects.set(key, Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)) as Values);
    return Promise.resolve();
  }
}
