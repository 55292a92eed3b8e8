/** How far the process is. Only `ready` takes traffic. */
export type Phase = "starting" | "migrating" | "ready" | "stopping";

/** What readiness comes to, and why. */
export interface Readiness {
  ready: boolean;
  phase: Phase;
  database: "reachable" | "unreachable" | "unknown";
}

/** Milliseconds for which an answer of the database is good: probes of several callers share one. */
const FRESH = 500;

/** Milliseconds after which the database counts as unreachable; a kubelet gives a probe one second by default. */
const PATIENCE = 800;

/** Tells whether traffic may come. Liveness needs no state: who can answer is alive. */
export class Health {
  phase: Phase = "starting";
  private asked = 0;
  private answer: Promise<boolean> = Promise.resolve(false);

  constructor(private readonly ping: () => Promise<void>) {}

  async readiness(): Promise<Readiness> {
    if (this.phase !== "ready") return { ready: false, phase: this.phase, database: "unknown" };
    if (Date.now() - this.asked > FRESH) {
      this.asked = Date.now();
      this.answer = this.ask();
    }
    const reachable = await this.answer;
    return { ready: reachable, phase: this.phase, database: reachable ? "reachable" : "unreachable" };
  }

  private async ask(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), PATIENCE)));
    try {
      return await Promise.race([this.ping().then(() => true), late]);
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
    }
  }
}
