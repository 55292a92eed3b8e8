import { strict as assert } from "node:assert";
import * as pulumi from "@pulumi/pulumi";
import { ExternalSecrets, externalSecret, storeAccess, vaultStore } from "../../components/secrets";
import type { Endpoint } from "../../components/workload";
import { makeFoundation, makeNamespace } from "./fixtures/platform";
import { captureProgram } from "./graph/capture";
import { Graph } from "./graph/graph";
import { policyViolations } from "./graph/policies";
import * as properties from "./graph/properties";

/** Vault's endpoint, as a double: no Vault is made. */
const vaultIn = (namespace: Endpoint["namespace"]): Endpoint => ({
  name: "vault",
  namespace,
  service: "vault",
  port: 8200,
  backend: { pods: { "app.kubernetes.io/name": "vault" }, port: 8200 },
  authority: { from: { secret: "vault-tls" }, key: "ca.crt", pem: pulumi.output("-----BEGIN CERTIFICATE-----\n") },
  ready: "vault-is-ready",
});

const program = (change: (endpoint: Endpoint) => Endpoint = (same) => same, into: "app" | "other" = "app") => {
  const ground = makeFoundation();
  const { foundation, provider } = ground;
  const app = makeNamespace("app", ground);
  const other = makeNamespace("other", ground);
  const vault = change(vaultIn(makeNamespace("vault", ground)));
  const controller = new ExternalSecrets(
    "external-secrets",
    { foundation, serves: [app], uses: [vault] },
    { provider },
  );
  const namespace = into === "app" ? app : other;
  const store = vaultStore(
    "vault-store",
    { controller, namespace, vault, access: "access-is-ready", refresh: "30s" },
    { provider },
  );
  externalSecret("mail", { store, data: { password: { path: "mail/smtp", field: "secret" } } }, { provider });
  externalSecret("slow", { store, data: { a: { path: "x", field: "y" } }, refresh: "1h" }, { provider });
};

const captured = (main: () => void): Promise<Graph> =>
  captureProgram(async () => main(), { project: "groundwork", stack: "external" });

const wholeStack = ["valid-exemptions", "no-orphans", "no-empty-namespaces"];

describe("External Secrets", () => {
  let graph: Graph;
  before(async () => {
    graph = await captured(() => program());
  });

  it("breaks no policy and is hardened", async () => {
    // Rules that judge a stack as a whole are for whole stacks.
    const found = (await policyViolations(graph)).filter(({ rule }) => !wholeStack.includes(rule));
    assert.deepEqual(
      found.map(({ message }) => message),
      [],
    );
    properties.assertHardened(graph);
    properties.assertNoLeaks(graph);
    properties.assertNames(graph, ["vault-store", "mail", "slow"]);
    properties.assertNamespacesFirst(graph);
  });

  it("runs one controller a namespace, with rights there and nowhere else", () => {
    const [deployment, ...others] = graph.objects("Deployment", "external-secrets");
    assert.equal(others.length, 0);
    const { args } = deployment!.inputs["spec"].template.spec.containers[0];
    assert.ok(args.includes("--namespace=app"));
    assert.ok(args.includes("--enable-cluster-store-reconciler=false"));
    assert.deepEqual(graph.objects("ClusterRole"), []);
    assert.deepEqual(
      graph.objects("Role").map(({ inputs }) => inputs["metadata"].namespace),
      ["app"],
    );
  });

  it("may ask for tokens of the store's account alone", () => {
    const rules = graph.objects("Role", "app")[0]!.inputs["rules"] as {
      resources: string[];
      resourceNames?: string[];
    }[];
    const tokens = rules.filter(({ resources }) => resources.includes("serviceaccounts/token"));
    assert.deepEqual(
      tokens.map(({ resourceNames }) => resourceNames),
      [["external-secrets"]],
    );
    const [account] = graph
      .objects("ServiceAccount", "app")
      .filter(({ inputs }) => inputs["metadata"].name === "external-secrets");
    assert.equal(account?.inputs["automountServiceAccountToken"], false);
  });

  it("has no webhook", () => {
    assert.deepEqual(graph.objects("ValidatingWebhookConfiguration"), []);
    assert.deepEqual(graph.objects("Service", "external-secrets"), []);
  });

  it("logs in at Vault over TLS, as the namespace's role, with a token for Vault", () => {
    const { spec, metadata } = graph.objects("SecretStore", "app")[0]!.inputs;
    const { vault } = spec.provider;
    assert.equal(vault.server, "https://vault.vault.svc:8200");
    assert.equal(Buffer.from(vault.caBundle as string, "base64").toString(), "-----BEGIN CERTIFICATE-----\n");
    assert.deepEqual(vault.auth.kubernetes, {
      mountPath: "kubernetes",
      role: "external-secrets-app",
      serviceAccountRef: { name: "external-secrets", audiences: ["vault"] },
    });
    assert.equal(metadata.annotations["groundwork/access"], "access-is-ready");
    assert.equal(metadata.annotations["pulumi.com/waitFor"], "condition=Ready");
  });

  it("reads below the namespace's own path, as often as the store or the secret says", () => {
    const [mail, slow] = graph.objects("ExternalSecret", "app").map(({ inputs }) => inputs["spec"]);
    assert.deepEqual(mail.data, [{ secretKey: "password", remoteRef: { key: "app/mail/smtp", property: "secret" } }]);
    assert.equal(mail.refreshInterval, "30s");
    assert.equal(slow.refreshInterval, "1h");
    assert.deepEqual(mail.target, { name: "mail", creationPolicy: "Owner", deletionPolicy: "Retain" });
  });

  it("starts after its definitions, the store after the controller, and secrets after the store", () => {
    const object = (kind: string, namespace: string) => graph.objects(kind, namespace)[0]!;
    const definitions = graph.nodes.find(({ name }) => name === "external-secrets-crds")!;
    const order = [
      definitions,
      object("Deployment", "external-secrets"),
      object("SecretStore", "app"),
      object("ExternalSecret", "app"),
    ];
    for (const [index, later] of order.slice(1).entries()) assert.ok(graph.isAfter(later, order[index]!), later.name);
  });

  it("is deleted after its secrets, whose finalizers it takes off", () => {
    for (const secret of graph.objects("ExternalSecret")) assert.equal(secret.deletedWith, undefined);
  });

  it("opens the way to Vault on both sides", () => {
    const from = graph.objects("NetworkPolicy", "vault").map(({ inputs }) => inputs["metadata"].name as string);
    const to = graph
      .objects("NetworkPolicy", "external-secrets")
      .map(({ inputs }) => inputs["metadata"].name as string);
    assert.ok(from.includes("vault-from-external-secrets-app"));
    assert.ok(to.includes("external-secrets-app-to-vault"));
  });

  it("refuses a store in a namespace that no controller serves", async () => {
    await assert.rejects(
      captured(() => program(undefined, "other")),
      /vault-store is in other, and the controllers serve app/,
    );
  });

  it("refuses a Vault whose authority nobody knows", async () => {
    const unknown = (endpoint: Endpoint): Endpoint => ({ ...endpoint, authority: undefined });
    await assert.rejects(
      captured(() => program(unknown)),
      /vault-store needs the certificate authority of vault/,
    );
  });
});

describe("what Vault is told of stores", () => {
  it("lets each namespace read its own values and nothing else", () => {
    const document = storeAccess([{ label: "app" }, { label: "shop" }]);
    assert.deepEqual(Object.keys(document.policies!), ["external-secrets-app", "external-secrets-shop"]);
    assert.equal(document.policies!["external-secrets-app"], 'path "kv/data/app/*" {\n  capabilities = ["read"]\n}\n');
    assert.deepEqual(document.kubernetesRoles!["external-secrets-shop"], {
      serviceAccounts: ["external-secrets"],
      namespaces: ["shop"],
      policies: ["external-secrets-shop"],
      ttl: "10m",
      audience: "vault",
    });
  });
});
