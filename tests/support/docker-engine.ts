import { ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/** A Docker engine for tests: the computer's own, or one that was started for them. */
export interface DockerEngine {
  /** What its command line has to be told. */
  env: NodeJS.ProcessEnv;
  docker: (...args: string[]) => string;
  stop: () => Promise<void>;
}

const onPath = (command: string): boolean =>
  (process.env["PATH"] ?? "").split(path.delimiter).some((folder) => fs.existsSync(path.join(folder, command)));

const answers = (env: NodeJS.ProcessEnv): boolean =>
  spawnSync("docker", ["version", "--format", "{{.Server.Version}}"], { env: { ...process.env, ...env } }).status === 0;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * The engine that answers; else one with a folder and a socket of its own, which leaves the computer's packet filter alone.
 * Undefined where Docker is not installed.
 */
export async function openDocker(): Promise<DockerEngine | undefined> {
  if (!onPath("docker")) return undefined;
  if (answers({})) return engineOf({}, async () => undefined);
  if (process.platform !== "linux" || process.getuid?.() !== 0 || !onPath("dockerd")) return undefined;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-docker-"));
  const env = { DOCKER_HOST: `unix://${folder}/docker.sock` };
  const log = fs.openSync(path.join(folder, "log"), "w");
  const child = spawn(
    "dockerd",
    [
      ...["--host", env.DOCKER_HOST, "--data-root", `${folder}/data`, "--exec-root", `${folder}/exec`],
      ...["--pidfile", `${folder}/pid`, "--bridge", "none", "--iptables=false", "--ip6tables=false"],
      ...runtimeOf(folder),
    ],
    { stdio: ["ignore", log, log], cwd: folder },
  );
  for (let tries = 0; !answers(env); tries++) {
    if (child.exitCode !== null || tries > 100) {
      throw new Error(`dockerd did not start:\n${fs.readFileSync(path.join(folder, "log"), "utf8").slice(-2000)}`);
    }
    await pause(200);
  }
  return engineOf(env, () => end(child, folder));
}

function engineOf(env: NodeJS.ProcessEnv, stop: () => Promise<void>): DockerEngine {
  const docker = (...args: string[]): string =>
    spawnSync("docker", args, { env: { ...process.env, ...env }, encoding: "utf8" }).stdout.trim();
  return { env, docker, stop };
}

async function end(child: ChildProcess, folder: string): Promise<void> {
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGTERM");
  await ended;
  fs.rmSync(folder, { recursive: true, force: true });
}

/**
 * A privileged container gets every capability that the kernel knows, and can't start where root itself lacks one (a sandbox).
 * There the runtime is told of those that there are.
 */
function runtimeOf(folder: string): string[] {
  const status = fs.readFileSync("/proc/self/status", "utf8");
  const bounding = BigInt(`0x${/CapBnd:\s+(\w+)/.exec(status)![1]}`);
  const last = Number(fs.readFileSync("/proc/sys/kernel/cap_last_cap", "utf8"));
  // CAP_SYS_RESOURCE, the only one that was ever found missing.
  if ((bounding >> 24n) % 2n === 1n || last < 24) return [];
  const runtime = path.join(folder, "runtime");
  const script = `#!/bin/bash
previous=
for argument in "$@"; do
  case "$previous" in
    --bundle) file="$argument/config.json" ;;
    --process) file="$argument" ;;
    *) file= ;;
  esac
  [ ! -f "$file" ] || sed -i -E 's/"CAP_SYS_RESOURCE",?//g; s/,\\]/]/g' "$file"
  previous="$argument"
done
exec runc "$@"
`;
  fs.writeFileSync(runtime, script, { mode: 0o755 });
  return ["--add-runtime", `here=${runtime}`, "--default-runtime", "here"];
}
