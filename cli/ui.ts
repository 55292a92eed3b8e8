import * as fs from "node:fs";
import * as path from "node:path";
import { stateFolder, writeAtomically } from "./paths";

/** An error of the user's or the machine's making: shown as it is, without a stack trace, with exit code 1. */
export class UserError extends Error {}

const timesFile = () => path.join(stateFolder(), "times.json");

function readTimes(): Record<string, number> {
  try {
    return JSON.parse(fs.readFileSync(timesFile(), "utf8")) as Record<string, number>;
  } catch {
    return {}; // the first run, or a file cut short: it only feeds the "last time" remark
  }
}

/** Seconds as people say them. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return `${Math.round(seconds / 60)} min`;
}

/** Where a step's output is logged: one file a step, started anew each time. */
export function logFile(step: string): string {
  return path.join(stateFolder("logs"), `${step.replace(/[^a-z0-9]+/gi, "-").toLowerCase()}.log`);
}

/** Runs one long step: says what it does and how long it took last time, then how long it took now. */
export async function step<T>(name: string, work: () => Promise<T>, options: { log?: string } = {}): Promise<T> {
  const last = readTimes()[name];
  const remarks = [last ? `last time ${duration(last)}` : "", options.log ? `log: ${options.log}` : ""].filter(Boolean);
  say(`> ${name}${remarks.length ? ` (${remarks.join("; ")})` : ""}`);
  const started = Date.now();
  const result = await work();
  const seconds = (Date.now() - started) / 1000;
  writeAtomically(timesFile(), JSON.stringify({ ...readTimes(), [name]: seconds }, null, 2));
  say(`  ${name}: ${duration(seconds)}`);
  return result;
}

/** Progress goes to standard error: standard output belongs to what a command answers. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Columns padded to their widest cell; the header is underlined. */
export function table(header: string[], rows: string[][]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return [line(header), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** Asks for one line on the terminal; without a terminal the answer is empty. */
export async function ask(question: string): Promise<string> {
  if (!process.stdin.isTTY) return "";
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}
