import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { openArtifacts } from "../artifacts";
import { ApiServer, startApiServer } from "../standins/rehearsal/apiserver";
import { type Emulator, startEmulator } from "../standins/cloud/main";
import { SimulatedNodes, simulateNodes } from "../standins/rehearsal/nodes";
import { artifactsOf } from "../stacks/parts";
import { ensureArtifacts } from "./artifacts";
import { CloudApi } from "./cloud/api";
import { unlock } from "./destroy";
import { Engine, EngineResult, RunOptions } from "./engine";
import { checkSettings, openEngine } from "./prepare";
import { chosenStack } from "./stack";
import { say, step } from "./ui";

/** What a rehearsal stands on, besides the engine. */
interface Stage {
  stack: string;
  server: ApiServer;
  nodes: SimulatedNodes;
  /** Stand-in of the cloud that the stack orders its machines from; it makes objects and no machines. */
  cloud: Emulator;
  folder: string;
}

/**
 * A stack's platform on a throwaway API server with simulated nodes: the real engine, program, policies, API validation and
 * admission, and what it orders from a cloud at that one's stand-in, but no machine and no running pod. Its state is its own and
 * goes with it.
 */
export class Rehearsal {
  readonly server: ApiServer;
  readonly cloud: Emulator;
  readonly engine: Engine;
  private readonly stage: Stage;

  private constructor(stage: Stage, engine: Engine) {
    this.server = stage.server;
    this.cloud = stage.cloud;
    this.engine = engine;
    this.stage = stage;
  }

  /** Starts the API server; the artefact cache must be filled. */
  static async start(stack: string): Promise<Rehearsal> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-rehearsal-"));
    const binary = openArtifacts().file("k3s").path;
    const server = await startApiServer(binary);
    const nodes = await simulateNodes(server.api);
    for (const each of ["bin", "backend", "project", "cloud"]) fs.mkdirSync(path.join(folder, each));
    const cloud = await startEmulator({ folder: path.join(folder, "cloud"), backend: "paper" });
    // The cluster's custom resource definitions are applied by `k3s kubectl`, as on a machine.
    fs.symlinkSync(binary, path.join(folder, "bin", "k3s"));
    fs.writeFileSync(path.join(folder, "kubeconfig"), server.kubeconfig, { mode: 0o600 });
    const { toolchain, env } = await openEngine();
    const engine = new Engine(toolchain, {
      env: {
        GROUNDWORK_REHEARSAL: path.join(folder, "kubeconfig"),
        HCLOUD_ENDPOINT: cloud.endpoint,
        HCLOUD_TOKEN: cloud.token,
        PULUMI_BACKEND_URL: `file://${path.join(folder, "backend")}`,
        PATH: `${path.join(folder, "bin")}${path.delimiter}${env["PATH"]}`,
      },
      projectFolder: path.join(folder, "project"),
    });
    return new Rehearsal({ stack, server, nodes, cloud, folder }, engine);
  }

  /** Runs `up`, `preview`, `refresh` or `destroy` of the stack without asking. */
  async run(verb: string, args: string[] = [], options: RunOptions = {}): Promise<EngineResult> {
    const { stack } = this.stage;
    const line = [verb, "--stack", stack, "--non-interactive", ...args];
    if (verb !== "preview") line.push("--yes", "--skip-preview");
    await this.engine.releaseStaleLock(stack);
    if (verb === "destroy") await unlock(stack, this.engine, new CloudApi(this.cloud));
    return this.engine.run(this.engine.defaults(line, await this.engine.prepare(stack)), options);
  }

  /** Ends the API server and the cloud's stand-in, and forgets everything. */
  async stop(): Promise<void> {
    await this.stage.nodes.stop();
    await this.server.stop();
    await this.cloud.stop();
    fs.rmSync(this.stage.folder, { recursive: true, force: true });
  }
}

/** `npm run rehearse`: tries a stack's platform with no machine and no cloud account. */
export async function rehearse(options: { stack?: string }): Promise<number> {
  const stack = chosenStack(options.stack);
  await ensureArtifacts(artifactsOf(checkSettings(stack)));
  const rehearsal = await step("start a throwaway API server with simulated nodes (stand-ins)", () =>
    Rehearsal.start(stack),
  );
  try {
    for (const [verb, ...args] of [["preview"], ["up"], ["up", "--expect-no-changes"], ["destroy"]] as const) {
      const { code } = await step(`${verb} ${stack}`, () => rehearsal.run(verb, args, { output: "inherit" }));
      if (code !== 0) {
        say(`the rehearsal of ${stack} failed in ${[verb, ...args].join(" ")}`);
        return 1;
      }
    }
    const left = Object.entries(rehearsal.cloud.objects()).flatMap(([kind, objects]) => objects.map(() => kind));
    if (left.length > 0) {
      say(`the rehearsal of ${stack} left ${left.join(", ")} in the stand-in of the cloud`);
      return 1;
    }
    const { total } = rehearsal.cloud.requests();
    if (total > 0)
      say(`${total} requests to the stand-in of the cloud's API, of which Hetzner lets 3600 through in an hour`);
  } finally {
    await rehearsal.stop();
  }
  say(
    `the rehearsal of ${stack} went well: planned, accepted by a real API server, unchanged by a second run, destroyed`,
  );
  return 0;
}
