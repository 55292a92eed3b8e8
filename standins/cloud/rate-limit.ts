import type { State } from "./state";

/** Requests an hour and project; what was used comes back evenly over the hour, as the API says. */
export class RateLimit {
  constructor(
    private readonly state: State,
    readonly limit: number,
  ) {}

  private refill(): void {
    const { rate } = this.state;
    const now = Date.now();
    rate.left = Math.min(this.limit, rate.left + ((now - rate.at) / 3_600_000) * this.limit);
    rate.at = now;
  }

  /** Takes one request; false when there is none left. */
  take(): boolean {
    this.refill();
    const { rate } = this.state;
    if (rate.left < 1) return false;
    rate.left -= 1;
    return true;
  }

  /** Sets what is left, for tests. */
  set(left: number): void {
    Object.assign(this.state.rate, { left, at: Date.now() });
  }

  /** `RateLimit-Reset` is when all of it will be there again, in seconds since 1970. */
  headers(): Record<string, string> {
    const { rate } = this.state;
    const missing = ((this.limit - rate.left) / this.limit) * 3600;
    return {
      "RateLimit-Limit": String(this.limit),
      "RateLimit-Remaining": String(Math.floor(rate.left)),
      "RateLimit-Reset": String(Math.ceil(Date.now() / 1000 + missing)),
    };
  }
}
