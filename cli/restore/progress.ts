import * as fs from "node:fs";
import * as path from "node:path";
import { stateFolder, writeAtomically } from "../paths";

/** What of a restore is done, in this order. */
export type Step = "state" | "cluster" | "objects" | "vault" | "database" | "login" | "serving";

interface Notes {
  id: string;
  place: string;
  /** ISO 8601. */
  begun: string;
  done: Step[];
}

/** Milliseconds that a restore may take with all its interruptions. */
const longest = 24 * 3_600_000;

const folder = (): string => stateFolder("restore");
const fileOf = (stack: string): string => path.join(folder(), `${stack}.json`);

/** Where a restore is, kept on disk: one that was ended by anything goes on where it was. */
export class Progress {
  private constructor(
    private readonly stack: string,
    private readonly notes: Notes,
  ) {}

  /** The restore that has not come to its end. Undefined where there is none. */
  static of(stack: string): Progress | undefined {
    const file = fileOf(stack);
    if (!fs.existsSync(file)) return undefined;
    return new Progress(stack, JSON.parse(fs.readFileSync(file, "utf8")) as Notes);
  }

  static begin(stack: string, id: string, place: string): Progress {
    const progress = new Progress(stack, { id, place, begun: new Date().toISOString(), done: [] });
    progress.write();
    return progress;
  }

  get id(): string {
    return this.notes.id;
  }
  get begun(): Date {
    return new Date(this.notes.begun);
  }

  get file(): string {
    return fileOf(this.stack);
  }

  /** Whether it was begun so long ago that the stack may have been used since. */
  isOld(now = new Date()): boolean {
    return now.getTime() - this.begun.getTime() > longest;
  }

  has(step: Step): boolean {
    return this.notes.done.includes(step);
  }

  /** Does a step unless it is done, and notes that it is. */
  async once(step: Step, work: () => Promise<void>): Promise<void> {
    if (this.has(step)) return;
    await work();
    this.notes.done.push(step);
    this.write();
  }

  end(): void {
    fs.rmSync(fileOf(this.stack), { force: true });
  }

  private write(): void {
    writeAtomically(fileOf(this.stack), JSON.stringify(this.notes, null, 2), 0o600);
  }
}

/** Where the state of the dead cluster is kept as it was, its secrets encrypted. */
export const formerStateFile = (stack: string, now = new Date()): string =>
  path.join(folder(), `${stack}-state-before-${now.toISOString().replace(/[:.]/g, "-")}.json`);
