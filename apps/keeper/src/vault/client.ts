import { Answer, Call, HttpsClient } from "../http";
import { blank } from "../log";

/** An answer of Vault's that says no, with its own words. */
export class VaultError extends Error {
  constructor(
    readonly status: number,
    readonly errors: string[],
    request: string,
  ) {
    super(
      blank(`${request}: ${status}${errors.length > 0 ? ` ${errors.join("; ").replace(/\s+/g, " ").trim()}` : ""}`),
    );
    this.name = "VaultError";
  }
}

/** What Vault answers to most requests. */
export interface VaultAnswer {
  data?: Record<string, unknown>;
  auth?: { client_token: string; lease_duration: number; policies?: string[] };
  [key: string]: unknown;
}

/** How a server is. */
export interface Health {
  initialized: boolean;
  sealed: boolean;
  standby: boolean;
  version: string;
}

/** How requests get to Vault: directly, or by the API server's proxy. */
export type Transport = (path: string, call: Call) => Promise<Answer>;

/** A thin client of Vault's HTTP API. Paths are without `/v1/`. */
export class VaultClient {
  /** Sent with each request, once there is one. */
  token: string | undefined;

  constructor(private readonly transport: Transport) {}

  /** A client of a server that is reached over HTTPS. */
  static at(address: string, https: HttpsClient): VaultClient {
    return new VaultClient((path, call) => https.call(`${address}/v1/${path}`, call));
  }

  /** The same server, with another token or none. */
  as(token: string | undefined): VaultClient {
    const other = new VaultClient(this.transport);
    other.token = token;
    return other;
  }

  /** @throws VaultError where Vault says no. */
  async request(method: string, path: string, body?: object, timeout?: number): Promise<VaultAnswer> {
    const answer = await this.raw(method, path, body && JSON.stringify(body), timeout);
    if (answer.status === 204 || answer.body.length === 0) return {};
    return JSON.parse(answer.body.toString("utf8")) as VaultAnswer;
  }

  /** The bytes of an answer. @throws VaultError where Vault says no. */
  async raw(method: string, path: string, body?: string | Buffer, timeout?: number): Promise<Answer> {
    const headers: Record<string, string> = { "x-vault-request": "true" };
    if (this.token !== undefined) headers["x-vault-token"] = this.token;
    const answer = await this.transport(path, { method, headers, body, timeout });
    if (answer.status >= 400) throw new VaultError(answer.status, errorsOf(answer), `${method} ${path.split("?")[0]}`);
    return answer;
  }

  /** What stands at a path; undefined where nothing does. */
  async read(path: string): Promise<VaultAnswer | undefined> {
    try {
      return await this.request("GET", path);
    } catch (error) {
      if (error instanceof VaultError && error.status === 404) return undefined;
      throw error;
    }
  }

  write(path: string, body: object = {}): Promise<VaultAnswer> {
    return this.request("POST", path, body);
  }

  async remove(path: string): Promise<void> {
    await this.request("DELETE", path);
  }

  /** Names below a path. */
  async list(path: string): Promise<string[]> {
    const answer = await this.read(`${path}?list=true`);
    return (answer?.data?.["keys"] as string[] | undefined) ?? [];
  }

  /** Answers also while sealed. @throws where nobody answers. */
  async health(): Promise<Health> {
    const always = "standbycode=200&sealedcode=200&uninitcode=200&performancestandbycode=200&drsecondarycode=200";
    return (await this.request("GET", `sys/health?${always}`, undefined, 3000)) as unknown as Health;
  }
}

function errorsOf({ body }: Answer): string[] {
  try {
    const { errors } = JSON.parse(body.toString("utf8")) as { errors?: string[] };
    return errors ?? [];
  } catch {
    return body.length > 0 ? [body.toString("utf8").slice(0, 200).trim()] : [];
  }
}
