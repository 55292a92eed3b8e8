import * as fs from "node:fs";
import * as https from "node:https";

export interface Call {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Milliseconds without an answer. @default 10000 */
  timeout?: number;
}

export interface Answer {
  status: number;
  body: Buffer;
}

/** HTTPS with an authority that is read anew when its file changes, and connections that are kept. */
export class HttpsClient {
  private agent: https.Agent | undefined;
  private authority = "";

  constructor(
    private readonly caFile: string,
    /** The name that the certificate must carry, where the address is another one. */
    private readonly serverName?: string,
  ) {}

  call(url: string, { method = "GET", headers = {}, body, timeout = 10_000 }: Call = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
      const options: https.RequestOptions = {
        method,
        headers: { ...length, ...headers },
        agent: this.current(),
        timeout,
      };
      const request = https.request(new URL(url), options, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
      });
      request.on("timeout", () => request.destroy(new Error(`no answer from ${new URL(url).host} in ${timeout} ms`)));
      request.on("error", reject);
      request.end(body);
    });
  }

  private current(): https.Agent {
    const authority = fs.readFileSync(this.caFile, "utf8");
    if (!this.agent || authority !== this.authority) {
      this.agent?.destroy();
      this.authority = authority;
      this.agent = new https.Agent({ keepAlive: true, ca: authority, servername: this.serverName });
    }
    return this.agent;
  }
}
