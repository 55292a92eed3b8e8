import { spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import { CommandFailed, Interrupted } from "./errors";

export interface RunOptions {
  /** What is being made: the message of a failure starts with it. */
  what: string;
  /** Standard output and error are appended here. */
  log: string;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Return standard output instead of logging it. */
  capture?: boolean;
}

const children = new Set<ChildProcess>();
let interrupted = false;

/**
 * Ends what runs, and `run` then waits for it: mmdebstrap must get to take its mounts down. All descendants are told, as a
 * terminal's Ctrl-C does: mmdebstrap by itself would first let its own children finish. They stay in this process
 * group, so that whoever kills the group leaves nothing behind.
 */
function onSignal(): void {
  interrupted = true;
  const parents = parentsOfAll();
  const doomed = new Set([...children].map((child) => child.pid ?? 0));
  for (let grown = true; grown;) {
    const more = [...parents].filter(([pid, parent]) => doomed.has(parent) && !doomed.has(pid));
    grown = more.length > 0;
    for (const [pid] of more) doomed.add(pid);
  }
  doomed.delete(0);
  for (const pid of doomed) {
    try {
      process.kill(pid, "SIGTERM");
    } catch {
      // ended meanwhile
    }
  }
}

/** Every process with its parent. */
function parentsOfAll(): Map<number, number> {
  const parents = new Map<number, number>();
  for (const name of fs.readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = fs.readFileSync(`/proc/${name}/stat`, "utf8");
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // ended meanwhile
    }
  }
  return parents;
}

/** How many lines of a failed command's output its message quotes. */
const QUOTED_LINES = 15;

/**
 * Runs a command to its end. While it runs, SIGINT and SIGTERM end it and come out as `Interrupted`.
 * @throws CommandFailed with the end of the output and the log's path
 */
export async function run(command: string, args: string[], options: RunOptions): Promise<string> {
  if (interrupted) throw new Interrupted();
  const log = fs.openSync(options.log, "a");
  fs.writeSync(log, `\n$ ${[command, ...args].join(" ")}\n`);
  const start = fs.fstatSync(log).size;
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["ignore", options.capture ? "pipe" : log, log],
  });
  if (children.size === 0) for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, onSignal);
  children.add(child);
  const output: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => output.push(chunk));
  try {
    const reason = await new Promise<string | undefined>((resolve) => {
      child.on("error", (error) => resolve(`could not be started (${error.message})`));
      child.on("close", (code, signal) =>
        resolve(code === 0 ? undefined : signal ? `was ended by ${signal}` : `failed with exit code ${code}`),
      );
    });
    if (interrupted) throw new Interrupted();
    if (reason !== undefined) {
      throw new CommandFailed(options.what, command, reason, lastLines(options.log, start), options.log);
    }
    return Buffer.concat(output).toString();
  } finally {
    children.delete(child);
    if (children.size === 0) for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
    fs.closeSync(log);
  }
}

/** Whether an interrupt came since the process started. */
export function checkInterrupted(): void {
  if (interrupted) throw new Interrupted();
}

function lastLines(log: string, start: number): string[] {
  const size = fs.statSync(log).size;
  const from = Math.max(start, size - 16_384);
  const buffer = Buffer.alloc(size - from);
  const file = fs.openSync(log, "r");
  try {
    fs.readSync(file, buffer, 0, buffer.length, from);
  } finally {
    fs.closeSync(file);
  }
  const lines = buffer.toString().split("\n");
  return lines.filter((line) => line.trim() !== "").slice(-QUOTED_LINES);
}
