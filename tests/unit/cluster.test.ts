import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { parse, parseAllDocuments } from "yaml";
import { systemPolicies } from "../../components/cluster/cluster-baseline";
import {
  admissionConfig,
  apiServer,
  auditPolicy,
  cgroupV1Config,
  ClusterPlan,
  joinAddresses,
  NodePlan,
  paths,
  planConfig,
} from "../../components/cluster/config";
import { applyCrdsScript } from "../../components/cluster/crd-bundle";
import { crdFile, definitionsOf } from "../../components/cluster/crd-file";
import { imagesScript, installScript, kubeconfigScript, nodeFiles } from "../../components/cluster/install";
import { clusterSchema } from "../../components/cluster/settings";
import { killAllText, uninstallText, unitText } from "../../components/cluster/unit";
import { script } from "../../components/host/remote-script";

const server: NodePlan = { name: "server-1", address: "10.9.0.10", role: "server", sharesKernel: false };
const second: NodePlan = { ...server, name: "server-2", address: "10.9.0.11" };
const third: NodePlan = { ...server, name: "server-3", address: "10.9.0.12" };
const agent: NodePlan = { ...server, name: "agent-1", address: "10.9.0.20", role: "agent" };
const plan = (...nodes: NodePlan[]): ClusterPlan => ({ ...clusterSchema.parse({}), nodes, unrestricted: [] });
const tokens = { server: "canary-server-token", agent: "canary-agent-token" };
const k3s = { path: "/artifacts/k3s", sha256: "ab".repeat(32), version: "v1.36.3+k3s1" };

const list = (config: Record<string, unknown>, key: string) => config[key] as string[];

/** The shell reads the script without running it; an error is a syntax error. */
const assertShell = (text: string) => {
  const done = spawnSync("bash", ["-n"], { input: text, encoding: "utf8" });
  assert.equal(done.status, 0, done.stderr);
};

describe("a server's config.yaml", () => {
  const config = planConfig(plan(server, agent), server);
  // docs.k3s.io/security/hardening-guide, key for key.
  const hardened: [string, unknown][] = [
    ["protect-kernel-defaults", true],
    ["secrets-encryption", true],
    ["write-kubeconfig-mode", "0600"],
  ];
  for (const [key, value] of hardened) it(`sets ${key}`, () => assert.equal(config[key], value));

  const flags: Record<string, string[]> = {
    "kube-apiserver-arg": [
      "enable-admission-plugins=NodeRestriction,EventRateLimit,DenyServiceExternalIPs",
      "admission-control-config-file=/var/lib/rancher/k3s/server/psa.yaml",
      "audit-log-path=/var/lib/rancher/k3s/server/logs/audit.log",
      "audit-policy-file=/var/lib/rancher/k3s/server/audit.yaml",
      "audit-log-maxage=30",
      "audit-log-maxbackup=10",
      "audit-log-maxsize=100",
      "request-timeout=300s",
      "service-account-extend-token-expiration=false",
    ],
    "kube-controller-manager-arg": ["terminated-pod-gc-threshold=100"],
    "kubelet-arg": ["read-only-port=0", "streaming-connection-idle-timeout=5m", "pod-max-pids=2048"],
  };
  for (const [component, expected] of Object.entries(flags)) {
    for (const flag of expected) it(`passes ${flag}`, () => assert.ok(list(config, component).includes(flag)));
  }

  it("allows six ECDHE suites with an AEAD cipher and no other", () => {
    const suites = list(config, "kubelet-arg")
      .find((flag) => flag.startsWith("tls-cipher-suites="))!
      .split("=")[1]!
      .split(",");
    assert.equal(new Set(suites).size, 6);
    for (const suite of suites) {
      assert.match(suite, /^TLS_ECDHE_(ECDSA|RSA)_WITH_(AES_(128|256)_GCM|CHACHA20_POLY1305)/);
    }
  });

  it("leaves the way in to the platform's Traefik", () => assert.deepEqual(config["disable"], ["traefik"]));

  it("names tokens by their files, never by value", () => {
    assert.equal(config["token-file"], paths.token);
    assert.ok(!("token" in config) && !("agent-token" in config));
  });

  it("snapshots etcd as the settings say", () => {
    const often = planConfig({ ...plan(server), snapshots: { schedule: "0 * * * *", retention: 9 } }, server);
    assert.equal(often["etcd-snapshot-schedule-cron"], "0 * * * *");
    assert.equal(often["etcd-snapshot-retention"], 9);
  });
});

describe("who begins and who joins", () => {
  const three = plan(server, second, third, agent);

  it("leaves it to the machine, whose place in the settings says nothing", () => {
    for (const node of three.nodes) {
      const config = planConfig(structuredClone(three), structuredClone(node));
      assert.ok(!("cluster-init" in config) && !("server" in config));
    }
  });

  it("lets a server ask the others, and an agent all of them", () => {
    assert.deepEqual(joinAddresses(three, server), ["10.9.0.11", "10.9.0.12"]);
    assert.deepEqual(joinAddresses(three, third), ["10.9.0.10", "10.9.0.11"]);
    assert.deepEqual(joinAddresses(three, agent), ["10.9.0.10", "10.9.0.11", "10.9.0.12"]);
  });

  it("sends agents to the balancer where there is one", () => {
    const balanced = { ...three, api: { address: "203.0.113.9", inside: "10.9.0.9" } };
    assert.deepEqual(joinAddresses(balanced, agent), ["10.9.0.9"]);
    assert.deepEqual(joinAddresses(balanced, second), ["10.9.0.10", "10.9.0.12", "10.9.0.9"]);
    assert.equal(apiServer(balanced), "https://203.0.113.9:6443");
    assert.deepEqual(planConfig(balanced, second)["tls-san"], ["10.9.0.11", "203.0.113.9", "10.9.0.9"]);
  });

  it("changes nothing on the servers that are there when one is added", () => {
    for (const node of [server, second]) {
      assert.deepEqual(planConfig(plan(server, second, agent), node), planConfig(three, node));
    }
  });

  it("leaves a node's addresses and provider to a cloud's controller where there is one", () => {
    const config = planConfig({ ...three, cloud: "external" }, server);
    assert.equal(config["disable-cloud-controller"], true);
    assert.ok(list(config, "kubelet-arg").includes("cloud-provider=external"));
    assert.ok(!list(planConfig(three, server), "kubelet-arg").includes("cloud-provider=external"));
    assert.ok(!("disable-cloud-controller" in planConfig({ ...three, cloud: "external" }, agent)));
  });

  it("gives servers the same critical values, as K3s demands", () => {
    const critical = ["agent-token-file", "flannel-backend", "secrets-encryption", "secrets-encryption-provider"];
    for (const key of critical) assert.deepEqual(planConfig(three, second)[key], planConfig(three, server)[key]);
  });

  it("gives an agent no server's key", () => {
    const allowed = new Set([
      "token-file",
      "node-name",
      "node-ip",
      "protect-kernel-defaults",
      "kubelet-arg",
      "kube-proxy-arg",
    ]);
    for (const key of Object.keys(planConfig(three, agent))) assert.ok(allowed.has(key), key);
  });

  it("gives an agent the agents' token only", () => {
    const text = JSON.stringify(nodeFiles(three, agent, tokens));
    assert.ok(text.includes(tokens.agent) && !text.includes(tokens.server));
  });
});

describe("machines that share a kernel", () => {
  const container = { ...server, sharesKernel: true };

  it("leave its limit of tracked connections alone", () => {
    assert.deepEqual(planConfig(plan(container), container)["kube-proxy-arg"], [
      "conntrack-max-per-core=0",
      "conntrack-min=0",
    ]);
    assert.ok(!("kube-proxy-arg" in planConfig(plan(server), server)));
  });

  it("route to each other without a tunnel, unless one machine is elsewhere", () => {
    assert.equal(
      planConfig(plan(container, { ...agent, sharesKernel: true }), container)["flannel-backend"],
      "host-gw",
    );
    assert.equal(planConfig(plan(container, agent), container)["flannel-backend"], "vxlan");
  });

  it("have a kubelet that accepts cgroup v1, besides its other flags", () => {
    assert.deepEqual(parse(cgroupV1Config), { "kubelet-arg+": ["fail-cgroupv1=false"] });
  });
});

describe("admission and audit", () => {
  const admission = parse(admissionConfig({ ...plan(server), unrestricted: ["legacy"] })) as {
    plugins: { name: string; configuration: Record<string, never> }[];
  };
  const plugin = (name: string) =>
    admission.plugins.find((one) => one.name === name)!.configuration as Record<string, Record<string, unknown>>;

  it("enforce, audit and warn at restricted:latest", () => {
    for (const mode of ["enforce", "audit", "warn"]) {
      assert.equal(plugin("PodSecurity")["defaults"]![mode], "restricted");
      assert.equal(plugin("PodSecurity")["defaults"]![`${mode}-version`], "latest");
    }
  });

  it("exempt kube-system and what the stack names, nothing else", () => {
    assert.deepEqual(plugin("PodSecurity")["exemptions"], {
      usernames: [],
      runtimeClasses: [],
      namespaces: ["kube-system", "legacy"],
    });
  });

  it("bound the events", () =>
    assert.deepEqual(plugin("EventRateLimit")["limits"], [{ type: "Server", qps: 500, burst: 5000 }]));

  it("record requests without their bodies, which hold secrets", () => {
    interface AuditRule {
      level: string;
      resources?: { group: string; resources?: string[] }[];
    }
    const { rules } = parse(auditPolicy) as { rules: AuditRule[] };
    // What keeps bodies names its groups, and none of them has an object with a secret in it; the last rule takes the rest.
    const bodies = rules.filter(({ level }) => level.startsWith("Request"));
    assert.deepEqual(
      bodies.map(({ resources }) => resources?.map(({ group }) => group)),
      [["rbac.authorization.k8s.io"]],
    );
    assert.deepEqual(rules.at(-1), { level: "Metadata" });
  });
});

describe("units and scripts on a node", () => {
  it("run K3s as its install script sets it up", () => {
    for (const line of [
      "Type=notify",
      "KillMode=process",
      "Delegate=yes",
      "Restart=always",
      "ExecStart=/usr/local/bin/k3s server",
    ]) {
      assert.ok(unitText("server").split("\n").includes(line), line);
    }
    assert.match(unitText("agent"), /^Type=exec$/m);
    assert.match(unitText("agent"), /^ExecStart=\/usr\/local\/bin\/k3s agent$/m);
  });

  it("put no token into a unit, which everyone may read", () => {
    for (const file of nodeFiles(plan(server, agent), server, tokens)) {
      if (file.content.includes("canary")) assert.equal(file.mode, "600", file.path);
    }
  });

  it("are sound shell", () => {
    const all = plan(server, agent);
    for (const node of [server, agent]) {
      assertShell(script({ apply: installScript(all, node, tokens, k3s), remove: uninstallText(node.role) }));
      assertShell(uninstallText(node.role));
    }
    assertShell(killAllText);
    const image = { ...k3s, ref: "ghcr.io/a/b:1.0@sha256:abc" };
    assertShell(script({ apply: imagesScript({ "a.tar": k3s }), remove: "" }));
    assertShell(script({ apply: imagesScript({ "a.tar": k3s, "b.tar": image }), remove: "" }));
    assertShell(script({ apply: kubeconfigScript("https://10.9.0.10:6443"), remove: "" }));
    assertShell(script({ apply: applyCrdsScript("x", "/a"), remove: "" }));
  });

  it("import images into a containerd that runs already, by the name that pods ask for", () => {
    const text = imagesScript({ "bundle.tar": k3s, "b.tar": { ...k3s, ref: "ghcr.io/a/b:1.0@sha256:abc" } });
    assert.match(text, new RegExp(`import '${k3s.path}' 'ghcr.io/a/b@sha256:abc'`));
    assert.equal(text.match(/^ {2}import /gm)?.length, 1, "an archive of several images has no one name");
  });

  it("wait with a bound, and show the unit's log when it is reached", () => {
    const text = installScript(plan(server), server, tokens, k3s);
    assert.match(text, /await 300 .*get --raw \/readyz \|\| tell/);
    assert.doesNotMatch(installScript(plan(server, agent), agent, tokens, k3s), /readyz/);
    assert.match(text, /journalctl .*--unit k3s\.service/);
  });

  it("check the binary against the lock's digest", () => {
    assert.match(
      installScript(plan(server), server, tokens, k3s),
      new RegExp(`${k3s.sha256} {2}/usr/local/bin/k3s.new' \\| sha256sum --check`),
    );
  });
});

describe("network policies of kube-system", () => {
  const policies = Object.values(systemPolicies(["10.9.0.10"], ["10.9.0.10", "10.9.0.20"]));

  it("close both ways for every pod first", () => {
    assert.ok(
      policies.some(
        (spec) => JSON.stringify(spec) === JSON.stringify({ podSelector: {}, policyTypes: ["Ingress", "Egress"] }),
      ),
    );
  });

  it("open every port and peer to the service load balancer only", () => {
    const open = policies.filter((spec) => JSON.stringify((spec as { ingress?: unknown }).ingress) === "[{}]");
    assert.equal(open.length, 1);
    assert.match(JSON.stringify(open[0]), /svccontroller\.k3s\.cattle\.io/);
  });
});

describe("a CRD bundle's file", () => {
  const definition = (name: string, schema: object) =>
    JSON.stringify({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name },
      spec: schema,
    });

  it("has the definitions of a manifest and nothing else of it", () => {
    const text = definitionsOf(
      `kind: Namespace\n---\n${definition("a.x", {})}\n---\nkind: Deployment\n---\n${definition("b.x", {})}\n`,
    );
    assert.deepEqual(
      parseAllDocuments(text).map((document) => (document.toJS() as { metadata: { name: string } }).metadata.name),
      ["a.x", "b.x"],
    );
  });

  it("loses descriptions, but not a property of that name", () => {
    const text = definitionsOf(
      definition("a.x", { description: "long", properties: { description: { type: "string", description: "text" } } }),
    );
    const { spec } = parse(text) as { spec: unknown };
    assert.deepEqual(spec, { properties: { description: { type: "string" } } });
  });

  it("keeps every value that is not a description", () => {
    const keys = fc.string({ minLength: 1 }).filter((key) => key !== "description" && key !== "__proto__");
    fc.assert(
      fc.property(
        fc.dictionary(
          keys,
          fc.jsonValue({ maxDepth: 2 }).filter((value) => !JSON.stringify(value).includes("description")),
          { noNullPrototype: true },
        ),
        (schema) => {
          assert.deepEqual(
            (parse(definitionsOf(definition("a.x", schema))) as { spec: unknown }).spec,
            JSON.parse(JSON.stringify(schema)),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  it("is refused where a manifest has no definition", () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-crds-"));
    const before = process.env["GROUNDWORK_CACHE_DIR"];
    try {
      process.env["GROUNDWORK_CACHE_DIR"] = folder;
      fs.writeFileSync(path.join(folder, "m.yaml"), "kind: Namespace\n");
      assert.throws(
        () => crdFile({ path: path.join(folder, "m.yaml"), sha256: "00" }),
        /m\.yaml has no CustomResourceDefinition/,
      );
    } finally {
      if (before === undefined) delete process.env["GROUNDWORK_CACHE_DIR"];
      else process.env["GROUNDWORK_CACHE_DIR"] = before;
      fs.rmSync(folder, { recursive: true });
    }
  });
});
