import { strict as assert } from "node:assert";
import {
  acmeIssuer,
  CertManager,
  issueCertificate,
  Issuer,
  LocalCa,
  localIssuer,
  planCertificate,
  vaultIssuer,
  vaultIssuerAccess,
} from "../../components/pki";
import { planController } from "../../components/pki/cert-manager-config";
import { certificateProblems, certificatesSchema } from "../../components/pki/settings";
import { Traefik } from "../../components/edge";
import { Endpoint } from "../../components/workload";
import { exemptions } from "../../policies/exemption-list";
import { Graph } from "./graph/graph";
import { canary } from "./graph/mocks";
import { policyViolations } from "./graph/policies";
import { capture, find, valueOf } from "./fixtures/capture";
import { makeFoundation, makeNamespace } from "./fixtures/platform";
import * as pulumi from "@pulumi/pulumi";

const vaultEndpoint: Endpoint = {
  name: "vault",
  namespace: { label: "vault", name: "vault" },
  service: "vault",
  port: 8200,
  backend: { pods: { app: "vault" }, port: 8200 },
  authority: { from: { secret: "vault-tls" }, key: "ca.crt", pem: pulumi.output("PEM of Vault's authority") },
  ready: "yes",
};

const upstream: Endpoint = {
  name: "web",
  namespace: { label: "app", name: "app" },
  service: "web",
  port: 80,
  backend: { pods: { app: "web" }, port: 8080 },
  ready: "yes",
};

/** The exemptions that are for cert-manager: those of other parts are not needed here. */
const isOurs = ({ resource, installedIn }: { resource: string; installedIn?: string }): boolean =>
  installedIn === "cert-manager" || /\/cert-manager(-|\/)|traefik-metrics|acme-challenges/.test(resource);

/** cert-manager with an issuer of each kind, a certificate, and an edge. */
function program(kind: "local" | "vault" | "http01" | "dns01") {
  const ground = makeFoundation();
  const { provider, foundation } = ground;
  const here = { provider };
  const ca = new LocalCa("ca");
  const acme = kind === "http01" || kind === "dns01";
  const certManager = new CertManager("cert-manager", { foundation, ...(acme && { acme: {} }) }, here);
  const email = "ops@example.org";
  const issuers: Record<typeof kind, () => Issuer> = {
    local: () => localIssuer("local", { certManager, ca }, here),
    vault: () => vaultIssuer("vault", { certManager, vault: { endpoint: vaultEndpoint }, role: "server" }, here),
    http01: () => acmeIssuer("letsencrypt-staging", { certManager, email, solver: { http01: {} } }, here),
    dns01: () =>
      acmeIssuer(
        "letsencrypt-prod",
        { certManager, email, solver: { dns01: { cloudflare: { apiToken: { name: "dns", key: "token" } } } } },
        here,
      ),
  };
  if (kind === "vault") makeNamespace("vault", ground);
  const issuer = issuers[kind]();
  const app = makeNamespace("app", ground);
  const one = issueCertificate("one", { issuer, namespace: app, dnsNames: ["one.app.svc"] }, here);
  const edge = new Traefik(
    "traefik",
    { foundation, issuer, routes: [{ host: "web.example.org", endpoint: upstream }] },
    here,
  );
  return { ca, certManager, issuer, one, edge };
}

const rulesOf = (graph: Graph, kind: string, name: string): any[] => find(graph, kind, name).inputs.rules;
const touchesSecrets = (rules: any[]) => rules.filter(({ resources }) => resources.includes("secrets"));

describe("a certificate", () => {
  const issuer: Issuer = { kind: "ClusterIssuer", name: pulumi.output("local") };
  const namespace = { label: "app", name: "app" };

  it("lives ninety days, is renewed a month before its end, and gets a new key each time", () => {
    const { spec } = planCertificate("one", { issuer, namespace, dnsNames: ["one.app.svc"] });
    assert.deepEqual([spec.duration, spec.renewBefore], ["2160h", "720h"]);
    assert.deepEqual(spec.privateKey, { algorithm: "ECDSA", size: 256, encoding: "PKCS8", rotationPolicy: "Always" });
    assert.deepEqual(spec.usages, ["digital signature", "server auth"]);
  });

  it("may be a client's, with a name and no host", () => {
    const client = planCertificate("api", {
      issuer,
      namespace,
      dnsNames: [],
      commonName: "api",
      usages: ["client auth"],
    });
    assert.equal(client.spec.commonName, "api");
    assert.equal(client.spec.dnsNames, undefined);
    assert.deepEqual(client.spec.usages, ["digital signature", "client auth"]);
  });

  it("is refused where it is for nobody, or would be renewed at once and forever", () => {
    assert.throws(() => planCertificate("one", { issuer, namespace, dnsNames: [] }), /one is for nobody/);
    const short = { issuer, namespace, dnsNames: ["one.app.svc"], duration: "24h" as const };
    assert.throws(() => planCertificate("one", short), /lives 24h and is renewed 720h before its end/);
  });
});

describe("cert-manager", () => {
  let graph: Graph;
  let made: ReturnType<typeof program>;
  before(async () => {
    ({ graph, result: made } = await capture(() => program("local")));
  });

  it("lists Secrets of the cluster, reads and writes those of the namespaces that it serves, and no others", () => {
    assert.deepEqual(touchesSecrets(rulesOf(graph, "ClusterRole", "cert-manager")), [
      { apiGroups: [""], resources: ["secrets"], verbs: ["list", "watch"] },
    ]);
    const where = graph.nodes
      .filter(({ type, inputs }) => /:Role$/.test(type) && touchesSecrets(inputs.rules).length > 0)
      .map(({ inputs }) => inputs.metadata.namespace as string);
    assert.deepEqual(where.sort(), ["app", "cert-manager", "cert-manager", "traefik"]);
    const webhook = touchesSecrets(rulesOf(graph, "Role", "cert-manager-webhook-in-cert-manager"));
    assert.deepEqual(webhook[0].resourceNames, ["cert-manager-webhook-ca"]);
    assert.deepEqual(webhook[0].verbs, ["get", "list", "watch"]);
  });

  it("serves a namespace once, however many certificates it has there", () => {
    const again = made.certManager.serve({ label: "app", name: "app" });
    assert.deepEqual(again, made.certManager.serve({ label: "app", name: "app" }));
    assert.equal(graph.nodes.filter(({ name }) => name === "cert-manager-serves-app").length, 2);
  });

  it("has a webhook that the API server alone reaches, and whose authority the graph knows", () => {
    const policy = find(graph, "NetworkPolicy", "cert-manager-webhook-from-api-server").inputs.spec;
    assert.deepEqual(policy.ingress[0].ports, [{ port: 8443, protocol: "TCP" }]);
    assert.ok(policy.ingress[0].from.every(({ ipBlock }: any) => ipBlock.cidr !== "0.0.0.0/0"));
    const { stringData } = find(graph, "Secret", "cert-manager-webhook-ca").inputs;
    assert.equal(stringData["ca.crt"], stringData["tls.crt"]);
    for (const kind of ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"]) {
      const [webhook] = find(graph, kind, "cert-manager-webhook").inputs.webhooks;
      assert.equal(Buffer.from(webhook.clientConfig.caBundle, "base64").toString(), stringData["ca.crt"]);
      assert.equal(webhook.failurePolicy, "Fail");
    }
  });

  it("is ready when webhooks answer; then come issuers, then certificates, then who shows them", () => {
    const order = [
      find(graph, "Deployment", "cert-manager-webhook"),
      find(graph, "ValidatingWebhookConfiguration", "cert-manager-webhook"),
      find(graph, "ClusterIssuer", "local-cluster-issuer"),
      find(graph, "Certificate", "traefik-certificate"),
      find(graph, "Deployment", "traefik"),
    ];
    order.slice(1).forEach((later, index) => assert.ok(graph.isAfter(later, order[index]!), `${later.name} too early`));
    const certificate = find(graph, "Certificate", "one-certificate");
    assert.ok(graph.isAfter(certificate, find(graph, "RoleBinding", "cert-manager-serves-app")));
    assert.equal(certificate.inputs.metadata.annotations["pulumi.com/waitFor"], "condition=Ready");
  });

  it("never runs twice at once", () => {
    assert.deepEqual(find(graph, "Deployment", "cert-manager").inputs.spec.strategy, { type: "Recreate" });
    assert.equal(JSON.parse(planController("cert-manager")).leaderElectionConfig.enabled, false);
  });

  it("has no way to the internet without ACME, and with it on the ports of ACME and DNS only", async () => {
    const ways = (all: Graph) => all.nodes.filter(({ name }) => name === "cert-manager-acme");
    assert.deepEqual(ways(graph), []);
    const [way] = ways((await capture(() => program("dns01"))).graph);
    assert.deepEqual(
      way!.inputs.spec.egress[0].ports.map(({ port }: any) => port),
      [53, 80, 443, 53],
    );
  });

  for (const kind of ["local", "vault", "http01", "dns01"] as const) {
    it(`keeps every policy with an issuer of the kind ${kind}`, async () => {
      const { graph: all } = await capture(() => program(kind));
      const found = await policyViolations(all, { exemptions: exemptions.filter(isOurs) });
      // Doubles: the definitions' bundle is a ConfigMap that nobody uses, and Vault's namespace has no Vault.
      const doubles = /Namespace vault is empty/;
      assert.deepEqual(
        found.filter(({ message }) => !doubles.test(message)),
        [],
      );
    });
  }
});

describe("a ClusterIssuer", () => {
  it("is in no namespace for the policies, also where a provider that does not know the kind yet says `default`", async () => {
    const { graph } = await capture(() => program("local"));
    find(graph, "ClusterIssuer", "local-cluster-issuer").inputs.metadata.namespace = "default";
    const found = await policyViolations(graph, { exemptions: exemptions.filter(isOurs) });
    assert.deepEqual(
      found.filter(({ message }) => /ClusterIssuer/.test(message)),
      [],
    );
  });
});

describe("the local issuer", () => {
  it("signs with an authority below the root, whose own key stays out of the cluster", async () => {
    const { graph, result } = await capture(() => program("local"));
    const { inputs, secrets } = find(graph, "Secret", "local-issuer");
    assert.match(inputs.stringData["tls.key"], new RegExp(`${canary}-local-issuer-key`));
    assert.deepEqual(secrets, ["stringData"]);
    const signer = find(graph, "LocallySignedCert", "local-issuer-certificate").inputs;
    assert.equal(signer.isCaCertificate, true);
    assert.ok(signer.validityPeriodHours > signer.earlyRenewalHours);
    const rootKey = `${canary}-ca-key`;
    const holders = graph.nodes.filter(
      ({ type, inputs: all }) => type.startsWith("kubernetes:") && JSON.stringify(all).includes(rootKey),
    );
    assert.deepEqual(holders, []);
    assert.equal(await valueOf(result.issuer.ca!), await valueOf(result.ca.pem));
  });
});

describe("the Vault issuer", () => {
  let graph: Graph;
  before(async () => {
    ({ graph } = await capture(() => program("vault")));
  });

  it("logs in as an account that can do nothing else, by a token asked for and never kept", () => {
    const { vault } = find(graph, "ClusterIssuer", "vault-cluster-issuer").inputs.spec;
    assert.equal(vault.path, "pki/sign/server");
    assert.equal(vault.server, "https://vault.vault.svc:8200");
    assert.deepEqual(vault.auth.kubernetes.serviceAccountRef, { name: "vault-issuer" });
    assert.deepEqual(rulesOf(graph, "Role", "cert-manager-token-of-vault-issuer"), [
      { apiGroups: [""], resources: ["serviceaccounts/token"], resourceNames: ["vault-issuer"], verbs: ["create"] },
    ]);
    const bound = graph.nodes.filter(
      ({ type, inputs }) =>
        /RoleBinding$/.test(type) && inputs.subjects.some(({ name }: any) => name === "vault-issuer"),
    );
    assert.deepEqual(bound, []);
  });

  it("may reach Vault, both sides", () => {
    find(graph, "NetworkPolicy", "cert-manager-to-vault");
    find(graph, "NetworkPolicy", "vault-from-cert-manager");
  });

  it("needs of Vault the signing of one role and no more", () => {
    const { policies, kubernetesRoles } = vaultIssuerAccess("vault", "server");
    assert.equal(policies["vault-issuer"]!.trim(), 'path "pki/sign/server" { capabilities = ["create", "update"] }');
    assert.equal(kubernetesRoles["vault-issuer"]!.audience, "vault://vault");
  });
});

describe("an ACME issuer", () => {
  it("proves names through the edge, which starts before its certificate is there", async () => {
    const { graph } = await capture(() => program("http01"));
    const { acme } = find(graph, "ClusterIssuer", "letsencrypt-staging-cluster-issuer").inputs.spec;
    assert.match(acme.server, /^https:\/\/acme-staging-v02/);
    assert.equal(acme.solvers[0].http01.ingress.serviceType, "ClusterIP");
    const edge = find(graph, "Deployment", "traefik");
    const certificate = find(graph, "Certificate", "traefik-certificate");
    assert.ok(graph.isAfter(certificate, edge));
    for (const name of [
      "traefik-to-acme-challenges",
      "acme-challenges-from-traefik",
      "cert-manager-to-traefik",
      "traefik-from-cert-manager",
    ]) {
      assert.ok(graph.isAfter(certificate, find(graph, "NetworkPolicy", name)), name);
    }
    const routes = JSON.parse(find(graph, "ConfigMap", "traefik-config").inputs.data["routes.yaml"]);
    assert.deepEqual(routes.http.routers["acme-challenges"].entryPoints, ["web"]);
    const [{ args }] = edge.inputs.spec.template.spec.containers;
    const [, redirect] = /priority=(\d+)/.exec(args.join(" "))!;
    assert.ok(Number(redirect) < routes.http.routers["acme-challenges"].priority);
    const [, secret] = edge.inputs.spec.template.spec.volumes[0].projected.sources;
    assert.equal(secret.secret.optional, true);
  });

  it("proves names by records without a door in the edge", async () => {
    const { graph } = await capture(() => program("dns01"));
    const { acme } = find(graph, "ClusterIssuer", "letsencrypt-prod-cluster-issuer").inputs.spec;
    assert.deepEqual(acme.solvers[0].dns01, { cloudflare: { apiTokenSecretRef: { name: "dns", key: "token" } } });
    assert.deepEqual(
      graph.nodes.filter(({ name }) => name.includes("acme-challenges")),
      [],
    );
  });

  it("needs a server where its name is none of Let's Encrypt's", async () => {
    const nameless = capture(() => {
      const { foundation, provider } = makeFoundation();
      const certManager = new CertManager("cert-manager", { foundation, acme: {} }, { provider });
      return acmeIssuer("ours", { certManager, email: "ops@example.org", solver: { http01: {} } }, { provider });
    });
    await assert.rejects(nameless, /the issuer ours needs a server/);
  });
});

describe("the edge with an issuer", () => {
  it("takes up a renewed certificate: one watched folder, no new pods", async () => {
    const { graph } = await capture(() => program("local"));
    const { template } = find(graph, "Deployment", "traefik").inputs.spec;
    const [{ args, volumeMounts }] = template.spec.containers;
    const folder = volumeMounts.find(({ mountPath }: any) => mountPath === "/etc/traefik/dynamic");
    const volume = template.spec.volumes.find(({ name }: any) => name === folder.name);
    assert.deepEqual(
      volume.projected.sources.map((source: any) => Object.keys(source)[0]),
      ["configMap", "secret"],
    );
    assert.ok(args.includes("--providers.file.watch=true"));
    assert.ok(args.includes("--providers.file.directory=/etc/traefik/dynamic"));
    assert.equal(template.metadata.annotations["groundwork/certificate-sha256"], undefined);
  });
});

describe("settings of certificates", () => {
  const problems = (settings: object, domain: string, reachable: boolean) =>
    certificateProblems(certificatesSchema.parse({ enabled: true, ...settings }), { domain, reachable }).map(
      ({ key }) => key,
    );
  const acme = { email: "ops@example.org" };

  it("are in order with a public name that the internet reaches, or with one proved by records", () => {
    assert.deepEqual(problems({ issuer: "letsencrypt-prod", acme }, "platform.example.org", true), []);
    const dns01 = { cloudflare: { apiToken: { name: "dns" } } };
    assert.deepEqual(problems({ issuer: "letsencrypt-prod", acme: { ...acme, dns01 } }, "a.example.org", false), []);
  });

  it("are in order with a server of one's own, whatever the name", () => {
    const own = { ...acme, server: "https://acme.lan/dir" };
    assert.deepEqual(problems({ issuer: "letsencrypt-staging", acme: own }, "local", false), []);
  });

  it("are refused where nobody would sign", () => {
    assert.deepEqual(problems({ issuer: "letsencrypt-prod", acme }, "platform.home.arpa", true), ["issuer"]);
    assert.deepEqual(problems({ issuer: "letsencrypt-prod" }, "platform.example.org", true), ["issuer"]);
    assert.deepEqual(problems({ issuer: "vault", acme }, "local", true), ["acme"]);
  });
});
