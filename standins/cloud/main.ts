import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Backend } from "./backend";
import { type Cloud, type CloudOptions, type EndpointFile, readEndpoint, startCloud } from "./cloud";
import type { Fault } from "./faults";
import { paper } from "./paper";

export { type Cloud, type EndpointFile, readEndpoint, startCloud } from "./cloud";
export type { Fault, Faults } from "./faults";
export { paper } from "./paper";

export type BackendName = "paper" | "machines";

export interface EmulatorOptions extends Omit<CloudOptions, "backend"> {
  backend: BackendName;
}

/** An emulator with a backend by its name; `destroy` takes away what the backend put on this computer. */
export type Emulator = Cloud & { destroy(): Promise<void> };

/** Starts an emulator in this process. `machines` makes machines of systemd-nspawn on this computer and needs root. */
export async function startEmulator({ backend, ...options }: EmulatorOptions): Promise<Emulator> {
  if (backend === "paper")
    return { ...(await startCloud({ ...options, backend: paper() })), destroy: async () => undefined };
  const { machinesBackend } = await import("./machines");
  const machines: Backend & { computer: string; destroy(): Promise<void> } = await machinesBackend({
    folder: path.join(options.folder, "machines"),
  });
  const listen = options.listen ?? { host: machines.computer, port: lastPort(options.folder, machines.computer) };
  const cloud = await startCloud({ ...options, listen, backend: machines });
  return { ...cloud, destroy: () => machines.destroy() };
}

/** The port of the folder's last emulator, when it was at the same address, so that clients find the next one. */
function lastPort(folder: string, host: string): number {
  const last = readEndpoint(folder);
  const url = last ? new URL(last.endpoint) : undefined;
  return url?.hostname === host ? Number(url.port) : 0;
}

/** Starts an emulator in a process of its own, which outlives this one, and returns when it answers. */
export async function serveDetached(options: EmulatorOptions & { log?: string }): Promise<EndpointFile> {
  const { folder, backend, rateLimit, latency } = options;
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const log = fs.openSync(options.log ?? path.join(folder, "emulator.log"), "a", 0o600);
  const args = ["serve", "--folder", folder, "--backend", backend];
  if (rateLimit !== undefined) args.push("--rate-limit", String(rateLimit));
  if (latency) args.push("--latency", String(latency.actions));
  if (options.listen) args.push("--listen", `${options.listen.host}:${options.listen.port}`);
  const child = spawn(process.execPath, [path.join(__dirname, "cloud.cjs"), ...args], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  fs.closeSync(log);
  child.unref();
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(50)) {
    const found = readEndpoint(folder);
    if (found && found.pid === child.pid) return found;
    if (child.exitCode !== null) break;
  }
  throw new Error(`the emulator did not start: see ${options.log ?? path.join(folder, "emulator.log")}`);
}

/** Ends the folder's emulator; true when one ran. What it keeps stays in the folder. */
export async function stopDetached(folder: string): Promise<boolean> {
  const found = readEndpoint(folder);
  if (!found || !isEmulator(found.pid)) return false;
  process.kill(found.pid, "SIGTERM");
  for (const end = Date.now() + 30_000; Date.now() < end && isEmulator(found.pid);) await sleep(50);
  return true;
}

/** Whether the process is an emulator, and not one that got the number of one that is gone. */
function isEmulator(pid: number): boolean {
  try {
    const line = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return line.includes("cloud.cjs") && line.includes("serve");
  } catch {
    return false;
  }
}

const usage = `An emulator of the Hetzner Cloud API. It stands in for the cloud: nothing that it shows is at Hetzner, and nothing costs money.

  node standins/cloud/cloud.cjs serve --folder DIR [--backend paper|machines] [--listen HOST:PORT] [--rate-limit N] [--latency MS]
  node standins/cloud/cloud.cjs stop --folder DIR [--destroy]     --destroy also takes machines off this computer
  node standins/cloud/cloud.cjs env --folder DIR                  prints HCLOUD_ENDPOINT and HCLOUD_TOKEN for a shell
  node standins/cloud/cloud.cjs objects|requests --folder DIR     prints what exists, or what was asked, as JSON
  node standins/cloud/cloud.cjs fail --folder DIR JSON            orders a fault (standins/cloud/faults.ts)`;

/** A mistake on the command line. */
class UsageError extends Error {}

function options(args: string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--destroy") found.set(arg, "");
    else if (arg.startsWith("--") && args[i + 1] !== undefined) found.set(arg, args[++i]!);
    else if (!arg.startsWith("--") && !found.has("rest")) found.set("rest", arg);
    else throw new UsageError(`${arg} has no value`);
  }
  return found;
}

function count(given: string | undefined, name: string): number | undefined {
  if (given === undefined) return undefined;
  if (!/^\d+$/.test(given)) throw new UsageError(`${name} takes a number, and not ${given}`);
  return Number(given);
}

async function serve(folder: string, given: Map<string, string>): Promise<string> {
  const backend = given.get("--backend") ?? "paper";
  if (backend !== "paper" && backend !== "machines") throw new UsageError(`there is no backend ${backend}`);
  const listen = /^(.+):(\d+)$/.exec(given.get("--listen") ?? "");
  if (given.has("--listen") && !listen) throw new UsageError("--listen takes HOST:PORT");
  const running = readEndpoint(folder);
  if (running && running.pid !== process.pid && isEmulator(running.pid)) {
    throw new UsageError(`an emulator runs on ${folder} already: ${running.endpoint}`);
  }
  const actions = count(given.get("--latency"), "--latency");
  const cloud = await startEmulator({
    folder,
    backend,
    rateLimit: count(given.get("--rate-limit"), "--rate-limit"),
    ...(listen ? { listen: { host: listen[1]!, port: Number(listen[2]) } } : {}),
    ...(actions === undefined ? {} : { latency: { actions } }),
  });
  process.stdout.write(`Stand-in for the Hetzner Cloud API (backend ${backend}) at ${cloud.endpoint}\n`);
  await new Promise<void>((done) => ["SIGTERM", "SIGINT"].forEach((signal) => process.once(signal, () => done())));
  await cloud.stop();
  return "stopped";
}

/** Asks the folder's running emulator. */
async function ask(folder: string, method: string, where: string, body?: string): Promise<string> {
  const found = readEndpoint(folder);
  if (!found || !isEmulator(found.pid)) throw new UsageError(`no emulator runs on ${folder}`);
  const url = found.endpoint.replace(/\/v1$/, `/_emulator${where}`);
  const answer = await fetch(url, { method, body, headers: { Authorization: `Bearer ${found.token}` } });
  const text = await answer.text();
  if (!answer.ok) throw new UsageError(text);
  return JSON.stringify(JSON.parse(text), null, 2);
}

async function work([verb, ...args]: string[]): Promise<string> {
  const given = options(args);
  const folder = given.get("--folder");
  if (verb === undefined || verb === "help" || folder === undefined) throw new UsageError(usage);
  switch (verb) {
    case "serve":
      return serve(path.resolve(folder), given);
    case "stop": {
      const ran = await stopDetached(path.resolve(folder));
      const machines = path.join(path.resolve(folder), "machines");
      if (given.has("--destroy") && fs.existsSync(machines)) await (await import("./machines")).clean(machines);
      return ran ? "stopped" : "no emulator ran";
    }
    case "env": {
      const found = readEndpoint(path.resolve(folder));
      if (!found) throw new UsageError(`there was never an emulator on ${folder}`);
      return `export HCLOUD_ENDPOINT=${found.endpoint} HCLOUD_TOKEN=${found.token}`;
    }
    case "objects":
    case "requests":
      return ask(path.resolve(folder), "GET", `/${verb}`);
    case "fail":
      return ask(path.resolve(folder), "POST", "/faults", JSON.stringify(JSON.parse(given.get("rest") ?? "") as Fault));
    default:
      throw new UsageError(usage);
  }
}

export async function main(args: string[]): Promise<void> {
  try {
    process.stdout.write(`${await work(args)}\n`);
  } catch (e) {
    process.stderr.write(`${(e as Error).message}\n`);
    process.exitCode = 1;
  }
}
