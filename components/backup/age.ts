import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  scrypt as scryptOf,
  timingSafeEqual,
} from "node:crypto";
import { Readable, Transform, type TransformCallback } from "node:stream";

/**
 * The file format of age, version 1, with its passphrase recipient (https://age-encryption.org/v1): header with the file's
 * key, wrapped by scrypt and ChaCha20-Poly1305; then chunks of 64 KiB, each authenticated and numbered, the last one marked,
 * so that a file that was cut off is noticed. `age --decrypt` opens what is written here.
 */
const intro = "age-encryption.org/v1";
const chunkBytes = 64 * 1024;
const tagBytes = 16;

/** What scrypt costs: 2 to the power of it. age's own is 18, a second and 256 MiB. */
const defaultWork = 18;
/** Beyond which a header is not believed: it would only cost memory. */
const mostWork = 20;

/** A file that is none of age's, is damaged or cut off, or of another passphrase; in words for a person. */
export class AgeError extends Error {
  readonly userError = true;
  constructor(
    override readonly cause: "passphrase" | "damaged",
    message: string,
  ) {
    super(message);
  }
}

const base64 = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");
const derive = (key: Buffer, salt: Buffer, info: string): Buffer =>
  Buffer.from(hkdfSync("sha256", key, salt, info, 32));

function wrapKey(passphrase: string, salt: Buffer, work: number): Promise<Buffer> {
  const salted = Buffer.concat([Buffer.from(`${intro}/scrypt`), salt]);
  const cost = { N: 2 ** work, r: 8, p: 1, maxmem: 2 ** work * 8 * 128 + (1 << 25) };
  return new Promise((resolve, reject) => {
    scryptOf(passphrase, salted, 32, cost, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

const seal = (key: Buffer, nonce: Buffer, plain: Buffer): Buffer => {
  const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: tagBytes });
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
};

/** @throws where it is not what was sealed */
const unseal = (key: Buffer, nonce: Buffer, sealed: Buffer): Buffer => {
  const cipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: tagBytes });
  cipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  return Buffer.concat([cipher.update(sealed.subarray(0, sealed.length - tagBytes)), cipher.final()]);
};

/** Numbers of chunks: eleven bytes that count, one that says which is the last. */
class Counter {
  private count = 0n;
  next(last: boolean): Buffer {
    const nonce = Buffer.alloc(12);
    nonce.writeBigUInt64BE(this.count, 3);
    nonce[11] = last ? 1 : 0;
    this.count += 1n;
    return nonce;
  }
}

/**
 * A stream that encrypts what goes through it.
 * @param work lower it only for passphrases of 128 random bits and more @default 18
 */
export async function encrypting(passphrase: string, work = defaultWork): Promise<Transform> {
  const [fileKey, salt, nonce] = [randomBytes(16), randomBytes(16), randomBytes(16)];
  const body = seal(await wrapKey(passphrase, salt, work), Buffer.alloc(12), fileKey);
  const header = `${intro}\n-> scrypt ${base64(salt)} ${work}\n${base64(body)}\n---`;
  const mac = createHmac("sha256", derive(fileKey, Buffer.alloc(0), "header"))
    .update(header)
    .digest();
  const key = derive(fileKey, nonce, "payload");
  const counter = new Counter();
  let rest = Buffer.alloc(0);
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      rest = Buffer.concat([rest, chunk]);
      // A full chunk stays back until there is more: it may be the last.
      while (rest.length > chunkBytes) {
        this.push(seal(key, counter.next(false), rest.subarray(0, chunkBytes)));
        rest = rest.subarray(chunkBytes);
      }
      done();
    },
    flush(done: TransformCallback) {
      this.push(seal(key, counter.next(true), rest));
      done();
    },
  });
  stream.push(Buffer.concat([Buffer.from(`${header} ${base64(mac)}\n`), nonce]));
  return stream;
}

/** What a header says, and where it ends. Undefined while it is not all there. */
function readHeader(
  bytes: Buffer,
): { salt: Buffer; work: number; body: Buffer; signed: Buffer; mac: Buffer; end: number } | undefined {
  const text = bytes.subarray(0, 512).toString("latin1");
  if (!`${intro}\n`.startsWith(text.slice(0, intro.length + 1))) throw new AgeError("damaged", "is no encrypted file");
  const found =
    /^age-encryption\.org\/v1\n-> scrypt ([A-Za-z0-9+/]{22}) (\d{1,2})\n([A-Za-z0-9+/]{43})\n--- ([A-Za-z0-9+/]{43})\n/.exec(
      text,
    );
  if (!found) {
    if (bytes.length < 512) return undefined;
    throw new AgeError("damaged", "has a header that is none of a passphrase's");
  }
  const [whole, salt = "", work = "", body = "", mac = ""] = found;
  if (Number(work) > mostWork) throw new AgeError("damaged", `asks for a work factor of ${work}`);
  const signed = Buffer.from(whole.slice(0, whole.lastIndexOf(" ")), "latin1");
  const decode = (part: string): Buffer => Buffer.from(part, "base64");
  return { salt: decode(salt), work: Number(work), body: decode(body), signed, mac: decode(mac), end: whole.length };
}

async function openHeader(passphrase: string, header: NonNullable<ReturnType<typeof readHeader>>): Promise<Buffer> {
  const wrapping = await wrapKey(passphrase, header.salt, header.work);
  let fileKey: Buffer;
  try {
    fileKey = unseal(wrapping, Buffer.alloc(12), header.body);
  } catch {
    throw new AgeError("passphrase", "does not open with this passphrase");
  }
  const mac = createHmac("sha256", derive(fileKey, Buffer.alloc(0), "header"))
    .update(header.signed)
    .digest();
  if (!timingSafeEqual(mac, header.mac)) throw new AgeError("damaged", "has a damaged header");
  return fileKey;
}

/**
 * The content of an encrypted file. What was given out before a mistake is found was authentic; the mistake is an error of
 * the stream.
 */
export function decrypted(passphrase: string, encrypted: Readable): Readable {
  return Readable.from(chunksOf(passphrase, encrypted), { objectMode: false, highWaterMark: 1 << 18 });
}

async function* chunksOf(passphrase: string, encrypted: Readable): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0);
  let key: Buffer | undefined;
  let header: ReturnType<typeof readHeader>;
  const counter = new Counter();
  const open = (chunk: Buffer, last: boolean): Buffer => {
    try {
      if (chunk.length < tagBytes) throw new Error("cut off");
      return unseal(key!, counter.next(last), chunk);
    } catch {
      throw new AgeError("damaged", last ? "is damaged or was cut off" : "is damaged");
    }
  };
  for await (const chunk of encrypted) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    if (key === undefined) {
      header ??= readHeader(rest);
      if (!header || rest.length < header.end + 16) continue;
      const fileKey = await openHeader(passphrase, header);
      key = derive(fileKey, rest.subarray(header.end, header.end + 16), "payload");
      rest = rest.subarray(header.end + 16);
    }
    while (rest.length > chunkBytes + tagBytes) {
      yield open(rest.subarray(0, chunkBytes + tagBytes), false);
      rest = rest.subarray(chunkBytes + tagBytes);
    }
  }
  if (key === undefined) throw new AgeError("damaged", "was cut off");
  yield open(rest, true);
}
