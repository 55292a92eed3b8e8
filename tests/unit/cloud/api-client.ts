/** A cloud for tests: an emulator on a temporary folder with the backend `paper`, and a client that gives answers as they come. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { type Cloud, type CloudOptions, startCloud } from "../../../standins/cloud/cloud";
import { paper } from "../../../standins/cloud/paper";

export interface Answer {
  status: number;
  headers: Headers;
  body: any;
}

export interface TestCloud {
  cloud: Cloud;
  folder: string;
  backend: ReturnType<typeof paper>;
  call(method: string, path: string, body?: object, token?: string): Promise<Answer>;
  /** A request that must succeed; waits for what it started and gives the answer's body. */
  done(method: string, path: string, body?: object): Promise<any>;
  /** A request that must fail with this code; gives the error. */
  fails(code: string, method: string, path: string, body?: object): Promise<any>;
  /** Ends this emulator and starts another on the same folder. */
  again(options?: Partial<CloudOptions>): Promise<void>;
  end(): Promise<void>;
}

export async function testCloud(options: Partial<CloudOptions> = {}): Promise<TestCloud> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "cloud-"));
  const backend = paper();
  const t: TestCloud = {
    cloud: await startCloud({ folder, backend, ...options }),
    folder,
    backend,
    async call(method, where, body, token = t.cloud.token) {
      const response = await fetch(`${t.cloud.endpoint}${where}`, {
        method,
        headers: { Authorization: `Bearer ${token}`, Connection: "close" },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === "" ? undefined : JSON.parse(text) };
    },
    async done(method, where, body) {
      const answer = await t.call(method, where, body);
      assert.ok(answer.status < 300, `${method} ${where}: ${JSON.stringify(answer.body)}`);
      await t.cloud.settled();
      for (const { id } of [
        answer.body?.action,
        ...(answer.body?.actions ?? []),
        ...(answer.body?.next_actions ?? []),
      ].filter(Boolean)) {
        const { action } = (await t.call("GET", `/actions/${id}`)).body;
        assert.equal(action.status, "success", JSON.stringify(action));
      }
      return answer.body;
    },
    async fails(code, method, where, body) {
      const answer = await t.call(method, where, body);
      assert.ok(answer.status >= 400, `${method} ${where} succeeded`);
      assert.equal(answer.body.error.code, code, JSON.stringify(answer.body));
      return { ...answer.body.error, status: answer.status };
    },
    async again(more = {}) {
      await t.cloud.stop();
      t.cloud = await startCloud({ folder, backend, ...options, ...more });
    },
    async end() {
      await t.cloud.stop();
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
  return t;
}

/** A public key in the form of authorized_keys; each is another. */
export function publicKey(): string {
  const der = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" });
  const field = (b: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, b.length]), b]);
  return `ssh-ed25519 ${Buffer.concat([field(Buffer.from("ssh-ed25519")), field(der.subarray(-32))]).toString("base64")}`;
}

/** A network with one subnet in eu-central; gives its id. */
export async function makeNetwork(t: TestCloud, name = "net"): Promise<number> {
  const subnets = [{ type: "cloud", ip_range: "10.0.1.0/24", network_zone: "eu-central" }];
  return (await t.done("POST", "/networks", { name, ip_range: "10.0.0.0/16", subnets })).network.id;
}

/** A server; gives its id. */
export async function makeServer(t: TestCloud, name: string, more: object = {}): Promise<number> {
  const body = { name, server_type: "cpx22", image: "debian-12", location: "fsn1", ...more };
  return (await t.done("POST", "/servers", body)).server.id;
}
