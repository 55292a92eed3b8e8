import { createHash } from "node:crypto";
import { Transform } from "node:stream";

/** Bytes and SHA-256 of what went through; complete once the stream has ended. */
export class Measure extends Transform {
  bytes = 0;
  private readonly hash = createHash("sha256");
  private digest: string | undefined;

  /** @param until what must have ended well before the stream may end @default nothing */
  constructor(until?: Promise<void>) {
    super({
      transform: (chunk: Buffer, _encoding, done) => {
        this.hash.update(chunk);
        this.bytes += chunk.length;
        done(null, chunk);
      },
      flush: (done) => {
        (until ?? Promise.resolve()).then(() => done(), done);
      },
    });
  }

  get sha256(): string {
    return (this.digest ??= this.hash.digest("hex"));
  }
}
