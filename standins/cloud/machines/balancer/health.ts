import * as http from "node:http";
import * as https from "node:https";
import * as net from "node:net";
import type { LoadBalancerHealthCheck } from "../../backend";

export type Status = "healthy" | "unhealthy" | "unknown";

/** Whether a connection can be had. */
function answersTcp(address: string, port: number, timeout: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: address, port });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeout, () => done(false));
    socket.once("error", () => done(false));
    socket.once("connect", () => done(true));
  });
}

/** Whether a status is among patterns such as `200`, `2??`. */
export const isExpected = (status: number, patterns: string[]): boolean =>
  patterns.some((pattern) => new RegExp(`^${pattern.replaceAll("?", "\\d")}$`).test(String(status)));

/** Whether a GET is answered by a status that is expected, with the text that is expected. */
function answersHttp(address: string, check: LoadBalancerHealthCheck): Promise<boolean> {
  const wanted = { domain: "", path: "/", response: "", statusCodes: ["2??", "3??"], tls: false, ...check.http };
  return new Promise((resolve) => {
    const options = {
      ...{ host: address, port: check.port, path: wanted.path, timeout: check.timeout * 1000, agent: false },
      ...{ headers: { host: wanted.domain || address }, rejectUnauthorized: false },
      servername: wanted.domain || undefined,
    };
    const request = (wanted.tls ? https : http).get(options, (answer) => {
      let body = "";
      answer.on("data", (part: Buffer) => (body += body.length < 65_536 ? part.toString() : ""));
      answer.once("end", () =>
        resolve(isExpected(answer.statusCode ?? 0, wanted.statusCodes) && body.includes(wanted.response)),
      );
    });
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(false));
  });
}

/**
 * Asks a target again and again. One success makes it healthy; it is unhealthy after `retries` failures in a row, and unknown until
 * the first word.
 */
export class Watch {
  status: Status = "unknown";
  private failures = 0;
  private timer?: NodeJS.Timeout;
  private ended = false;

  constructor(
    private readonly address: string,
    private readonly check: LoadBalancerHealthCheck,
    private readonly changed: () => void,
  ) {
    void this.ask();
  }

  private async ask(): Promise<void> {
    const { check, address } = this;
    const answers =
      check.protocol === "http"
        ? await answersHttp(address, check)
        : await answersTcp(address, check.port, check.timeout * 1000);
    if (this.ended) return;
    this.failures = answers ? 0 : this.failures + 1;
    const status = answers ? "healthy" : this.failures >= check.retries ? "unhealthy" : this.status;
    if (status !== this.status) {
      this.status = status;
      this.changed();
    }
    this.timer = setTimeout(() => void this.ask(), check.interval * 1000);
  }

  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
  }
}
