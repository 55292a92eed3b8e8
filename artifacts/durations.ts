import * as fs from "node:fs";
import * as path from "node:path";
import { writeAtomically } from "../cli/paths";

/** How long each entry took to make on this machine, by source: what estimates are made from. */
export class Durations {
  private readonly file: string;
  private readonly seconds: Record<string, number>;

  constructor(cache: string) {
    this.file = path.join(cache, "durations.json");
    this.seconds = readNumbers(this.file);
  }

  /** Seconds that it took last time. */
  last(name: string, type: string): number | undefined {
    return this.seconds[`${name} ${type}`];
  }

  note(name: string, type: string, seconds: number): void {
    this.seconds[`${name} ${type}`] = Math.round(seconds * 10) / 10;
    writeAtomically(this.file, JSON.stringify({ ...readNumbers(this.file), ...this.seconds }));
  }
}

function readNumbers(file: string): Record<string, number> {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, number>;
  } catch {
    return {}; // an estimate that is lost costs nothing
  }
}

/** `5 min 12 s`, `48 s`, `0.8 s`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `93 MiB`, `1.2 GiB`, `12 KiB`. */
export function bytes(size: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  let value = size;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
