import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import type { Entry, Source } from "../../../artifacts/catalogue";
import { Cache } from "../../../artifacts/cache";
import { sha256 } from "../../../artifacts/hash";
import { Lock } from "../../../artifacts/lockfile";
import { Reachability, type Probe } from "../../../artifacts/reach";
import { Resolver, type ResolverOptions } from "../../../artifacts/resolver";

/** A resolver on a store, a lock and logs of its own, and what it said. */
export interface Bench {
  folder: string;
  cache: Cache;
  lock: Lock;
  lockPath: string;
  said: string[];
  resolver(entries: Entry[], more?: Partial<ResolverOptions>): Resolver;
  /** Hosts that were asked whether they answer. */
  probed: string[];
  reachable: boolean;
  remove(): void;
}

export function bench(): Bench {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-artifacts-"));
  const cache = new Cache(path.join(folder, "cache"));
  const lockPath = path.join(folder, "lock.json");
  const logs = path.join(folder, "logs");
  fs.mkdirSync(logs);
  const probe: Probe = (url) => {
    made.probed.push(new URL(url).host);
    return Promise.resolve(made.reachable);
  };
  const made: Bench = {
    folder,
    cache,
    lock: new Lock(lockPath),
    lockPath,
    said: [],
    probed: [],
    reachable: true,
    resolver: (entries, more = {}) =>
      new Resolver({
        cache,
        lock: new Lock(lockPath),
        reach: new Reachability(cache.folder, probe),
        ui: { say: (line) => made.said.push(line) },
        entries,
        logs,
        ...more,
      }),
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
  return made;
}

/** An entry of one file. */
export const fileEntry = (name: string, ...sources: Source[]): Entry => ({
  name,
  version: "v1",
  kind: "file",
  about: "for the test",
  file: "result",
  sources,
});

/** A source that needs no upstream host: the tests give the resolver a runner for it. */
export const local = (version = "1"): Source => ({
  type: "npm",
  parts: "built",
  seconds: 1,
  package: "test",
  version,
  path: "x",
});

/** A web server on the loopback interface that stands in for upstream: a double, which knows fixed paths only. */
export interface UpstreamDouble {
  url: string;
  asked: string[];
  close(): Promise<void>;
}

export type Answer = { status?: number; headers?: Record<string, string>; body?: string | Buffer };

export async function upstreamDouble(answer: (request: http.IncomingMessage) => Answer): Promise<UpstreamDouble> {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const { status = 200, headers = {}, body = "" } = answer(request);
    response.writeHead(status, headers);
    response.end(request.method === "HEAD" ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** A checksum file in sha256sum format. */
export const sha256sum = (files: Record<string, string | Buffer>): string =>
  Object.entries(files)
    .map(([name, content]) => `${sha256(content)}  ${name}\n`)
    .join("");
