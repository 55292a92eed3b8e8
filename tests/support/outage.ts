import type { Answer, Call } from "./https";

type Site = <T>(path: string, call?: Call) => Promise<Answer<T>>;

/** What a watcher saw. */
export interface Outages {
  requests: number;
  failed: number;
  /** Longest time from the first failed request to the next that was answered, in seconds. */
  longest: number;
}

/**
 * Asks for a path again and again, each request with a short limit of its own, and keeps the longest time for which nothing
 * was answered.
 */
export class OutageWatch {
  private stopped = false;
  private since: number | undefined;
  private readonly seen: Outages = { requests: 0, failed: 0, longest: 0 };
  private readonly running: Promise<void>;

  /** @param seconds after which it ends by itself @param pause milliseconds between two requests */
  constructor(site: Site, path: string, options: { seconds: number; pause: number }) {
    this.running = this.run(site, path, options);
  }

  async stop(): Promise<Outages> {
    this.stopped = true;
    await this.running;
    this.answered();
    return { ...this.seen, longest: Number(this.seen.longest.toFixed(1)) };
  }

  private async run(site: Site, path: string, { seconds, pause }: { seconds: number; pause: number }): Promise<void> {
    const end = Date.now() + seconds * 1000;
    while (!this.stopped && Date.now() < end) {
      const began = Date.now();
      this.seen.requests += 1;
      const status = await site(path, { timeoutMs: 2000 }).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) this.answered();
      else {
        this.seen.failed += 1;
        this.since ??= began;
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  private answered(): void {
    if (this.since === undefined) return;
    this.seen.longest = Math.max(this.seen.longest, (Date.now() - this.since) / 1000);
    this.since = undefined;
  }
}
