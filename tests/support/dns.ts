import { createHmac, timingSafeEqual } from "node:crypto";
import * as dgram from "node:dgram";
import * as net from "node:net";

const type = { A: 1, SOA: 6, TXT: 16, TSIG: 250 };
const code = { ok: 0, malformed: 1, refused: 5, notAuthorised: 9 };

interface Record {
  name: string;
  type: number;
  class: number;
  data: Buffer;
  /** Where it begins in the message. */
  start: number;
}

export interface DnsDoubleArgs {
  /** The one zone that it answers for. */
  zone: string;
  /** Address of every name in it. */
  address: string;
  /** Key that updates have to be signed with (TSIG, HMAC-SHA256). */
  key: { name: string; secret: Buffer };
  /** @default any */
  port?: number;
}

/**
 * A test double of a zone's DNS server, over UDP and TCP: A and TXT questions, and dynamic updates (RFC 2136) of TXT records signed by
 * TSIG (RFC 8945). Its own answers are not signed, and there is no transfer.
 */
export class DnsDouble {
  readonly records = new Map<string, Set<string>>();
  /** Updates that were taken, and those that were refused for their signature. */
  readonly updates = { taken: 0, refused: 0 };
  private readonly socket = dgram.createSocket("udp4");
  private readonly listener = net.createServer((connection) => this.converse(connection));
  private readonly args: DnsDoubleArgs;

  private constructor(args: DnsDoubleArgs) {
    this.args = args;
  }

  static async start(args: DnsDoubleArgs): Promise<DnsDouble> {
    const server = new DnsDouble(args);
    server.socket.on("message", (message, from) => server.socket.send(server.answer(message), from.port, from.address));
    await new Promise<void>((resolve, reject) => {
      server.socket.once("error", reject);
      server.socket.bind(args.port ?? 0, "127.0.0.1", resolve);
    });
    const { port } = server.socket.address();
    await new Promise<void>((resolve, reject) => {
      server.listener.once("error", reject).listen(port, "127.0.0.1", resolve);
    });
    return server;
  }

  /** `address:port`. */
  get nameserver(): string {
    return `127.0.0.1:${this.socket.address().port}`;
  }

  stop(): void {
    this.socket.close();
    this.listener.close();
  }

  /** Over TCP each message comes after its length. */
  private converse(connection: net.Socket): void {
    let received = Buffer.alloc(0);
    connection.on("error", () => connection.destroy());
    connection.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const length = received.readUInt16BE(0);
        const answer = this.answer(received.subarray(2, 2 + length));
        connection.write(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 0xff]), answer]));
        received = received.subarray(2 + length);
      }
    });
  }

  private answer(message: Buffer): Buffer {
    try {
      const isUpdate = ((message[2]! >> 3) & 0xf) === 5;
      return isUpdate ? this.update(message) : this.ask(message);
    } catch {
      return reply(message, code.malformed);
    }
  }

  private ask(message: Buffer): Buffer {
    const question = readName(message, 12);
    const wanted = message.readUInt16BE(question.end);
    const name = question.name.toLowerCase();
    const answers: Buffer[] = [];
    if (wanted === type.A) answers.push(Buffer.from(this.args.address.split(".").map(Number)));
    if (wanted === type.TXT) {
      for (const value of this.records.get(name) ?? []) {
        answers.push(Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]));
      }
    }
    if (wanted === type.SOA && name === this.args.zone) answers.push(this.soa());
    return reply(message, code.ok, question.end + 4, wanted, answers);
  }

  private soa(): Buffer {
    const numbers = Buffer.alloc(20);
    [1, 60, 60, 60, 1].forEach((number, index) => numbers.writeUInt32BE(number, index * 4));
    return Buffer.concat([writeName(`ns.${this.args.zone}`), writeName(`admin.${this.args.zone}`), numbers]);
  }

  private update(message: Buffer): Buffer {
    const [prerequisites = 0, updates = 0, additional = 0] = [6, 8, 10].map((at) => message.readUInt16BE(at));
    let at = readName(message, 12).end + 4;
    const records: Record[] = [];
    for (let left = prerequisites + updates + additional; left > 0; left--) {
      const { record, end } = readRecord(message, at);
      records.push(record);
      at = end;
    }
    const signature = records.at(-1);
    if (!signature || signature.type !== type.TSIG || !this.isSigned(message, signature)) {
      this.updates.refused++;
      return reply(message, code.notAuthorised);
    }
    for (const record of records.slice(prerequisites, prerequisites + updates)) {
      if (record.type !== type.TXT) return reply(message, code.refused);
      const values = this.records.get(record.name) ?? new Set();
      const value = record.data.subarray(1).toString();
      if (record.class === 1) values.add(value);
      else values.delete(value);
      this.records.set(record.name, values);
    }
    this.updates.taken++;
    return reply(message, code.ok);
  }

  /** RFC 8945, 4.3: the message without the signature, then the signature's own variables. */
  private isSigned(message: Buffer, record: Record): boolean {
    const { key } = this.args;
    if (record.name !== key.name) return false;
    const algorithm = readName(record.data, 0);
    const [macLength, macStart] = [record.data.readUInt16BE(algorithm.end + 8), algorithm.end + 10];
    const mac = record.data.subarray(macStart, macStart + macLength);
    const after = macStart + macLength;
    const unsigned = Buffer.from(message.subarray(0, record.start));
    unsigned.writeUInt16BE(message.readUInt16BE(10) - 1, 10);
    unsigned.writeUInt16BE(record.data.readUInt16BE(after), 0);
    const variables = Buffer.concat([
      writeName(record.name),
      Buffer.from([0, 255, 0, 0, 0, 0]), // class ANY, time to live 0
      writeName(algorithm.name),
      record.data.subarray(algorithm.end, algorithm.end + 8), // time signed, fudge
      record.data.subarray(after + 2), // error, other data
    ]);
    const signed = record.data.readUIntBE(algorithm.end, 6);
    const expected = createHmac("sha256", key.secret).update(unsigned).update(variables).digest();
    return (
      Math.abs(signed - Date.now() / 1000) < 300 && expected.length === mac.length && timingSafeEqual(expected, mac)
    );
  }
}

function readName(message: Buffer, at: number): { name: string; end: number } {
  const labels: string[] = [];
  for (let end: number | undefined; ;) {
    const length = message.readUInt8(at);
    if (length >= 0xc0) {
      end ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
    } else if (length === 0) {
      return { name: labels.join(".").toLowerCase(), end: end ?? at + 1 };
    } else {
      labels.push(message.subarray(at + 1, at + 1 + length).toString());
      at += length + 1;
    }
  }
}

const writeName = (name: string): Buffer =>
  Buffer.concat([
    ...name
      .split(".")
      .filter((label) => label)
      .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);

function readRecord(message: Buffer, start: number): { record: Record; end: number } {
  const { name, end } = readName(message, start);
  const length = message.readUInt16BE(end + 8);
  const data = message.subarray(end + 10, end + 10 + length);
  const record = { name, type: message.readUInt16BE(end), class: message.readUInt16BE(end + 2), data, start };
  return { record, end: end + 10 + length };
}

/** An answer with the question repeated, and records under the question's name. */
function reply(message: Buffer, rcode: number, questionEnd = 12, of = 0, answers: Buffer[] = []): Buffer {
  const header = Buffer.from(message.subarray(0, 12));
  header.writeUInt16BE((0x8480 & ~0x0100) | (message.readUInt16BE(2) & 0x7900) | rcode, 2);
  [questionEnd > 12 ? 1 : 0, answers.length, 0, 0].forEach((count, index) =>
    header.writeUInt16BE(count, 4 + index * 2),
  );
  const records = answers.map((data) => {
    const head = Buffer.from([0xc0, 12, 0, of, 0, 1, 0, 0, 0, 1, data.length >> 8, data.length & 0xff]);
    return Buffer.concat([head, data]);
  });
  return Buffer.concat([header, message.subarray(12, questionEnd), ...records]);
}
