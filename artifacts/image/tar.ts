import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract as tarExtract, pack as tarPack, type Header } from "tar-stream";

/** Every time in an archive made here: content alone decides its digest. */
export const EPOCH = new Date(0);

/** The content of an entry that is being read. */
export type TarContent = NodeJS.ReadableStream & { resume(): void };

type HeaderPart = Partial<Header> & { name: string };

/** What is known of a written archive. */
export interface Written {
  /** Hex SHA-256. */
  sha256: string;
  size: number;
}

/** Appends entries to a tar archive, with times, names of owners and order of fields fixed. */
export class TarWriter {
  private readonly pack = tarPack();
  private readonly done: Promise<Written>;

  constructor(file: string) {
    const hash = createHash("sha256");
    let size = 0;
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        hash.update(chunk);
        size += chunk.length;
        next(null, chunk);
      },
    });
    this.done = pipeline(this.pack, meter, fs.createWriteStream(file)).then(() => ({
      sha256: hash.digest("hex"),
      size,
    }));
    this.done.catch(() => undefined); // reported by close()
  }

  /** Adds a folder, link, or a file with its content at hand. */
  async add(header: HeaderPart, content: string | Buffer = ""): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.pack.entry(fixed(header), content, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Adds a file from disk, streamed. */
  async addFile(header: HeaderPart, file: string): Promise<void> {
    const entry = this.pack.entry(fixed({ ...header, size: fs.statSync(file).size }));
    await pipeline(fs.createReadStream(file, { highWaterMark: 1 << 20 }), entry);
  }

  /** Copies an entry of another archive, with its own owner, mode and extended attributes. */
  async copy(header: Header, content: TarContent): Promise<void> {
    if (header.type === "file" || header.type === "contiguous-file") {
      await pipeline(content, this.pack.entry(fixed(header)));
    } else {
      content.resume();
      await this.add(header);
    }
  }

  async close(): Promise<Written> {
    this.pack.finalize();
    return this.done;
  }
}

/** `mtime` in `pax` would win over the header's. */
function fixed(header: HeaderPart): Header {
  const pax = Object.fromEntries(Object.entries(header.pax ?? {}).filter(([key]) => key.startsWith("SCHILY.xattr.")));
  return {
    type: "file",
    mode: header.type === "directory" ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    ...header,
    uname: "",
    gname: "",
    mtime: EPOCH,
    pax: Object.keys(pax).length > 0 ? pax : undefined,
  } as Header;
}

/** Reads an archive entry by entry; the handler must read or `resume` the content. */
export async function readTar(
  source: NodeJS.ReadableStream,
  handle: (header: Header, content: TarContent) => Promise<void>,
): Promise<void> {
  const extract = tarExtract();
  const feeding = pipeline(source, extract);
  feeding.catch(() => undefined); // reported below
  for await (const entry of extract) await handle(entry.header, entry as unknown as TarContent);
  await feeding;
}

/** A matcher of absolute paths: `*` stands for anything, and what lies below a matched folder matches too. */
export function pathMatcher(patterns: string[]): (path: string) => boolean {
  if (patterns.length === 0) return () => false;
  const alternatives = patterns.map((pattern) => pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*"));
  const expression = new RegExp(`^(?:${alternatives.join("|")})(?:/.*)?$`);
  return (path) => expression.test(path);
}
