import { ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as https from "node:https";
import * as net from "node:net";
import * as path from "node:path";
import { selfSigned } from "../../standins/rehearsal/certificate";

export interface AcmeServerArgs {
  /** The binary of Pebble, Let's Encrypt's small ACME server for tests. */
  pebble: string;
  /** DNS server that it asks, `address:port`. */
  nameserver: string;
  /** Port on which names are proved by HTTP-01. @default 80 */
  httpPort?: number;
  /** An empty folder for its files. */
  folder: string;
}

/** An ACME server on the loopback interface. */
export interface AcmeServer {
  /** Address of its directory. */
  directory: string;
  /** Authority of its own certificate, PEM. */
  ca: string;
  /** The root that it signs by, made anew at each start. */
  root(): Promise<string>;
  stop(): void;
}

/** Starts Pebble. It checks challenges for real, and at once instead of after some seconds. */
export async function startAcmeServer(args: AcmeServerArgs): Promise<AcmeServer> {
  const [port, management] = [await freePort(), await freePort()];
  const own = selfSigned("localhost", ["localhost"], 24);
  const write = (name: string, content: string): string => {
    const file = path.join(args.folder, name);
    fs.writeFileSync(file, content, { mode: 0o600 });
    return file;
  };
  const config = write(
    "pebble.json",
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${port}`,
        managementListenAddress: `127.0.0.1:${management}`,
        certificate: write("pebble.crt", own.certificate),
        privateKey: write("pebble.key", own.privateKey),
        httpPort: args.httpPort ?? 80,
        tlsPort: 5001,
        retryAfter: { authz: 1, order: 1 },
        keyAlgorithm: "ecdsa",
        profiles: { default: { description: "ninety days", validityPeriod: 7_776_000 } },
      },
    }),
  );
  const log = fs.openSync(path.join(args.folder, "pebble.log"), "w");
  const child: ChildProcess = spawn(args.pebble, ["-config", config, "-dnsserver", args.nameserver], {
    env: { PEBBLE_VA_NOSLEEP: "1", PEBBLE_WFE_NONCEREJECT: "0" },
    stdio: ["ignore", log, log],
  });
  const directory = `https://localhost:${port}/dir`;
  for (const end = Date.now() + 10_000; ;) {
    if (await get(directory, own.certificate).catch(() => undefined)) break;
    if (child.exitCode !== null || Date.now() > end) {
      child.kill();
      throw new Error(`Pebble did not start: ${fs.readFileSync(path.join(args.folder, "pebble.log"), "utf8")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    directory,
    ca: own.certificate,
    root: () => get(`https://localhost:${management}/roots/0`, own.certificate),
    stop: () => void child.kill(),
  };
}

function get(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    https
      .get(url, { ca, agent: false, timeout: 2000 }, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve(text));
      })
      .on("error", reject);
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
