import * as fs from "node:fs";
import * as path from "node:path";

/** How long an answer, or the lack of one, is believed: milliseconds. */
const REMEMBERED = 10 * 60_000;
/** How long a host may take to answer: milliseconds. */
const PATIENCE = 3_000;

/** Asks a URL's host; see `answers` in http.ts, which is loaded only when somebody must be asked. */
export type Probe = (url: string, timeout: number, accept: number[]) => Promise<boolean>;

const ask: Probe = async (url, timeout, accept) => (await import("./http")).answers(url, timeout, accept);

interface Memory {
  [origin: string]: { reachable: boolean; at: number };
}

/** Which upstream hosts can be reached, asked once in ten minutes for each, so that an offline start costs nothing. */
export class Reachability {
  private readonly file: string;
  private readonly probe: Probe;
  private memory: Memory;
  private readonly asked = new Map<string, Promise<boolean>>();

  constructor(cache: string, probe: Probe = ask) {
    this.file = path.join(cache, "reachability.json");
    this.probe = probe;
    this.memory = readMemory(this.file);
  }

  /** Whether the URL's host answers; 401 counts where `accept` says so, as registries greet with it. */
  async of(url: string, accept: number[] = []): Promise<boolean> {
    const origin = new URL(url).origin;
    const known = this.memory[origin];
    const age = known === undefined ? Infinity : Date.now() - known.at;
    if (known !== undefined && age >= 0 && age < REMEMBERED) return known.reachable;
    let asked = this.asked.get(origin);
    if (asked === undefined) {
      asked = this.probe(url, PATIENCE, accept).then((reachable) => {
        this.remember(origin, reachable);
        return reachable;
      });
      this.asked.set(origin, asked);
    }
    return asked;
  }

  /** Notes that a host which answered the probe failed in use, so that the rest of the run does not wait for it again. */
  remember(origin: string, reachable: boolean): void {
    this.memory = { ...readMemory(this.file), [origin]: { reachable, at: Date.now() } };
    fs.mkdirSync(path.dirname(this.file), { recursive: true });
    const temporary = `${this.file}.${process.pid}.tmp`;
    fs.writeFileSync(temporary, JSON.stringify(this.memory));
    fs.renameSync(temporary, this.file);
  }

  /** Forgets what was found, so that `artifacts fetch` asks anew. */
  forget(): void {
    this.memory = {};
    this.asked.clear();
    fs.rmSync(this.file, { force: true });
  }
}

function readMemory(file: string): Memory {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as Memory;
  } catch {
    return {}; // missing or damaged: ask again
  }
}
