import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as http from "node:http";
import * as path from "node:path";
import { freePort, Postgres } from "../test/helpers/postgres";

/** Requests of each kind, and how many are under way at once. */
const REQUESTS = Number(process.env["REQUESTS"] ?? 5000);
const LANES = 16;

const bundle = path.resolve(__dirname, "../dist/server.cjs");

/** Sends the requests over kept connections and returns their times in milliseconds, ascending. */
async function measure(send: (agent: http.Agent) => Promise<number>): Promise<number[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: LANES });
  const times: number[] = [];
  const lane = async (): Promise<void> => {
    while (times.length < REQUESTS) {
      const started = process.hrtime.bigint();
      const status = await send(agent);
      if (status >= 300) throw new Error(`status ${status}`);
      times.push(Number(process.hrtime.bigint() - started) / 1e6);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  agent.destroy();
  return times.sort((a, b) => a - b);
}

function request(agent: http.Agent, url: string, method: string, body?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = body ? { "content-type": "application/json" } : {};
    const sent = http.request(url, { method, agent, headers }, (response) => {
      response.resume();
      response.once("end", () => resolve(response.statusCode!));
    });
    sent.once("error", reject);
    sent.end(body);
  });
}

async function main(): Promise<void> {
  if (!fs.existsSync(bundle)) throw new Error("there is no bundle: run `npm run bundle -w apps/api`");
  const server = new Postgres();
  await server.start();
  const secret = await server.makeDatabase("bench");
  const url = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(process.execPath, ["--max-old-space-size=64", "--max-semi-space-size=1", bundle], {
    env: { PORT: new URL(url).port, DB_DIR: secret.folder, DB_CA: server.caFile, LOG_LEVEL: "warn" },
    stdio: "inherit",
  });
  try {
    const agent = new http.Agent();
    while ((await request(agent, `${url}/readyz`, "GET").catch(() => 503)) !== 200) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const kinds: [string, (agent: http.Agent) => Promise<number>][] = [
      ["GET /healthz", (one) => request(one, `${url}/healthz`, "GET")],
      ["POST /items", (one) => request(one, `${url}/items`, "POST", '{"name":"bolt","quantity":1}')],
      ["GET /items?limit=20", (one) => request(one, `${url}/items?limit=20`, "GET")],
    ];
    for (const [name, send] of kinds) {
      const started = Date.now();
      const times = await measure(send);
      const at = (share: number): string => times[Math.floor((times.length - 1) * share)]!.toFixed(1);
      const rate = Math.round((times.length / (Date.now() - started)) * 1000);
      const status = fs.readFileSync(`/proc/${child.pid}/status`, "utf8");
      const resident = Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
      console.log(`${name}: ${rate}/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${resident} MiB resident`);
    }
  } finally {
    child.kill("SIGKILL");
    await server.stop();
    secret.remove();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
