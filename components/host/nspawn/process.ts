import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as net from "node:net";

/** An error whose message alone is shown. */
export class MachineError extends Error {}

/** Runs a command to its end and gives its output. Throws a {@link MachineError} with the command's own words. */
export function run(command: string, ...args: string[]): string {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], maxBuffer: 1 << 26 });
  } catch (error) {
    const failed = error as { stderr?: string; message: string; code?: string };
    if (failed.code === "ENOENT") throw new MachineError(`${command} is not installed`);
    throw new MachineError(`${command} ${args.join(" ")}: ${failed.stderr?.trim() || failed.message}`);
  }
}

/** As {@link run}, but tells only whether the command succeeded. */
export function succeeds(command: string, ...args: string[]): boolean {
  try {
    run(command, ...args);
    return true;
  } catch {
    return false;
  }
}

/** Asks until `check` gives something, each `interval` milliseconds, `limit` milliseconds at most. */
export async function poll<T>(limit: number, interval: number, check: () => T | Promise<T>): Promise<T | undefined> {
  const end = Date.now() + limit;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() >= end) return undefined;
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

/** Reads a file below /proc, /sys or /run that may be gone at any time. */
export function readIfThere(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** Whether the process runs and is not only waiting to be reaped. */
export function isRunning(pid: number): boolean {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat !== undefined && !/\) [ZX] /.test(stat);
}

/** Sends a signal; a process that is gone already is as good as one that got it. */
export function signal(pid: number, name: NodeJS.Signals | number): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/**
 * Does `work` while no other process of this computer holds the lock `name`. The lock is a socket without a
 * file: the kernel frees it when its holder dies, however it dies.
 */
export async function withLock<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  const holder = await poll(300_000, 50, () => listen(`\0groundwork/${name}`));
  if (!holder) throw new MachineError(`another process has worked on ${name} for five minutes: end it, then try again`);
  try {
    return await work();
  } finally {
    await new Promise((resolve) => holder.close(resolve));
  }
}

function listen(address: string): Promise<net.Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => resolve(server));
  });
}

/** The greeting of an SSH server, or undefined when none answers within a second. */
export function sshBanner(address: string, port = 22): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: address, port });
    const done = (banner?: string): void => {
      socket.destroy();
      resolve(banner);
    };
    socket.setTimeout(1000, () => done());
    socket.once("error", () => done());
    // What only passes connections on accepts before the server behind it is up, and hangs up then.
    socket.once("close", () => done());
    socket.once("data", (data) =>
      done(data.toString("latin1").startsWith("SSH-") ? data.toString("latin1").trim() : undefined),
    );
  });
}
