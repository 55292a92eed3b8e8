import * as assert from "node:assert/strict";
import * as http from "node:http";
import { k3sEntries, K3S_RELEASES } from "../../../artifacts/catalogue/cluster";
import { openArtifacts } from "../../../artifacts";
import { lostMachines } from "../../../cli/lost-machines";
import { eventually } from "../../support/https";
import { leftBehind, MachineSnapshot, snapshot } from "../../support/machine";
import { offerNewerPackage, proofPackage } from "../../support/package-repository";
import { Project } from "../../support/project";

const network = { cidr: "10.48.0.0/24", bridge: "gwe2e8" };
const here = K3S_RELEASES[0]!;
/** The same Kubernetes under another label: a double, see tests/support/relabelled-k3s.ts. */
const next = here.replace(/\.(\d)\+/, (_, patch: string) => `.${(Number(patch) + 1) % 10}+`);
const afterNext = next.replace(/\.(\d)\+/, (_, patch: string) => `.${(Number(patch) + 1) % 10}+`);

/** Asks one page over and over, each time with a new connection, and keeps what was not answered as it should be. */
class Requests {
  count = 0;
  readonly failures: string[] = [];
  private stopped = false;
  private readonly done: Promise<unknown>;

  constructor(urls: string[]) {
    this.done = Promise.all(urls.map((url) => this.run(url)));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.done;
  }

  private async run(url: string): Promise<void> {
    while (!this.stopped) {
      const said = await ask(url).catch((error: Error) => error.message);
      this.count += 1;
      if (said !== "200 OK") this.failures.push(`${new Date().toISOString()} ${url} ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  }
}

const ask = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false, timeout: 5000 }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve(`${response.statusCode} ${text}`));
    });
    request.on("timeout", () => request.destroy(new Error("no answer in 5 s")));
    request.on("error", reject);
  });

/** Three replicas of which two must be there, behind a Service at every node's port 8000. */
function application(image: string): object[] {
  const labels = { app: "web" };
  const metadata = { name: "web", namespace: "web" };
  const container = {
    ...{ name: "web", image, command: ["traefik"] },
    // A pod that is told to end goes on answering until the last node has heard of it.
    args: [
      ...["--entrypoints.web.address=:8000", "--ping=true", "--ping.entrypoint=web", "--global.checknewversion=false"],
      ...["--global.sendanonymoususage=false", "--entrypoints.web.transport.lifecycle.requestacceptgracetimeout=5"],
      "--ping.terminatingstatuscode=200",
    ],
    readinessProbe: { httpGet: { path: "/ping", port: 8000 }, periodSeconds: 1 },
    resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "128Mi" } },
    securityContext: {
      ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, runAsNonRoot: true, runAsUser: 65532 },
      ...{ capabilities: { drop: ["ALL"] }, seccompProfile: { type: "RuntimeDefault" } },
    },
  };
  const spread = {
    ...{ maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway" },
    labelSelector: { matchLabels: labels },
  };
  const pod = {
    ...{ automountServiceAccountToken: false, containers: [container], topologySpreadConstraints: [spread] },
    terminationGracePeriodSeconds: 15,
  };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "web" } },
    {
      ...{ apiVersion: "apps/v1", kind: "Deployment", metadata },
      spec: {
        ...{ replicas: 3, selector: { matchLabels: labels } },
        template: { metadata: { labels }, spec: pod },
      },
    },
    {
      ...{ apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata },
      spec: { minAvailable: 2, selector: { matchLabels: labels } },
    },
    {
      ...{ apiVersion: "v1", kind: "Service", metadata },
      spec: { type: "LoadBalancer", selector: labels, ports: [{ port: 8000, targetPort: 8000 }] },
    },
  ];
}

describe("the life of a cluster of three servers and an agent", function () {
  this.timeout(20 * 60_000);
  this.bail(true);

  const project = new Project("e2e-life");
  const nodes = ["agent-1", "server-1", "server-2", "server-3"];
  const web = openArtifacts().image("traefik").ref;
  const addresses: Record<string, string> = {};
  let untouched: MachineSnapshot;
  let identity = "";

  const target = (agents = 1) => ({ driver: "nspawn", servers: 3, agents, network });
  const env = (version: string, more: object = {}) => ({
    GROUNDWORK_E2E_CLUSTER: JSON.stringify({ version, upgrade: { drainTimeout: 120, healthTimeout: 120, ...more } }),
    GROUNDWORK_E2E_IMAGES: "traefik",
  });
  const kubectl = (from: string, ...args: string[]) => project.inside(from, "k3s", "kubectl", ...args);
  /** Release of each node that is Ready and in service. */
  const releases = (from: string): Record<string, string> => {
    const { items } = JSON.parse(kubectl(from, "get", "nodes", "-o", "json") || '{"items":[]}') as {
      items: {
        metadata: { name: string };
        spec: { unschedulable?: boolean };
        status: { nodeInfo: { kubeletVersion: string }; conditions: { type: string; status: string }[] };
      }[];
    };
    const serves = ({ spec, status }: (typeof items)[number]) =>
      spec.unschedulable !== true &&
      status.conditions.some(({ type, status: is }) => type === "Ready" && is === "True");
    return Object.fromEntries(
      items.filter(serves).map(({ metadata, status }) => [metadata.name, status.nodeInfo.kubeletVersion]),
    );
  };
  const allAt = (release: string, names = nodes) => Object.fromEntries(names.map((name) => [name, release]));
  /** When a node's K3s was started. */
  const startOf = (node: string) =>
    project.inside(
      node,
      "systemctl",
      "show",
      "--property=ActiveEnterTimestampMonotonic",
      node.startsWith("agent") ? "k3s-agent" : "k3s",
    );
  const clusterId = (from: string) =>
    kubectl(from, "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}");
  const said = (what: string) => process.stdout.write(`      ${what}\n`);
  const failing = async (cluster: Record<string, string>, expected: RegExp) => {
    const done = await project.pulumi(
      { GROUNDWORK_E2E_TARGET: JSON.stringify(target()), ...cluster },
      "up",
      "--yes",
      "--skip-preview",
    );
    assert.notEqual(done.code, 0);
    assert.match(done.output, expected);
  };

  before("an engine, and how this computer was", async function () {
    if (openArtifacts().file(k3sEntries().binary).parts !== "stand-in") this.skip();
    untouched = snapshot();
    await project.open();
  });

  after("nothing stays, whatever happened", () => project.close());

  it("comes up in one run", async () => {
    const started = Date.now();
    await project.up(target(), env(here));
    said(`up in ${Math.round((Date.now() - started) / 1000)} s`);
    assert.deepEqual(releases("server-2"), allAt(here));
    identity = clusterId("server-1");
    for (const node of nodes)
      addresses[node] = kubectl(
        "server-1",
        "get",
        "node",
        node,
        "-o",
        'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}',
      );
    const manifest = JSON.stringify({ apiVersion: "v1", kind: "List", items: application(web) });
    project.inside("server-1", "sh", "-c", `printf '%s' '${manifest}' | k3s kubectl apply -f -`);
    await eventually(120, async () => {
      for (const node of nodes) assert.equal(await ask(`http://${addresses[node]}:8000/ping`), "200 OK", node);
      assert.equal(
        kubectl("server-1", "get", "deployment", "web", "-n", "web", "-o", "jsonpath={.status.readyReplicas}"),
        "3",
      );
    });
  });

  it("refuses to skip a minor version, before anything is touched", async () => {
    const before = nodes.map(startOf);
    const far = here.replace(/^v1\.(\d+)/, (_, minor: string) => `v1.${Number(minor) + 2}`);
    await failing(env(far), /Kubernetes skips no minor version: set cluster\.version to a release of 1\.\d+ before/);
    assert.deepEqual(nodes.map(startOf), before);
  });

  it("is upgraded under load, with the engine killed on the way, and loses no request", async () => {
    const started = Date.now();
    const load = new Requests([
      `http://${addresses["server-2"]}:8000/ping`,
      `http://${addresses["agent-1"]}:8000/ping`,
    ]);
    const run = project.start(
      { GROUNDWORK_E2E_TARGET: JSON.stringify(target()), ...env(next) },
      ...["up", "--yes", "--skip-preview"],
    );
    let over = "";
    void run.ended.then(({ output }) => (over = output));
    await eventually(420, async () => assert.equal(releases("server-3")["server-1"], next, over.slice(-3000)));
    run.kill();
    await run.ended;
    const before = startOf("server-1");
    await project.pulumi({}, "cancel", "--yes");
    await project.up(target(), env(next));
    const seconds = Math.round((Date.now() - started) / 1000);
    await load.stop();
    said(`upgraded in ${seconds} s; ${load.count} requests, ${load.failures.length} lost`);
    assert.deepEqual(releases("server-1"), allAt(next));
    assert.deepEqual(load.failures, []);
    assert.ok(load.count > 100);
    assert.equal(startOf("server-1"), before, "a node that is there already is not touched again");
    assert.match(project.inside("server-1", "ls", "/var/lib/rancher/k3s/server/db/snapshots"), /before-/);
    assert.match(
      kubectl("server-1", "get", "node", "agent-1", "-o", "jsonpath={.metadata.annotations.groundwork/last-upgrade}"),
      new RegExp(`^${here.replace("+", "\\+")} ${next.replace("+", "\\+")} \\d+ \\d+$`),
    );
  });

  it("puts the old K3s back where the new one does not start", async () => {
    await failing(
      { ...env(afterNext, { healthTimeout: 30 }), GROUNDWORK_E2E_DOUBLE: "broken" },
      /was not healthy after 30 s: v\S+ was put back and the node is in service/,
    );
    assert.deepEqual(releases("server-2"), allAt(next));
  });

  it("goes on without its first server", async () => {
    project.machineTool("kill", "--stack", project.stack, "server-1");
    const died = Date.now();
    await eventually(60, async () =>
      assert.match(
        kubectl("server-2", "--request-timeout=2s", "create", "namespace", `after-${Date.now()}`),
        /created/,
      ),
    );
    said(`${((Date.now() - died) / 1000).toFixed(1)} s after the death of a server a write was taken`);
  });

  it("has the dead server replaced by one up, in the same cluster", async () => {
    project.machineTool("delete", `${project.stack}/server-1`);
    // As the verb `up` finds it, from the state and what this computer has.
    const { deployment } = JSON.parse((await project.pulumi({}, "stack", "export")).output) as {
      deployment: { resources: { urn: string }[] };
    };
    const machines = JSON.parse(project.machineTool("ls", "--json").stdout) as { id: string }[];
    const urns = deployment.resources.map(({ urn }) => urn);
    const there = machines.map(({ id }) => id);
    const lost = lostMachines(urns, project.stack, there);
    assert.deepEqual(
      lost.map(({ name }) => name),
      ["server-1"],
    );
    const started = Date.now();
    await project.up(target(), env(next), "--replace", lost[0]!.urn);
    said(`replaced in ${Math.round((Date.now() - started) / 1000)} s`);
    assert.deepEqual(releases("server-2"), allAt(next));
    assert.equal(clusterId("server-1"), identity);
    assert.match(project.inside("server-1", "cat", "/etc/rancher/k3s/config.yaml.d/20-join.yaml"), /^server: https/);
  });

  it("gets newer packages with the restarts that they ask for, node after node, and keeps its majority", async () => {
    const boots = () =>
      Object.fromEntries(nodes.map((node) => [node, project.inside(node, "cat", "/proc/sys/kernel/random/boot_id")]));
    for (const node of nodes) project.inside(node, "bash", "-c", offerNewerPackage);
    const before = boots();
    const started = Date.now();
    await project.up(target(), env(next, { osPatches: "2026-11-21" }));
    said(`packages and restarts of four machines in ${Math.round((Date.now() - started) / 1000)} s`);
    const after = boots();
    const moments = nodes.map((node) => {
      assert.equal(project.inside(node, "dpkg-query", "--show", "--showformat=${Version}", proofPackage), "2.0", node);
      assert.match(after[node]!, /^[0-9a-f-]{36}$/);
      assert.notEqual(after[node], before[node], `${node} was restarted`);
      const path = "jsonpath={.metadata.annotations.groundwork/last-patches}";
      const [day, seconds, moment] = kubectl("server-2", "get", "node", node, "-o", path).split(" ");
      assert.equal(day, "2026-11-21", node);
      return { node, ended: Number(moment), began: Number(moment) - Number(seconds) };
    });
    // One after the other: no two were away at once.
    const inOrder = [...moments].sort((a, b) => a.ended - b.ended);
    assert.deepEqual(
      inOrder.map(({ node }) => node),
      ["server-1", "server-2", "server-3", "agent-1"],
    );
    for (const [index, { began }] of inOrder.entries()) if (index > 0) assert.ok(began >= inOrder[index - 1]!.ended);
    assert.deepEqual(releases("server-2"), allAt(next));
    assert.equal(clusterId("server-1"), identity);
  });

  it("gives a node up and takes it again, and touches no other", async () => {
    const servers = nodes.filter((name) => name !== "agent-1");
    const before = servers.map(startOf);
    await project.up(target(0), env(next));
    assert.deepEqual(releases("server-1"), allAt(next, servers));
    await project.up(target(), env(next));
    assert.deepEqual(releases("server-1"), allAt(next));
    assert.deepEqual(servers.map(startOf), before);
  });

  it("leaves nothing behind", async () => {
    await project.destroy();
    assert.deepEqual(leftBehind(untouched, snapshot(), /e2e-life/), {});
  });
});
