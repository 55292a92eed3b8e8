import { spawn } from "node:child_process";
import * as http from "node:http";
import type { Server } from "node:net";
import { locations } from "../catalogue";
import { ip, namespacePath } from "./namespaces";

/** What a server can learn of itself (docs.hetzner.cloud/reference/cloud#description/server-metadata). */
export interface Metadata {
  id: number;
  name: string;
  /** As `fsn1`. */
  location?: string;
  publicIpv4?: string;
  userData: string;
}

/** Where every server asks. */
export const metadataAddress = "169.254.169.254";

/** Milliseconds that a socket may take to be there. */
const limit = 20_000;

/** Opens a socket inside the namespace it runs in, and hands it to the process that started it. */
const opener = `
const server = require("node:net").createServer();
server.on("error", (error) => { console.error(error.message); process.exit(1); });
server.listen(80, "${metadataAddress}", () => process.send("open", server, () => process.exit(0)));`;

/** A socket belongs to the namespace that it was opened in, whoever listens on it: so one process can answer in all of them. */
function openInside(namespace: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const child = spawn("nsenter", [`--net=${namespacePath(namespace)}`, process.execPath, "-e", opener], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: { PATH: process.env["PATH"] },
      timeout: limit,
    });
    let words = "";
    child.stderr!.on("data", (part: Buffer) => (words += part.toString()));
    child.once("message", (_open, handle) => resolve(handle as Server));
    child.once("error", reject);
    // After a message it has no effect any more.
    child.once("exit", () => reject(new Error(`no metadata service in ${namespace}: ${words.trim() || "timeout"}`)));
  });
}

/** What the service says of a server; its data centre is the first one of its location. */
function facts(server: Metadata): Record<string, string> {
  const known = {
    "instance-id": String(server.id),
    hostname: server.name,
    "public-ipv4": server.publicIpv4,
    "availability-zone": server.location && `${server.location}-dc1`,
    region: server.location && zoneOf(server.location),
  };
  return Object.fromEntries(Object.entries(known).flatMap(([key, value]) => (value ? [[key, value]] : [])));
}

const zoneOf = (location: string): string | undefined => locations.find(({ name }) => name === location)?.network_zone;

function answer(path: string, server: Metadata): string | undefined {
  const all = facts(server);
  if (path === "/hetzner/v1/userdata") return server.userData;
  if (path !== "/hetzner/v1/metadata") return all[/^\/hetzner\/v1\/metadata\/([a-z0-9-]+)$/.exec(path)?.[1] ?? ""];
  return Object.entries(all)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join("");
}

/** The metadata service: in every router, it tells who asks by the address that he asks from. */
export class MetadataService {
  private readonly open = new Map<string, Promise<http.Server>>();

  /** @param find the server that has an address in the namespace's network */
  start(namespace: string, find: (address: string) => Metadata | undefined): Promise<unknown> {
    const known = this.open.get(namespace);
    if (known) return known;
    const starting = this.listen(namespace, find);
    this.open.set(namespace, starting);
    starting.catch(() => this.open.delete(namespace));
    return starting;
  }

  private async listen(namespace: string, find: (address: string) => Metadata | undefined): Promise<http.Server> {
    ip(namespace, [`addr replace ${metadataAddress}/32 dev lo`]);
    const socket = await openInside(namespace);
    const service = http.createServer((request, response) => {
      const server = find(request.socket.remoteAddress ?? "");
      const text = server && answer((request.url ?? "").replace(/\/$/, ""), server);
      response.writeHead(text === undefined ? 404 : 200, { "content-type": "text/plain" });
      response.end(text ?? "not found\n");
    });
    await new Promise<void>((resolve) => service.listen(socket, resolve));
    // Machines outlive the emulator, and so does nothing that it answers: it must not keep a process alive.
    service.unref();
    return service;
  }

  async end(namespace: string): Promise<void> {
    const service = await this.open.get(namespace)?.catch(() => undefined);
    this.open.delete(namespace);
    service?.closeAllConnections();
    if (service) await new Promise((resolve) => service.close(resolve));
  }

  async stop(): Promise<void> {
    for (const namespace of [...this.open.keys()]) await this.end(namespace);
  }
}
