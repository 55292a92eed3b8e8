import { strict as assert } from "node:assert";
import * as pulumi from "@pulumi/pulumi";
import {
  apiServerSources,
  connect,
  Endpoint,
  HardenedCronJob,
  HardenedDeployment,
  HardenedDeploymentArgs,
  HardenedJob,
  HardenedStatefulSet,
  PlatformNamespace,
} from "../../components/workload";
import { FakeArtifacts } from "./fixtures/artifacts";
import { Graph, GraphNode } from "./graph/graph";
import { capture, find, valueOf } from "./fixtures/capture";
import { makeFoundation, makeNamespace, someResources } from "./fixtures/platform";

const http = { path: "/healthz", port: 8080 };
const container = {
  image: new FakeArtifacts().image("api"),
  command: ["/bin/server"],
  resources: someResources,
  ports: { http: 8080 },
  probes: { liveness: { http }, readiness: { http } },
};

/** An endpoint of a namespace with a credential and an authority that the graph knows. */
const endpointIn = (namespace: PlatformNamespace): Endpoint => ({
  name: "store",
  namespace,
  service: "store",
  port: 6379,
  backend: { pods: { app: "store" }, port: 6380 },
  credential: { secret: "store-login", keys: ["password"], values: pulumi.secret({ password: "canary-password" }) },
  authority: { from: { secret: "store-ca" }, key: "ca.crt", pem: pulumi.output("certificate") },
  ready: "store-is-ready",
});

const deployed = (args: Partial<HardenedDeploymentArgs>) =>
  capture(() => {
    const ground = makeFoundation();
    const namespace = makeNamespace("app", ground);
    return new HardenedDeployment("web", { namespace, container, ...args }, { provider: ground.provider });
  }).then(({ graph }) => graph);

const deploymentOf = (graph: Graph): GraphNode => find(graph, "Deployment", "web");

describe("a platform namespace", () => {
  let graph: Graph;
  before(async () => {
    ({ graph } = await capture(() => makeNamespace("app", makeFoundation())));
  });

  it("enforces restricted Pod Security", () => {
    const { labels } = find(graph, "Namespace", "app-namespace").inputs.metadata;
    for (const mode of ["enforce", "audit", "warn"]) {
      assert.equal(labels[`pod-security.kubernetes.io/${mode}`], "restricted");
    }
  });

  it("lets nothing in or out but questions to the cluster's DNS", () => {
    const policies = graph.nodes.filter(({ type }) => type.endsWith(":NetworkPolicy")).map(({ inputs }) => inputs.spec);
    assert.deepEqual(policies, [
      { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
      {
        podSelector: {},
        policyTypes: ["Egress"],
        egress: [
          {
            to: [
              {
                podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
                namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
              },
            ],
            ports: [
              { port: 53, protocol: "UDP" },
              { port: 53, protocol: "TCP" },
            ],
          },
        ],
      },
    ]);
  });

  it("takes the token from the default service account", () => {
    const patch = find(graph, "ServiceAccountPatch", "app-default-account").inputs;
    assert.deepEqual(patch.metadata, { name: "default", namespace: "app" });
    assert.equal(patch.automountServiceAccountToken, false);
  });

  it("bounds what its pods use together and alone", () => {
    const { hard } = find(graph, "ResourceQuota", "app-quota").inputs.spec;
    assert.equal(hard.pods, "9");
    assert.equal(hard["limits.memory"], "4Gi");
    assert.equal(hard["services.nodeports"], "0");
    const [limit] = find(graph, "LimitRange", "app-limits").inputs.spec.limits;
    assert.ok(limit.default.memory && limit.defaultRequest.memory && limit.max.memory);
  });

  it("is given out only when all its guards stand", async () => {
    const inside = await deployed({});
    const guards = ["app-default-deny", "app-allow-dns", "app-limits", "app-quota", "app-default-account"];
    for (const name of guards) {
      const guard = inside.nodes.find((node) => node.name === name)!;
      assert.ok(inside.isAfter(deploymentOf(inside), guard), `the deployment does not wait for ${name}`);
    }
  });
});

describe("the API server's own calls", () => {
  it("come from its machines, or from their ends of the pod network's tunnels", async () => {
    const sources = await valueOf(apiServerSources(["10.41.0.10"], "10.50.0.0/16"));
    assert.deepEqual(sources.slice(0, 3), ["10.41.0.10/32", "10.50.0.0/31", "10.50.1.0/31"]);
  });
});

describe("a hardened workload", () => {
  it("comes with a Service and a disruption budget over its own pods", async () => {
    const graph = await deployed({ replicas: 3, service: { ports: { http: 80 } } });
    const pods = { "app.kubernetes.io/name": "web" };
    const service = find(graph, "Service", "web").inputs.spec;
    assert.deepEqual(service.selector, pods);
    assert.deepEqual(service.ports, [{ name: "http", port: 80, targetPort: "http" }]);
    const budget = find(graph, "PodDisruptionBudget", "web-budget").inputs.spec;
    assert.equal(budget.minAvailable, 2);
    assert.deepEqual(budget.selector, { matchLabels: pods });
    assert.deepEqual(deploymentOf(graph).inputs.spec.selector, { matchLabels: pods });
  });

  it("lets a single pod be moved to another node", async () => {
    const graph = await deployed({});
    assert.equal(find(graph, "PodDisruptionBudget", "web-budget").inputs.spec.maxUnavailable, 1);
  });

  it("never has fewer pods than asked while it is updated", async () => {
    const { strategy } = deploymentOf(await deployed({})).inputs.spec;
    assert.deepEqual(strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 });
  });

  it("replaces its pods when a file of its configuration changes, and only then", async () => {
    const annotations = async (content: string) => {
      const graph = await deployed({ config: { path: "/etc/web", files: { "web.yaml": content } } });
      return deploymentOf(graph).inputs.spec.template.metadata.annotations["groundwork/config-sha256"];
    };
    assert.equal(await annotations("a: 1"), await annotations("a: 1"));
    assert.notEqual(await annotations("a: 1"), await annotations("a: 2"));
  });

  it("talks to the API server only with permissions of its own", async () => {
    const rules = [{ apiGroups: [""], resources: ["services"], verbs: ["get"] }];
    const graph = await deployed({ access: { rules } });
    assert.deepEqual(find(graph, "Role", "web-in-app").inputs.rules, rules);
    const [subject] = find(graph, "RoleBinding", "web-in-app").inputs.subjects;
    assert.deepEqual(subject, { kind: "ServiceAccount", name: "web", namespace: "app" });
    const pod = deploymentOf(graph).inputs.spec.template.spec;
    assert.equal(pod.serviceAccountName, "web");
    const [egress] = find(graph, "NetworkPolicy", "web-to-kube-api").inputs.spec.egress;
    assert.deepEqual(egress, {
      to: [{ ipBlock: { cidr: "10.41.0.10/32" } }],
      ports: [{ port: 6443, protocol: "TCP" }],
    });
  });

  it("opens ports to the outside only where asked", async () => {
    const open = (graph: Graph) => graph.nodes.filter(({ name }) => name === "web-from-anywhere");
    assert.equal(open(await deployed({})).length, 0);
    const [policy] = open(await deployed({ openPorts: [8080] }));
    assert.deepEqual(policy!.inputs.spec.ingress, [{ ports: [{ port: 8080, protocol: "TCP" }] }]);
  });

  it("is changed by a transform at the very end", async () => {
    const graph = await deployed({
      transform: { deployment: (args) => ({ ...args, metadata: { name: "web", annotations: { note: "yes" } } }) },
    });
    assert.equal(deploymentOf(graph).inputs.metadata.annotations.note, "yes");
  });

  it("may be a StatefulSet with volumes that outlive it", async () => {
    const { graph } = await capture(() => {
      const ground = makeFoundation();
      const namespace = makeNamespace("app", ground);
      const claims = { data: { path: "/data", size: "1Gi" as const } };
      return new HardenedStatefulSet("web", { namespace, container, claims }, { provider: ground.provider });
    });
    const { spec } = find(graph, "StatefulSet", "web").inputs;
    assert.equal(spec.serviceName, "web");
    assert.equal(spec.persistentVolumeClaimRetentionPolicy.whenDeleted, "Retain");
    assert.deepEqual(spec.template.spec.containers[0].volumeMounts, [{ name: "data", mountPath: "/data" }]);
    assert.equal(find(graph, "Service", "web").inputs.spec.clusterIP, "None");
    // Copies of data stand on machines of their own; what has none may share one.
    const [apart] = spec.template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution;
    assert.deepEqual(apart.labelSelector.matchLabels, spec.selector.matchLabels);
    assert.equal(deploymentOf(await deployed({})).inputs.spec.template.spec.affinity, undefined);
  });

  it("may be a job, or a job on a timetable that never runs twice at once", async () => {
    const { graph } = await capture(() => {
      const ground = makeFoundation();
      const namespace = makeNamespace("app", ground);
      const job = { image: container.image, command: ["/bin/backup"], resources: someResources };
      new HardenedJob("once", { namespace, container: job }, { provider: ground.provider });
      const nightly = { namespace, container: job, schedule: "0 3 * * *" };
      return new HardenedCronJob("nightly", nightly, { provider: ground.provider });
    });
    const job = find(graph, "Job", "once").inputs.spec;
    assert.equal(job.template.spec.restartPolicy, "Never");
    assert.equal(job.activeDeadlineSeconds, 600);
    const cron = find(graph, "CronJob", "nightly").inputs.spec;
    assert.equal(cron.concurrencyPolicy, "Forbid");
    assert.equal(cron.jobTemplate.spec.template.spec.containers[0].securityContext.readOnlyRootFilesystem, true);
  });
});

describe("consuming an endpoint", () => {
  const consumed = (providerNamespace: string) =>
    capture(() => {
      const ground = makeFoundation();
      const app = makeNamespace("app", ground);
      const other = providerNamespace === "app" ? app : makeNamespace(providerNamespace, ground);
      const uses = [endpointIn(other)];
      return new HardenedDeployment("web", { namespace: app, container, uses }, { provider: ground.provider });
    }).then(({ graph }) => graph);

  const web = { podSelector: { matchLabels: { "app.kubernetes.io/name": "web" } } };
  const store = { podSelector: { matchLabels: { app: "store" } } };
  const inNamespace = (label: string) => ({
    namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": label } },
  });

  it("opens both sides, at the port of the pods and not of the Service", async () => {
    const graph = await consumed("app");
    const egress = find(graph, "NetworkPolicy", "web-to-store").inputs.spec;
    assert.deepEqual(egress, {
      ...web,
      policyTypes: ["Egress"],
      egress: [{ to: [store], ports: [{ port: 6380, protocol: "TCP" }] }],
    });
    const ingress = find(graph, "NetworkPolicy", "store-from-web").inputs.spec;
    assert.deepEqual(ingress, {
      ...store,
      policyTypes: ["Ingress"],
      ingress: [{ from: [web], ports: [{ port: 6380, protocol: "TCP" }] }],
    });
  });

  it("names the namespaces where they differ, each policy in its own", async () => {
    const graph = await consumed("data");
    const egress = find(graph, "NetworkPolicy", "web-to-store").inputs;
    assert.equal(egress.metadata.namespace, "app");
    assert.deepEqual(egress.spec.egress[0].to, [{ ...store, ...inNamespace("data") }]);
    const ingress = find(graph, "NetworkPolicy", "store-from-web").inputs;
    assert.equal(ingress.metadata.namespace, "data");
    assert.deepEqual(ingress.spec.ingress[0].from, [{ ...web, ...inNamespace("app") }]);
  });

  it("mounts credential and authority, and carries the readiness into the pods", async () => {
    const { metadata, spec } = deploymentOf(await consumed("app")).inputs.spec.template;
    assert.equal(metadata.annotations["groundwork/uses-store"], "store-is-ready");
    assert.deepEqual(
      spec.volumes.map((volume: any) => volume.secret.secretName),
      ["store-login", "store-ca"],
    );
    assert.deepEqual(
      spec.containers[0].volumeMounts.map((mount: any) => mount.mountPath),
      ["/etc/groundwork/store", "/etc/groundwork/store-ca"],
    );
  });

  it("copies them, the credential as a secret, where the consumer is in another namespace", async () => {
    const graph = await consumed("data");
    const copy = find(graph, "Secret", "web-store-credential");
    assert.equal(copy.inputs.metadata.namespace, "app");
    assert.deepEqual(copy.inputs.stringData, { password: "canary-password" });
    assert.deepEqual(copy.secrets, ["stringData"]);
    assert.equal(find(graph, "ConfigMap", "web-store-ca").inputs.data["ca.crt"], "certificate");
    assert.ok(graph.isAfter(deploymentOf(graph), find(graph, "Secret", "web-store-credential")));
  });

  it("says what to do where they can't be copied", async () => {
    await assert.rejects(
      capture(() => {
        const ground = makeFoundation();
        const [app, data] = [makeNamespace("app", ground), makeNamespace("data", ground)];
        const endpoint = { ...endpointIn(data), credential: { secret: "made-by-an-operator", keys: ["password"] } };
        const client = { name: "web", namespace: app, pods: {} };
        return connect(client, endpoint, { provider: ground.provider });
      }),
      /web in namespace app uses store of namespace data, whose credential is made inside the cluster/,
    );
  });
});
