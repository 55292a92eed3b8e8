import * as https from "node:https";
import * as net from "node:net";
import type { Probe } from "../stacks/report";
import type { KubeReader } from "./kube";

/** What a probe found. `proof` says in a few words what was seen, or why it failed. */
export interface Finding {
  ready: boolean;
  proof: string;
}

interface Conditions {
  status?: { conditions?: { type: string; status: string; message?: string }[] };
}

interface Replicas {
  spec: { replicas?: number };
  status: { readyReplicas?: number; numberReady?: number; desiredNumberScheduled?: number };
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Runs one probe. Never throws: whatever goes wrong is the finding. */
export async function probe(what: Probe, kube: () => KubeReader, ca: string): Promise<Finding> {
  try {
    switch (what.kind) {
      case "tcp":
        return { ready: true, proof: await banner(what.address, what.port) };
      case "nodes":
        return await nodes(kube(), what.count);
      case "workload":
        return replicas(
          await kube().get<Replicas>(`/apis/apps/v1/namespaces/${what.namespace}/${what.resource}/${what.name}`),
        );
      case "condition":
        return condition(await kube().get<Conditions>(what.path), what.type);
      case "https":
        return await page(what.url, what.address, ca);
    }
  } catch (error) {
    return { ready: false, proof: reason(error) };
  }
}

/** Connects and returns the first line that the server says within a second, as sshd does. */
function banner(address: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: address, port, timeout: 3000 });
    const silent = () => {
      socket.destroy();
      resolve(`accepts connections on ${port}`);
    };
    socket.on("connect", () => socket.setTimeout(1000));
    socket.on("data", (data) => {
      socket.destroy();
      resolve(data.toString("latin1").split(/\r?\n/)[0] ?? "");
    });
    socket.on("timeout", () =>
      socket.connecting ? socket.destroy(new Error(`no answer from ${address}:${port}`)) : silent(),
    );
    socket.on("error", reject);
  });
}

async function nodes(kube: KubeReader, wanted: number): Promise<Finding> {
  const { items } = await kube.get<{ items: (Conditions & { status: { nodeInfo: { kubeletVersion: string } } })[] }>(
    "/api/v1/nodes",
  );
  const ready = items.filter((node) => node.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True"));
  const version = items[0]?.status.nodeInfo.kubeletVersion ?? "";
  return { ready: ready.length >= wanted, proof: `${ready.length} of ${wanted} nodes Ready, ${version}` };
}

function replicas(object: Replicas): Finding {
  const wanted = object.spec.replicas ?? object.status.desiredNumberScheduled ?? 1;
  const ready = object.status.readyReplicas ?? object.status.numberReady ?? 0;
  return { ready: ready >= wanted, proof: `${ready} of ${wanted} pods ready` };
}

function condition(object: Conditions, type: string): Finding {
  const found = object.status?.conditions?.find((c) => c.type === type);
  if (!found) return { ready: false, proof: `no condition ${type} yet` };
  return { ready: found.status === "True", proof: found.message || `${type} is ${found.status}` };
}

/** The name in the URL need not resolve: the connection goes to `address`, SNI and Host carry the name. */
function page(url: string, address: string, ca: string): Promise<Finding> {
  const target = new URL(url);
  const started = process.hrtime.bigint();
  return new Promise((resolve, reject) => {
    const request = https.get(
      {
        host: address,
        port: target.port || 443,
        path: target.pathname + target.search,
        servername: target.hostname,
        headers: { host: target.host },
        ca,
        timeout: 5000,
      },
      (response) => {
        response.resume();
        response.on("end", () => {
          const ms = Number((process.hrtime.bigint() - started) / 1_000_000n);
          const status = response.statusCode ?? 0;
          resolve({
            ready: status > 0 && status < 400,
            proof: `GET ${target.pathname} ${status} in ${ms} ms, certificate valid`,
          });
        });
      },
    );
    request.on("timeout", () => request.destroy(new Error(`no answer from ${address}`)));
    request.on("error", reject);
  });
}
