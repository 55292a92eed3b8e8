import { createHash, randomBytes } from "node:crypto";
import * as https from "node:https";
import type { Duplex } from "node:stream";
import type { Login } from "../kube";
import { UserError } from "../ui";

/** Frames' kinds in RFC 6455. */
const kinds = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** No message of an API server's is nearly as long. */
const longest = 64 * 1024 * 1024;

export interface Handlers {
  /** A whole message. False: send no more until `resume`. */
  message(data: Buffer): boolean;
  /** The connection is over, in order or not. */
  closed(error?: Error): void;
}

/**
 * The client's side of a WebSocket (RFC 6455) to an API server, with the one thing that Node's own and undici's have not:
 * a reader that is slow holds the sender up, so that a dump of any size passes through without being kept in memory.
 */
export class WebSocketClient {
  private rest: Buffer = Buffer.alloc(0);
  private fragments: Buffer[] = [];
  private over = false;

  private constructor(
    private readonly socket: Duplex,
    private readonly handlers: Handlers,
  ) {}

  /** @throws UserError where the server does not take the connection, with its own words */
  static open(login: Login, path: string, protocol: string, handlers: Handlers): Promise<WebSocketClient> {
    const key = randomBytes(16).toString("base64");
    const headers: Record<string, string> = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-key": key,
      "sec-websocket-version": "13",
      "sec-websocket-protocol": protocol,
      ...(login.token && { authorization: `Bearer ${login.token}` }),
    };
    const { ca, certificate: cert, key: privateKey } = login;
    return new Promise((resolve, reject) => {
      const request = https.get(new URL(path, login.server), { ca, cert, key: privateKey, headers, timeout: 30_000 });
      request.on("timeout", () => request.destroy(new Error("no answer in 30 s")));
      request.on("error", (error) => reject(new UserError(`the cluster does not answer: ${error.message}`)));
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () => {
          const said = Buffer.concat(chunks).toString("utf8").slice(0, 500);
          reject(new UserError(`${path.split("?")[0]}: ${response.statusCode} ${said}`));
        });
      });
      request.on("upgrade", (response, socket: Duplex, head: Buffer) => {
        const wanted = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
        const { "sec-websocket-accept": accept, "sec-websocket-protocol": chosen } = response.headers;
        if (accept !== wanted || chosen !== protocol) {
          socket.destroy();
          reject(new UserError(`the API server does not speak ${protocol}`));
          return;
        }
        (socket as Duplex & { setTimeout?(ms: number): void }).setTimeout?.(0);
        const client = new WebSocketClient(socket, handlers);
        client.listen(head);
        resolve(client);
      });
    });
  }

  private listen(head: Buffer): void {
    this.socket.on("data", (chunk: Buffer) => this.take(chunk));
    this.socket.on("error", (error) => this.finish(error));
    this.socket.on("end", () => this.finish());
    this.socket.on("close", () => this.finish());
    if (head.length > 0) this.take(head);
  }

  private take(chunk: Buffer): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    for (let frame = this.nextFrame(); frame && !this.over; frame = this.nextFrame()) this.handle(frame);
  }

  private nextFrame(): { kind: number; last: boolean; payload: Buffer } | undefined {
    const { rest } = this;
    if (rest.length < 2) return undefined;
    const short = rest[1]! & 0x7f;
    const header = short === 127 ? 10 : short === 126 ? 4 : 2;
    if (rest.length < header) return undefined;
    const length = short === 127 ? Number(rest.readBigUInt64BE(2)) : short === 126 ? rest.readUInt16BE(2) : short;
    if (length > longest || (rest[1]! & 0x80) !== 0) {
      this.finish(new Error("the API server sent no proper WebSocket frame"));
      return undefined;
    }
    if (rest.length < header + length) return undefined;
    this.rest = rest.subarray(header + length);
    return { kind: rest[0]! & 0x0f, last: (rest[0]! & 0x80) !== 0, payload: rest.subarray(header, header + length) };
  }

  private handle({ kind, last, payload }: { kind: number; last: boolean; payload: Buffer }): void {
    if (kind === kinds.ping) this.write(kinds.pong, payload);
    else if (kind === kinds.close) {
      this.write(kinds.close, payload.subarray(0, 2));
      this.finish();
    } else if (kind <= kinds.binary) {
      this.fragments.push(payload);
      if (!last) return;
      const message = this.fragments.length === 1 ? payload : Buffer.concat(this.fragments);
      this.fragments = [];
      if (!this.handlers.message(message)) this.socket.pause();
    }
  }

  private write(kind: number, payload: Buffer): boolean {
    const extended = payload.length > 0xffff ? 8 : payload.length > 125 ? 2 : 0;
    const frame = Buffer.alloc(2 + extended + 4 + payload.length);
    frame[0] = 0x80 | kind;
    frame[1] = 0x80 | (extended === 8 ? 127 : extended === 2 ? 126 : payload.length);
    if (extended === 8) frame.writeBigUInt64BE(BigInt(payload.length), 2);
    if (extended === 2) frame.writeUInt16BE(payload.length, 2);
    const mask = randomBytes(4);
    mask.copy(frame, 2 + extended);
    const start = 6 + extended;
    for (let i = 0; i < payload.length; i += 1) frame[start + i] = payload[i]! ^ mask[i & 3]!;
    return this.socket.write(frame);
  }

  /** Sends a message; resolves when there is room for the next one. */
  async send(message: Buffer): Promise<void> {
    if (this.over) throw new Error("the connection is over");
    if (this.write(kinds.binary, message)) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.socket.off("drain", go);
        this.socket.off("close", go);
        resolve();
      };
      this.socket.on("drain", go);
      this.socket.on("close", go);
    });
  }

  resume(): void {
    this.socket.resume();
  }

  close(): void {
    if (!this.over) this.write(kinds.close, Buffer.from([0x03, 0xe8]));
    this.finish();
  }

  private finish(error?: Error): void {
    if (this.over) return;
    this.over = true;
    this.socket.destroy();
    this.handlers.closed(error);
  }
}
