import { strict as assert } from "node:assert";
import { planRoutes, Traefik } from "../../components/edge";
import { LocalCa } from "../../components/pki";
import { Endpoint } from "../../components/workload";
import { Graph } from "./graph/graph";
import { canary } from "./graph/mocks";
import { capture, find, valueOf } from "./fixtures/capture";
import { makeFoundation, makePlatform } from "./fixtures/platform";

const endpoint = (service: string): Endpoint => ({
  name: service,
  namespace: { label: "app", name: "app" },
  service,
  port: 80,
  backend: { pods: { app: service }, port: 8080 },
  ready: "yes",
});

describe("the edge's routes", () => {
  const plan = (...routes: Parameters<typeof planRoutes>[0]) => JSON.parse(planRoutes(routes, "/certificate"));

  it("send a host to the Service of its endpoint", () => {
    const { http } = plan({ host: "api.local", endpoint: endpoint("api") });
    assert.equal(http.routers["api-local"].rule, "Host(`api.local`) && PathPrefix(`/`)");
    assert.deepEqual(http.services["api-local"].loadBalancer.servers, [{ url: "http://api.app.svc:80" }]);
  });

  it("are served by TLS alone, 1.2 or newer, and tell browsers to stay there", () => {
    const { http, tls } = plan({ host: "api.local", endpoint: endpoint("api") });
    assert.deepEqual(http.routers["api-local"].entryPoints, ["websecure"]);
    assert.equal(tls.options.default.minVersion, "VersionTLS12");
    assert.equal(http.middlewares["secure-headers"].headers.stsSeconds, 31_536_000);
  });

  it("may share a host by path", () => {
    const { http } = plan(
      { host: "shop.local", endpoint: endpoint("web") },
      { host: "shop.local", path: "/api", endpoint: endpoint("api") },
    );
    assert.deepEqual(Object.keys(http.routers), ["shop-local", "shop-local-api"]);
  });

  it("may be none at all", () => {
    assert.equal(plan().http, undefined);
  });

  it("are refused where two claim the same place", () => {
    const route = { host: "api.local", endpoint: endpoint("api") };
    assert.throws(() => planRoutes([route, route], "/certificate"), /two routes claim api-local/);
  });

  it("are refused where a host is none", () => {
    const route = { host: "api.local`) || Host(`x", endpoint: endpoint("api") };
    assert.throws(() => planRoutes([route], "/certificate"), /is no host name/);
  });
});

describe("the edge", () => {
  let graph: Graph;
  let platform: ReturnType<typeof makePlatform>;
  before(async () => {
    ({ graph, result: platform } = await capture(makePlatform));
  });

  const deployment = () => find(graph, "Deployment", "traefik");

  it("needs nothing of the API server", () => {
    const pod = deployment().inputs.spec.template.spec;
    assert.equal(pod.automountServiceAccountToken, false);
    const roles = graph.nodes.filter(({ type, name }) => /Role(Binding)?$/.test(type) && name.startsWith("traefik"));
    assert.deepEqual(roles, []);
  });

  it("is open to the world on its two doors, and reaches only what it leads to", () => {
    const open = find(graph, "NetworkPolicy", "traefik-from-anywhere").inputs.spec.ingress;
    assert.deepEqual(open, [
      {
        ports: [
          { port: 8443, protocol: "TCP" },
          { port: 8080, protocol: "TCP" },
        ],
      },
    ]);
    const egress = graph.nodes.filter(
      ({ type, inputs }) =>
        type.endsWith(":NetworkPolicy") &&
        inputs.metadata.namespace === "traefik" &&
        inputs.spec.egress &&
        inputs.spec.podSelector.matchLabels,
    );
    assert.deepEqual(
      egress.map(({ name }) => name),
      ["traefik-to-api"],
    );
  });

  it("keeps its metrics off the load balancer", () => {
    const { ports, type } = find(graph, "Service", "traefik").inputs.spec;
    assert.equal(type, "LoadBalancer");
    assert.deepEqual(
      ports.map(({ port }: { port: number }) => port),
      [443, 80],
    );
  });

  it("has a certificate for its hosts, whose key is a secret everywhere", () => {
    assert.deepEqual(find(graph, "CertRequest", "traefik-request").inputs.dnsNames, ["api.local"]);
    const { inputs, secrets } = find(graph, "Secret", "traefik-tls");
    assert.equal(inputs.type, "kubernetes.io/tls");
    assert.deepEqual(secrets, ["stringData"]);
    assert.match(inputs.stringData["tls.key"], new RegExp(`${canary}-traefik-key`));
  });

  it("gets new pods with a new certificate and with new routes", () => {
    const { annotations } = deployment().inputs.spec.template.metadata;
    assert.match(annotations["groundwork/certificate-sha256"], /^[0-9a-f]{64}$/);
    assert.match(annotations["groundwork/config-sha256"], /^[0-9a-f]{64}$/);
  });

  it("starts without waiting for what it leads to, and gives out a URL when both serve", async () => {
    assert.ok(!graph.isAfter(deployment(), find(graph, "Deployment", "api")));
    assert.equal(await valueOf(platform.edge.urls["api.local/"]!), "https://api.local/");
  });
});

describe("the edge behind a balancer", () => {
  const behind = (trustedProxies: string[]) =>
    capture(() => {
      const { provider, foundation } = makeFoundation();
      const front = { address: "198.51.100.7", trustedProxies };
      return new Traefik("traefik", { foundation, issuer: new LocalCa("ca"), routes: [], front }, { provider });
    });
  const flags = (graph: Graph): string[] =>
    find(graph, "Deployment", "traefik").inputs.spec.template.spec.containers[0].args;

  it("is reached at the balancer's address", async () => {
    const { result: edge } = await behind(["10.0.0.0/24"]);
    assert.equal(await valueOf(edge.address), "198.51.100.7");
  });

  it("believes the PROXY protocol from the balancer's networks, on both doors", async () => {
    const { graph } = await behind(["10.0.0.0/24", "10.42.0.0/16"]);
    const believed = flags(graph).filter((flag) => flag.includes("proxyProtocol"));
    assert.deepEqual(believed, [
      "--entryPoints.websecure.proxyProtocol.trustedIPs=10.0.0.0/24,10.42.0.0/16",
      "--entryPoints.web.proxyProtocol.trustedIPs=10.0.0.0/24,10.42.0.0/16",
    ]);
  });

  it("believes it from nobody where no balancer speaks it", async () => {
    const { graph } = await behind([]);
    assert.deepEqual(
      flags(graph).filter((flag) => flag.includes("proxyProtocol")),
      [],
    );
  });
});

describe("the API", () => {
  it("starts when its database is ready, with the login as files", async () => {
    const { graph } = await capture(makePlatform);
    const api = find(graph, "Deployment", "api");
    assert.ok(graph.isAfter(api, find(graph, "Cluster", "app-db")));
    const [{ env, volumeMounts }] = api.inputs.spec.template.spec.containers;
    const paths = volumeMounts.map((mount: any) => mount.mountPath);
    const setting = (name: string) => env.find((variable: any) => variable.name === name).value;
    assert.ok(paths.includes(setting("DB_DIR")));
    assert.ok(paths.some((folder: string) => setting("DB_CA") === `${folder}/ca.crt`));
  });
});
