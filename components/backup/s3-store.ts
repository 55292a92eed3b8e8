import { Readable } from "node:stream";
import { request } from "undici";
import { type Keys, pathOf, queryOf, sha256, sign } from "./sign";
import { type BackupStore, type Stored, StoreError } from "./store";

export interface S3Options {
  bucket: string;
  /** In front of every key, without a slash at its end. */
  prefix: string;
  /** @default Amazon's for the region */
  endpoint?: string;
  /** @default "us-east-1" */
  region?: string;
  /** @default AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment */
  keys?: Keys;
}

/** What is sent at once, and kept in memory for it. An object that is longer goes in parts; S3 takes 10,000 of them. */
const piece = 16 * 1024 * 1024;

/** Seconds without an answer. */
const patience = 120;
/** What may pass: the server's own troubles, and being asked too often. */
const passing = new Set([429, 500, 502, 503, 504]);

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable & { text(): Promise<string> };
}

/** Backups in a bucket of any maker's that speaks S3's API, the bucket as part of the path. */
export class S3Store implements BackupStore {
  readonly place: string;
  private readonly base: string;
  private readonly region: string;

  /** @throws StoreError where there are no keys */
  constructor(private readonly options: S3Options) {
    const { bucket, prefix, endpoint, region = "us-east-1" } = options;
    this.region = region;
    this.base = `${(endpoint ?? `https://s3.${region}.amazonaws.com`).replace(/\/$/, "")}/${bucket}`;
    this.place = `s3://${bucket}${prefix ? `/${prefix.replace(/\/$/, "")}` : ""}`;
  }

  private key(key: string): string {
    const prefix = this.options.prefix.replace(/^\/|\/$/g, "");
    return prefix ? `${prefix}/${key}` : key;
  }

  private keys(): Keys {
    const { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey } = process.env;
    if (this.options.keys) return this.options.keys;
    if (accessKey && secretKey) return { accessKey, secretKey };
    throw new StoreError(
      `${this.place} needs its keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment`,
    );
  }

  async put(key: string, content: Readable): Promise<number> {
    const path = pathOf(this.key(key));
    const pieces = inPieces(content);
    const first = await pieces.next();
    const head = first.done ? Buffer.alloc(0) : first.value;
    const second = await pieces.next();
    if (second.done) {
      await this.call("PUT", path, {}, head);
      return head.length;
    }
    const begun = await (await this.call("POST", path, { uploads: "" })).body.text();
    const upload = element(begun, "UploadId");
    if (!upload) throw new StoreError(`${this.place} began no upload: ${begun.slice(0, 200)}`);
    try {
      return await this.putPieces(path, upload, head, second.value, pieces);
    } catch (error) {
      // Parts of an upload that was given up cost money until somebody says so.
      await this.call("DELETE", path, { uploadId: upload }).catch(() => undefined);
      throw error;
    }
  }

  private async putPieces(
    path: string,
    uploadId: string,
    head: Buffer,
    second: Buffer,
    rest: AsyncGenerator<Buffer, void>,
  ): Promise<number> {
    const tags: string[] = [];
    let bytes = 0;
    const send = async (body: Buffer): Promise<void> => {
      const answer = await this.call("PUT", path, { partNumber: String(tags.length + 1), uploadId }, body);
      await answer.body.text();
      tags.push(String(answer.headers["etag"]));
      bytes += body.length;
    };
    await send(head);
    await send(second);
    for await (const body of rest) await send(body);
    const parts = tags.map((tag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${tag}</ETag></Part>`);
    const body = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
    const done = await (await this.call("POST", path, { uploadId }, Buffer.from(body))).body.text();
    // It answers 200 before it knows.
    if (element(done, "Code"))
      throw new StoreError(`${this.place}: ${element(done, "Code")} ${element(done, "Message")}`);
    return bytes;
  }

  async get(key: string): Promise<Readable> {
    return (await this.call("GET", pathOf(this.key(key)), {})).body;
  }

  async list(prefix: string): Promise<Stored[]> {
    const found: Stored[] = [];
    const own = this.key("").length;
    for (let token = ""; ;) {
      const query = { "list-type": "2", prefix: this.key(prefix), ...(token && { "continuation-token": token }) };
      const xml = await (await this.call("GET", "", query)).body.text();
      for (const [, entry = ""] of xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
        found.push({ key: element(entry, "Key").slice(own), bytes: Number(element(entry, "Size")) });
      }
      token = element(xml, "NextContinuationToken");
      if (!token) return found.sort((a, b) => (a.key < b.key ? -1 : 1));
    }
  }

  async remove(key: string): Promise<void> {
    await (await this.call("DELETE", pathOf(this.key(key)), {})).body.text();
  }

  /** @throws StoreError in words for a person; what may pass is tried four times */
  private async call(
    method: "GET" | "PUT" | "POST" | "DELETE",
    path: string,
    query: Record<string, string>,
    body?: Buffer,
  ) {
    const url = new URL(path ? `${this.base}/${path}` : `${this.base}/`);
    url.search = queryOf(query);
    const unsigned = { method, url, headers: {}, bodySha256: sha256(body ?? "") };
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { host: _host, ...headers } = sign(unsigned, this.keys(), this.region);
        const timeouts = { headersTimeout: patience * 1000, bodyTimeout: patience * 1000 };
        const { statusCode, headers: given, body: stream } = await request(url, { method, headers, body, ...timeouts });
        const answer: Answer = { status: statusCode, headers: given, body: stream };
        if (statusCode < 300) return answer;
        const text = await answer.body.text();
        if (!passing.has(statusCode) || attempt >= 4) throw this.refusal(method, path, statusCode, text);
      } catch (error) {
        if (error instanceof StoreError) throw error;
        if (attempt >= 4) throw new StoreError(`${this.place} does not answer: ${(error as Error).message}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 250 * 4 ** (attempt - 1)));
    }
  }

  private refusal(method: string, path: string, status: number, xml: string): StoreError {
    const code = element(xml, "Code");
    if (status === 404) return new StoreError(`${this.place} has no ${decodeURIComponent(path) || "such bucket"}`);
    if (status === 403) {
      return new StoreError(
        `${this.place} refuses the keys of the environment (${code || status}): ${element(xml, "Message")}`,
      );
    }
    return new StoreError(`${this.place}: ${method} ${status} ${code} ${element(xml, "Message")}`.trim());
  }
}

const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** The content of the first element of that name; empty where there is none. The answers that are read have no attributes. */
function element(xml: string, name: string): string {
  const content = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? "";
  return content.replace(/&(?:#(\d+)|(\w+));/g, (_, code: string | undefined, entity = "") =>
    code === undefined ? (entities[entity as string] ?? "") : String.fromCodePoint(Number(code)),
  );
}

async function* inPieces(content: Readable): AsyncGenerator<Buffer, void> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const chunk of content) {
    held.push(chunk as Buffer);
    length += (chunk as Buffer).length;
    if (length < piece) continue;
    yield Buffer.concat(held);
    held = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(held);
}
