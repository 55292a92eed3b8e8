import type { Answer, Call } from "./https";

type Site = <T>(path: string, call?: Call) => Promise<Answer<T>>;

/** What came of a load. */
export interface LoadResult {
  requests: number;
  /** One line for each request that was not answered as it should be. */
  failures: string[];
}

/**
 * Writes rows and reads each back, one after the other, until it is told to stop or so many seconds have passed. Every answer
 * must be the right one: a row that was written is read as it was written.
 *
 * @param pause milliseconds between two rounds, so that the load is bounded
 */
export class Load {
  private stopped = false;
  private readonly result: LoadResult = { requests: 0, failures: [] };
  private readonly running: Promise<void>;

  constructor(site: Site, options: { seconds: number; pause: number }) {
    this.running = this.run(site, options);
  }

  async stop(): Promise<LoadResult> {
    this.stopped = true;
    await this.running;
    return this.result;
  }

  private async run(site: Site, { seconds, pause }: { seconds: number; pause: number }): Promise<void> {
    const end = Date.now() + seconds * 1000;
    for (let round = 0; !this.stopped && Date.now() < end; round++) {
      const name = `under load ${round}`;
      const made = await this.ask<{ id: string }>(
        () => site("/items", { method: "POST", body: { name, quantity: round } }),
        201,
      );
      if (made) {
        const read = await this.ask<{ name: string }>(() => site(`/items/${made.id}`), 200);
        if (read && read.name !== name) this.result.failures.push(`round ${round}: read "${read.name}"`);
        await this.ask(() => site(`/items/${made.id}`, { method: "DELETE" }), 204);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  private async ask<T>(request: () => Promise<Answer<unknown>>, wanted: number): Promise<T | undefined> {
    this.result.requests += 1;
    try {
      const { status, body } = await request();
      if (status === wanted) return body as T;
      this.result.failures.push(`${new Date().toISOString()} status ${status}: ${JSON.stringify(body)}`);
    } catch (error) {
      this.result.failures.push(`${new Date().toISOString()} ${(error as Error).message}`);
    }
    return undefined;
  }
}
