import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import { writeAtomically } from "../../cli/paths";
import type { Backend } from "./backend";
import { Core } from "./core";
import type { Fault, Faults } from "./faults";
import { type Door, makeServer } from "./http";
import { RateLimit } from "./rate-limit";
import { State } from "./state";

export interface CloudOptions {
  /** Where its state lies; one emulator a folder. */
  folder: string;
  backend: Backend;
  /** What clients have to show; by default that of the folder's last emulator, or a new one. */
  token?: string;
  /** Requests an hour. Default 3,600, as at Hetzner. */
  rateLimit?: number;
  /** Default 127.0.0.1 and the port of the folder's last emulator, or a free one. */
  listen?: { host: string; port: number };
  faults?: Faults;
  /** How long an action takes besides what the backend does, in milliseconds. Default 0. */
  latency?: { actions: number };
}

/** A running emulator. */
export interface Cloud {
  /** `http://127.0.0.1:<port>/v1`, for HCLOUD_ENDPOINT. */
  endpoint: string;
  token: string;
  /** Everything that exists, by kind, as the emulator keeps it: addresses made with a server included. */
  objects(): Record<string, object[]>;
  requests(): { total: number; byPath: Record<string, number> };
  fail(fault: Fault): void;
  /** Resolves when no action runs. */
  settled(): Promise<void>;
  /** Stops answering. What runs is gone on with by the next emulator of the folder; the backend's machines stay. */
  stop(): Promise<void>;
}

/** What `<folder>/endpoint.json` says, for processes that look for the emulator. */
export interface EndpointFile {
  standIn: string;
  endpoint: string;
  token: string;
  pid: number;
}

export const endpointFile = (folder: string): string => path.join(folder, "endpoint.json");

/** What the folder's emulator said of itself; undefined when there never was one. */
export function readEndpoint(folder: string): EndpointFile | undefined {
  const file = endpointFile(folder);
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as EndpointFile) : undefined;
}

/** Starts the emulator on a folder, with all that was there when the last one ended. */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const limit = options.rateLimit ?? 3600;
  const last = readEndpoint(options.folder);
  const state = new State(options.folder, limit);
  const core = new Core(state, options.backend, options.latency?.actions ?? 0);
  const rate = new RateLimit(state, limit);
  const token = options.token ?? last?.token ?? randomBytes(32).toString("hex");
  const fail = (fault: Fault): void => {
    if (fault.kind === "rateLimit") rate.set(fault.left);
    else core.faults.order(fault);
  };
  const objects = () => structuredClone(state.objects) as unknown as Record<string, object[]>;
  const requests = () => structuredClone(state.requests);
  for (const fault of options.faults ?? []) fail(fault);
  const door: Door = (method, where, body) => {
    if (method === "GET" && where === "/objects") return objects();
    if (method === "GET" && where === "/requests") return requests();
    if (method === "POST" && where === "/faults") {
      fail(body as unknown as Fault);
      return undefined;
    }
    throw new Error(`there is no ${method} ${where}`);
  };

  const server = makeServer({ core, token, rate, door });
  const wanted = options.listen ?? { host: "127.0.0.1", port: Number(last ? new URL(last.endpoint).port : 0) };
  await new Promise<void>((done, failed) => {
    server.once("error", failed);
    server.listen(wanted.port, wanted.host, done);
  });
  const { port } = server.address() as AddressInfo;
  const endpoint = `http://${wanted.host}:${port}/v1`;
  const standIn = "emulator of the Hetzner Cloud API; nothing here is at Hetzner";
  const file: EndpointFile = { standIn, endpoint, token, pid: process.pid };
  writeAtomically(endpointFile(options.folder), JSON.stringify(file), 0o600);
  core.resume();
  return {
    endpoint,
    token,
    objects,
    requests,
    fail,
    settled: () => core.settled(),
    async stop() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
      await core.stop();
    },
  };
}
