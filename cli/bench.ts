import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { type Emulator, startEmulator } from "../standins/cloud/main";
import { nodeTable, nodeTimes } from "./bench-nodes";
import { trustSeconds } from "./bench-trust";
import { root } from "./paths";
import { checkSettings } from "./prepare";
import { knownStacks } from "./stack";
import { say, table, UserError } from "./ui";

/** Seconds that a step should take on two idle cores with filled caches. */
const targets: Record<string, number> = {
  policies: 10,
  up: 120,
  "up again": 20,
  preview: 15,
  destroy: 45,
  "certificate, p95": 0.2,
  "Vaults killed to open": 60,
};

function timed(verb: string, args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const started = process.hrtime.bigint();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(root, "cli", "bootstrap.cjs"), verb, ...args], {
      cwd: root,
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0
        ? resolve(Number(process.hrtime.bigint() - started) / 1e9)
        : reject(new UserError(`${verb} failed in the benchmark:\n${said.slice(-2000)}`)),
    );
  });
}

/** How long a fixed piece of work takes on this machine just now: the measure that makes runs comparable. */
async function yardstick(): Promise<number> {
  const started = process.hrtime.bigint();
  await new Promise<void>((resolve, reject) => {
    const loop = "let x=0;for(let i=0;i<4e8;i++)x=(x*31+i)|0;process.exitCode=x===1?1:0";
    spawn(process.execPath, ["-e", loop], { stdio: "ignore" })
      .on("error", reject)
      .on("close", () => resolve());
  });
  return Number(process.hrtime.bigint() - started) / 1e9;
}

/** Seconds that the policy pack takes over the graphs of all stacks together; capturing them is not counted. */
async function policySeconds(): Promise<number> {
  const { captured } = await import("./policies");
  const { packConfig } = await import("../policies/config");
  const { report, subjectOf } = await import("../policies/report/report");
  const { packSettings } = await import("../stacks/settings");
  let seconds = 0;
  for (const stack of knownStacks()) {
    const config = packConfig(packSettings(checkSettings(stack)));
    seconds += (await report(subjectOf(stack, await captured(stack), config))).seconds;
  }
  return seconds;
}

/** A stack in a cloud gets the emulated one (a stand-in), with machines of this computer, unless a token says that the real one is meant. */
async function emulatedCloud(stack: string, folder: string): Promise<Emulator | undefined> {
  if (checkSettings(stack).target.driver !== "hcloud" || process.env["HCLOUD_TOKEN"]) return undefined;
  return startEmulator({ folder: path.join(folder, "cloud"), backend: "machines" });
}

/**
 * `npm run bench`: the policy pack over every stack, then a stack from nothing, again, previewed and destroyed, on a state
 * directory of its own. The stack `cloud` (`npm run bench -- --stack cloud`) has several nodes on the emulated cloud. Machines differ and are noisy, so each time stands beside its ratio to a fixed computation of the
 * same run; nothing passes or fails.
 */
export async function bench(options: { stack?: string }): Promise<number> {
  const stack = options.stack ?? "e2e";
  const state = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-bench-"));
  const events = path.join(state, "up.events");
  const cloud = await emulatedCloud(stack, state);
  const env = {
    ...{ ...process.env, GROUNDWORK_STATE_DIR: state, GROUNDWORK_STACK: stack },
    ...(cloud ? { HCLOUD_ENDPOINT: cloud.endpoint, HCLOUD_TOKEN: cloud.token } : {}),
  };
  const unit = await yardstick();
  const seconds: Record<string, number> = { policies: await policySeconds() };
  try {
    seconds["up"] = await timed("up", ["--yes"], { ...env, GROUNDWORK_EVENTS: events });
    seconds["up again"] = await timed("up", ["--yes"], env);
    seconds["preview"] = await timed("preview", [], env);
    if (checkSettings(stack).vault.enabled) {
      await timed("vault", ["root-token"], env);
      Object.assign(
        seconds,
        await trustSeconds(
          stack,
          path.join(state, "kubeconfig", stack),
          path.join(state, "vault", stack, "root-token"),
        ),
      );
    }
    process.stdout.write(`${nodeTable(nodeTimes(events, stack))}\n\n`);
  } finally {
    say("the stack of the benchmark is being destroyed");
    try {
      seconds["destroy"] = await timed("destroy", ["--yes", "--confirm", stack], env);
    } finally {
      await cloud?.stop();
      await cloud?.destroy();
    }
    fs.rmSync(state, { recursive: true, force: true });
  }
  const rows = Object.entries(seconds).map(([name, s]) => [
    name,
    s < 1 ? s.toFixed(3) : s.toFixed(1),
    `${targets[name]}`,
    (s / unit).toFixed(1),
  ]);
  process.stdout.write(`${table(["step", "seconds", "aim", "times the yardstick"], rows)}\n`);
  process.stdout.write(`yardstick: ${unit.toFixed(2)} s of one core\n`);
  return 0;
}
