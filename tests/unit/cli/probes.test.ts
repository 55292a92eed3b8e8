import * as assert from "node:assert/strict";
import * as net from "node:net";
import type { KubeReader } from "../../../cli/kube";
import { probe } from "../../../cli/probes";
import { table } from "../../../cli/ui";

/** A test double of the API server's reader: answers from a table, and fails for what is not in it. */
const kube = (answers: Record<string, unknown>) => (): KubeReader => ({
  get: <T>(path: string) =>
    path in answers ? Promise.resolve(answers[path] as T) : Promise.reject(new Error(`no answer for ${path}`)),
  date: () => Promise.reject(new Error("no clock")),
});

const node = (status: string) => ({
  status: { conditions: [{ type: "Ready", status }], nodeInfo: { kubeletVersion: "v1.36.3" } },
});

describe("a probe", () => {
  it("finds a cluster ready when all its nodes are", async () => {
    const nodes = { "/api/v1/nodes": { items: [node("True"), node("False")] } };
    const two = await probe({ kind: "nodes", count: 2 }, kube(nodes), "");
    assert.deepEqual(two, { ready: false, proof: "1 of 2 nodes Ready, v1.36.3" });
    assert.equal((await probe({ kind: "nodes", count: 1 }, kube(nodes), "")).ready, true);
  });

  it("finds a workload ready when all its pods are", async () => {
    const path = "/apis/apps/v1/namespaces/app/deployments/api";
    const what = { kind: "workload", resource: "deployments", namespace: "app", name: "api" } as const;
    const half = kube({ [path]: { spec: { replicas: 2 }, status: { readyReplicas: 1 } } });
    assert.deepEqual(await probe(what, half, ""), { ready: false, proof: "1 of 2 pods ready" });
    const none = kube({ [path]: { spec: { replicas: 1 }, status: {} } });
    assert.equal((await probe(what, none, "")).ready, false);
    const all = kube({ [path]: { spec: { replicas: 2 }, status: { readyReplicas: 2 } } });
    assert.equal((await probe(what, all, "")).ready, true);
  });

  it("takes a condition's message as proof, and a missing one as not ready", async () => {
    const what = { kind: "condition", path: "/x", type: "Ready" } as const;
    const yes = kube({
      "/x": { status: { conditions: [{ type: "Ready", status: "True", message: "Cluster is Ready" }] } },
    });
    assert.deepEqual(await probe(what, yes, ""), { ready: true, proof: "Cluster is Ready" });
    assert.equal((await probe(what, kube({ "/x": {} }), "")).ready, false);
  });

  it("tells why it failed instead of failing", async () => {
    const lost = await probe({ kind: "condition", path: "/y", type: "Ready" }, kube({}), "");
    assert.deepEqual(lost, { ready: false, proof: "no answer for /y" });
    const closed = await probe({ kind: "tcp", address: "127.0.0.1", port: 1 }, kube({}), "");
    assert.equal(closed.ready, false);
    assert.match(closed.proof, /ECONNREFUSED/);
  });

  it("shows what a server says first", async () => {
    const server = net.createServer((socket) => socket.end("SSH-2.0-test\r\n")).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as net.AddressInfo;
    try {
      assert.deepEqual(await probe({ kind: "tcp", address: "127.0.0.1", port }, kube({}), ""), {
        ready: true,
        proof: "SSH-2.0-test",
      });
    } finally {
      server.close();
    }
  });
});

describe("a table", () => {
  it("pads columns to their widest cell and leaves no blanks at line ends", () => {
    assert.equal(table(["a", "state"], [["longer", "x"]]), "a       state\n------  -----\nlonger  x");
  });
});
