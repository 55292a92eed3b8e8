import { strict as assert } from "node:assert";
import * as pulumi from "@pulumi/pulumi";
import { Issuer } from "../../components/pki";
import { VaultInjector, VaultInjectorArgs } from "../../components/secrets/injector";
import { Endpoint } from "../../components/workload";
import { capture, find } from "./fixtures/capture";
import { makeFoundation, makeNamespace } from "./fixtures/platform";

const issuer: Issuer = { kind: "ClusterIssuer", name: pulumi.output("vault"), ca: pulumi.output("the PEM") };

const make = (changes: Partial<VaultInjectorArgs> = {}) =>
  capture(() => {
    const ground = makeFoundation();
    const namespace = makeNamespace("vault", ground);
    const endpoint: Endpoint = {
      name: "vault",
      namespace,
      service: "vault",
      port: 8200,
      backend: { pods: { "app.kubernetes.io/name": "vault" }, port: 8200 },
      ready: "vault-is-up",
    };
    const { foundation, provider } = ground;
    return new VaultInjector(
      "vault-injector",
      { foundation, vault: { endpoint, namespace }, issuer, ...changes },
      { provider },
    );
  });

describe("the injector of Vault's agent", () => {
  it("is asked about new pods with the kit's label in restricted namespaces, and about nothing else", async () => {
    const { graph } = await make();
    const [webhook] = find(graph, "MutatingWebhookConfiguration", "vault-injector").inputs["webhooks"];
    assert.deepEqual(webhook.rules, [
      { operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], scope: "Namespaced" },
    ]);
    assert.deepEqual(webhook.objectSelector.matchLabels, { "groundwork/vault-agent": "inject" });
    const { labels } = find(graph, "Namespace", "vault-namespace").inputs["metadata"];
    for (const [key, value] of Object.entries(webhook.namespaceSelector.matchLabels)) assert.equal(labels[key], value);
    assert.equal(webhook.failurePolicy, "Fail");
    assert.ok(webhook.timeoutSeconds <= 5);
  });

  it("answers under the name that its certificate has, signed by the authority that the API server gets", async () => {
    const { graph } = await make();
    const { spec } = find(graph, "Certificate", "vault-injector-certificate").inputs;
    const [webhook] = find(graph, "MutatingWebhookConfiguration", "vault-injector").inputs["webhooks"];
    const { service, caBundle } = webhook.clientConfig;
    assert.ok(spec.dnsNames.includes(`${service.name}.${service.namespace}.svc`));
    assert.equal(Buffer.from(caBundle, "base64").toString(), "the PEM");
    const template = find(graph, "Deployment", "vault-injector").inputs["spec"].template.spec;
    const [{ args, volumeMounts }] = template.containers;
    const mount = volumeMounts.find(({ mountPath }: any) => mountPath === "/etc/vault-injector/tls");
    const volume = template.volumes.find(({ name }: any) => name === mount.name);
    assert.equal(volume.secret.secretName, spec.secretName);
    assert.ok(args.includes("-tls-cert-file=/etc/vault-injector/tls/tls.crt"));
    assert.ok(!args.some((arg: string) => arg.includes("tls-auto")), "it must not make its own certificate");
  });

  it("starts agents of the pinned image that go to Vault over TLS", async () => {
    const { graph, result } = await make();
    const [{ args }] = find(graph, "Deployment", "vault-injector").inputs["spec"].template.spec.containers;
    assert.ok(args.includes("-vault-address=https://vault.vault.svc:8200"));
    assert.match(result.agentImage.ref, /^docker\.io\/hashicorp\/vault:.*@sha256:/);
    assert.ok(args.includes(`-vault-image=${result.agentImage.ref}`));
  });

  it("may read webhook configurations, and change nothing", async () => {
    const { graph } = await make();
    assert.equal(graph.ofType(/:Role$/).length, 0);
    const { rules } = find(graph, "ClusterRole", "vault-injector").inputs;
    assert.deepEqual(rules, [
      {
        apiGroups: ["admissionregistration.k8s.io"],
        resources: ["mutatingwebhookconfigurations"],
        verbs: ["get", "list", "watch"],
      },
    ]);
    const account = find(graph, "ServiceAccount", "vault-injector-account").inputs["metadata"].name;
    const [subject] = find(graph, "ClusterRoleBinding", "vault-injector").inputs["subjects"];
    assert.deepEqual(subject, { kind: "ServiceAccount", name: account, namespace: "vault" });
  });

  it("is called by the API server alone, and calls it alone", async () => {
    const { graph } = await make();
    const { ingress } = find(graph, "NetworkPolicy", "vault-injector-from-api-server").inputs["spec"];
    assert.ok(ingress[0].from.some(({ ipBlock }: any) => ipBlock.cidr === "10.41.0.10/32"));
    assert.deepEqual(ingress[0].ports, [{ port: 8443, protocol: "TCP" }]);
    const ways = graph.ofType(/:NetworkPolicy$/).filter(({ name }) => name.startsWith("vault-injector-"));
    assert.deepEqual(ways.map(({ name }) => name).sort(), [
      "vault-injector-from-api-server",
      "vault-injector-to-kube-api",
    ]);
  });

  it("is registered after it answers, and is away before it stops", async () => {
    const { graph } = await make();
    const webhook = find(graph, "MutatingWebhookConfiguration", "vault-injector");
    const deployment = find(graph, "Deployment", "vault-injector");
    assert.ok(graph.isAfter(webhook, deployment));
    assert.ok(graph.isAfter(webhook, find(graph, "ClusterRoleBinding", "vault-injector")));
  });

  it("refuses an issuer that the API server could not check", async () => {
    await assert.rejects(make({ issuer: { ...issuer, ca: undefined } }), /an issuer whose authority is known/);
  });
});
