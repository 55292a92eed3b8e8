import { ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { KubeApi, KubeApiAccess } from "./kube-api";

/** A running control plane without nodes: etcd, kube-apiserver and kube-controller-manager on loopback. */
export interface ApiServer extends KubeApiAccess {
  /** Content of a kubeconfig with full rights. */
  kubeconfig: string;
  /** Temporary folder with data, keys and one log a process; gone after `stop`. */
  dir: string;
  api: KubeApi;
  /** Ends the processes and removes the folder. Safe to call twice. */
  stop(): Promise<void>;
}

export interface ApiServerOptions {
  /** Whether admission webhooks are called; off by default, since nothing runs behind them. */
  webhooks?: boolean;
  /** Longest wait for the API server to be ready, in milliseconds. Default 60,000. */
  timeout?: number;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Starts a throwaway Kubernetes control plane.
 *
 * @param binary the K3s-compatible node's binary, which starts as etcd, kube-apiserver or kube-controller-manager
 *   when called by that name
 * @throws when it is not ready in time, with the end of the log of the process that failed
 */
export async function startApiServer(binary: string, options: ApiServerOptions = {}): Promise<ApiServer> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-apiserver-"));
  const [client = 0, peer = 0, secure = 0] = await freePorts(3);
  const token = randomBytes(24).toString("base64url");
  const controllerToken = randomBytes(24).toString("base64url");
  const children: ChildProcess[] = [];
  const killAll = (signal: NodeJS.Signals = "SIGKILL") => children.forEach((child) => child.kill(signal));
  const onExit = () => killAll();
  // A signal ends a process without its exit handlers. Ctrl-C is left to whoever listens for it.
  const onSignal = (signal: NodeJS.Signals) => {
    if (signal === "SIGINT" && process.listenerCount("SIGINT") > 0) return;
    killAll();
    process.kill(process.pid, signal);
  };
  process.once("exit", onExit);
  for (const signal of signals) process.once(signal, onSignal);

  const start = (name: string, args: string[]): ChildProcess => {
    const log = fs.openSync(path.join(dir, `${name}.log`), "a");
    // The node's kube-apiserver expects its supervisor's settings; without nodes none are needed.
    const env = { ...process.env, GROUNDWORK_SUPERVISOR: "{}", KUBECONFIG: "" };
    const child = spawn(binary, args, { argv0: name, cwd: dir, env, stdio: ["ignore", log, log] });
    fs.closeSync(log);
    children.push(child);
    return child;
  };

  writeKeys(dir, token, controllerToken);
  start("etcd", etcdArgs(client, peer));
  const server = start("kube-apiserver", serverArgs(dir, client, secure, options));
  const url = `https://127.0.0.1:${secure}`;
  let api: KubeApi | undefined;
  const stop = async () => {
    process.off("exit", onExit);
    for (const signal of signals) process.off(signal, onSignal);
    api?.close();
    killAll();
    await Promise.all(children.map(ended));
    fs.rmSync(dir, { recursive: true, force: true });
  };
  try {
    const ca = await ready(dir, url, token, server, options.timeout ?? 60_000);
    const kubeconfig = makeKubeconfig(url, ca, token);
    fs.writeFileSync(path.join(dir, "kubeconfig"), kubeconfig, { mode: 0o600 });
    fs.writeFileSync(path.join(dir, controllerKubeconfig), makeKubeconfig(url, ca, controllerToken), { mode: 0o600 });
    start("kube-controller-manager", controllerArgs(dir));
    api = new KubeApi({ url, ca, token });
    await until(
      async () => (await api!.find("/api/v1/namespaces/default/serviceaccounts/default")) !== undefined,
      30_000,
    );
    return { url, ca, token, kubeconfig, dir, api, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

const etcdArgs = (client: number, peer: number): string[] => [
  "--data-dir=etcd",
  `--listen-client-urls=http://127.0.0.1:${client}`,
  `--advertise-client-urls=http://127.0.0.1:${client}`,
  `--listen-peer-urls=http://127.0.0.1:${peer}`,
  `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
  `--initial-cluster=default=http://127.0.0.1:${peer}`,
  "--log-level=error",
  "--unsafe-no-fsync", // the data does not outlive the process
];

function serverArgs(dir: string, etcd: number, secure: number, options: ApiServerOptions): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcd}`,
    "--bind-address=127.0.0.1",
    "--advertise-address=127.0.0.1",
    `--secure-port=${secure}`,
    // Without a certificate given, the server makes a self-signed one here.
    `--cert-dir=${path.join(dir, "pki")}`,
    `--token-auth-file=${path.join(dir, "tokens.csv")}`,
    "--authorization-mode=RBAC",
    "--anonymous-auth=false",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${path.join(dir, "accounts.key")}`,
    `--service-account-signing-key-file=${path.join(dir, "accounts.key")}`,
    "--service-cluster-ip-range=10.43.0.0/16",
    "--endpoint-reconciler-type=none", // a loopback address is no valid endpoint
    "--allow-privileged=true",
    ...(options.webhooks ? [] : ["--disable-admission-plugins=MutatingAdmissionWebhook,ValidatingAdmissionWebhook"]),
  ];
}

/** Admission policies tell what controllers make from what people apply by the user's name. */
const controllerKubeconfig = "controller.kubeconfig";

const controllerArgs = (dir: string): string[] => [
  `--kubeconfig=${path.join(dir, controllerKubeconfig)}`,
  `--service-account-private-key-file=${path.join(dir, "accounts.key")}`,
  `--root-ca-file=${path.join(dir, "pki", "apiserver.crt")}`,
  "--leader-elect=false",
  "--secure-port=0",
  // No kubelet renews leases here, so nobody may conclude that nodes are lost.
  "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller",
];

function writeKeys(dir: string, token: string, controllerToken: string): void {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const write = (name: string, content: string) => fs.writeFileSync(path.join(dir, name), content, { mode: 0o600 });
  write("accounts.key", privateKey.export({ type: "pkcs1", format: "pem" }) as string);
  const controllers = "system:kube-controller-manager";
  write(
    "tokens.csv",
    `${token},admin,admin,system:masters\n${controllerToken},${controllers},${controllers},system:masters\n`,
  );
}

/** Waits for `/readyz` and gives the certificate by which the server can be trusted. */
async function ready(dir: string, url: string, token: string, server: ChildProcess, timeout: number): Promise<string> {
  const certificate = path.join(dir, "pki", "apiserver.crt");
  let ca = "";
  await until(async () => {
    if (server.exitCode !== null || server.signalCode !== null) {
      throw new Error(`kube-apiserver ended:\n${tail(path.join(dir, "kube-apiserver.log"))}`);
    }
    if (!fs.existsSync(certificate)) return false;
    ca = fs.readFileSync(certificate, "utf8");
    const api = new KubeApi({ url, ca, token });
    try {
      return String(await api.get<unknown>("/readyz")) === "ok";
    } catch {
      return false;
    } finally {
      api.close();
    }
  }, timeout).catch((error: Error) => {
    throw new Error(
      `${error.message}\n${tail(path.join(dir, "kube-apiserver.log"))}\n${tail(path.join(dir, "etcd.log"))}`,
    );
  });
  return ca;
}

function makeKubeconfig(url: string, ca: string, token: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      { name: "rehearsal", cluster: { server: url, "certificate-authority-data": Buffer.from(ca).toString("base64") } },
    ],
    users: [{ name: "admin", user: { token } }],
    contexts: [{ name: "rehearsal", context: { cluster: "rehearsal", user: "admin" } }],
    "current-context": "rehearsal",
  });
}

/** Repeats a question every 100 ms until it is answered with yes. */
export async function until(
  question: () => Promise<boolean>,
  timeout: number,
  what = "it is not ready",
): Promise<void> {
  const end = Date.now() + timeout;
  while (!(await question())) {
    if (Date.now() > end) throw new Error(`${what} after ${timeout / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

const tail = (file: string): string =>
  fs.existsSync(file) ? fs.readFileSync(file, "utf8").trimEnd().split("\n").slice(-15).join("\n") : "";

/** Ports that nobody listens on now. All are held until the last is found, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<net.Server>((resolve, reject) => {
          const server = net.createServer();
          server.once("error", reject);
          server.listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
