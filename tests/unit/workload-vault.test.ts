import { strict as assert } from "node:assert";
import {
  Endpoint,
  HardenedDeployment,
  HardenedDeploymentArgs,
  HardenedJob,
  PlatformNamespace,
  VaultAccess,
} from "../../components/workload";
import * as pulumi from "@pulumi/pulumi";
import { FakeArtifacts } from "./fixtures/artifacts";
import { capture, find } from "./fixtures/capture";
import { makeFoundation, makeNamespace, someResources } from "./fixtures/platform";

const image = new FakeArtifacts().image("api");
const http = { path: "/", port: 8080 };
const probes = { liveness: { http }, readiness: { http } };
const prefix = "vault.hashicorp.com/";

const vaultEndpoint = (namespace: PlatformNamespace): Endpoint => ({
  name: "vault",
  namespace,
  service: "vault",
  port: 8200,
  backend: { pods: { "app.kubernetes.io/name": "vault" }, port: 8200 },
  authority: { from: { configMap: "vault-ca" }, key: "ca.crt", pem: pulumi.output("the PEM") },
  ready: "vault-is-up",
});

/** A namespace with Vault in it, one with the workload, and what the workload says of Vault. */
function makeGround(changes: Partial<VaultAccess> = {}) {
  const ground = makeFoundation();
  const app = makeNamespace("app", ground);
  const vault: VaultAccess = {
    injector: { ready: "injector-is-up" },
    endpoint: vaultEndpoint(makeNamespace("vault", ground)),
    role: "web",
    files: { "login.json": { template: '{{ with secret "kv/data/web" }}{{ .Data.data | toJSON }}{{ end }}' } },
    access: "configured",
    ...changes,
  };
  return { ...ground, app, vault };
}

const deploy = (changes: Partial<VaultAccess> = {}, more: Partial<HardenedDeploymentArgs> = {}) =>
  capture(() => {
    const { app, vault, provider } = makeGround(changes);
    const container = { image, command: ["/bin/web"], ports: { http: 8080 }, probes, resources: someResources };
    return new HardenedDeployment(
      "web",
      { namespace: app, container, vault, identity: { uid: 20001, gid: 20002 }, ...more },
      { provider },
    );
  });

const template = async (...args: Parameters<typeof deploy>): Promise<any> => {
  const { graph } = await deploy(...args);
  return find(graph, "Deployment", "web").inputs["spec"].template;
};

describe("a workload with files out of Vault", () => {
  it("logs in by an account of its own, whose API token no container has", async () => {
    const { graph } = await deploy();
    const { spec } = find(graph, "Deployment", "web").inputs["spec"].template;
    assert.equal(spec.serviceAccountName, "web");
    assert.equal(spec.automountServiceAccountToken, false);
    assert.equal(find(graph, "ServiceAccount", "web-account").inputs["automountServiceAccountToken"], false);
    assert.equal(graph.ofType(/:Role$/).length, 0);
  });

  it("gives the agent, and nobody else, a token for Vault that is over after ten minutes", async () => {
    const { metadata, spec } = await template({ audience: "https://vault" });
    const volume = spec.volumes.find(({ name }: any) => name === "vault-login");
    assert.deepEqual(volume.projected.sources, [
      { serviceAccountToken: { path: "token", audience: "https://vault", expirationSeconds: 600 } },
    ]);
    assert.equal(metadata.annotations[`${prefix}agent-service-account-token-volume-name`], "vault-login");
    for (const { volumeMounts } of spec.containers) {
      assert.ok(!volumeMounts.some(({ name }: any) => name === "vault-login"));
    }
  });

  it("asks the injector for containers that restricted Pod Security lets in", async () => {
    const { metadata } = await template();
    assert.equal(metadata.labels["groundwork/vault-agent"], "inject");
    const wanted = {
      "agent-inject": "true",
      "agent-init-first": "true",
      "agent-pre-populate": "true",
      "agent-pre-populate-only": "false",
      "agent-set-security-context": "true",
      "agent-run-as-user": "20001",
      "agent-run-as-group": "20002",
      "agent-limits-ephemeral": "64Mi",
      "agent-requests-ephemeral": "16Mi",
      service: "https://vault.vault.svc:8200",
      "ca-cert": "/etc/groundwork/vault-ca/ca.crt",
      role: "web",
    };
    for (const [key, value] of Object.entries(wanted)) assert.equal(metadata.annotations[prefix + key], value, key);
    assert.equal(metadata.annotations[`${prefix}tls-skip-verify`], undefined);
  });

  it("shows the agent Vault's authority, as a volume that the pod has", async () => {
    const { metadata, spec } = await template();
    for (const key of ["agent-json-patch", "agent-init-json-patch"]) {
      const [mount] = JSON.parse(metadata.annotations[prefix + key]);
      assert.equal(mount.path, "/volumeMounts/-");
      assert.equal(mount.value.mountPath, "/etc/groundwork/vault-ca");
      assert.ok(spec.volumes.some(({ name }: any) => name === mount.value.name));
    }
  });

  it("renders each file for its own user, and rather not at all than without a key", async () => {
    const { metadata } = await template({ files: { "tls.pem": { template: "{{ t }}", mode: "0440" } } });
    assert.equal(metadata.annotations[`${prefix}agent-inject-template-tls.pem`], "{{ t }}");
    assert.equal(metadata.annotations[`${prefix}agent-inject-perms-tls.pem`], "0440");
    assert.equal(metadata.annotations[`${prefix}error-on-missing-key-tls.pem`], "true");
  });

  it("opens the way to Vault from both sides, and no other", async () => {
    const { graph } = await deploy();
    const egress = find(graph, "NetworkPolicy", "web-to-vault").inputs["spec"];
    assert.deepEqual(egress.podSelector, { matchLabels: { "app.kubernetes.io/name": "web" } });
    assert.equal(egress.egress[0].ports[0].port, 8200);
    find(graph, "NetworkPolicy", "vault-from-web");
    const ways = graph.ofType(/:NetworkPolicy$/).filter(({ name }) => name.startsWith("web-"));
    assert.deepEqual(
      ways.map(({ name }) => name),
      ["web-to-vault"],
    );
  });

  it("keeps its one account where it calls the API server, too", async () => {
    const access = { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] };
    const { graph } = await deploy({}, { access });
    const { spec } = find(graph, "Deployment", "web").inputs["spec"].template;
    assert.equal(spec.automountServiceAccountToken, true);
    assert.equal(graph.ofType(/:ServiceAccount$/).length, 1);
  });

  it("keeps the names of its files within what annotations can have", async () => {
    for (const name of ["a/b", "file-x", "x".repeat(37), "-x", ""]) {
      await assert.rejects(deploy({ files: { [name]: { template: "x" } } }), /can not name a file of Vault Agent/);
    }
    await assert.rejects(deploy({ files: {} }), /none is named/);
  });

  it("refuses a Vault that nobody could check", async () => {
    const endpoint = { ...vaultEndpoint({ label: "app", name: "app" } as any), authority: undefined };
    await assert.rejects(deploy({ endpoint }), /has no certificate authority/);
  });

  it("renders before a job and leaves nothing running beside it", async () => {
    const { graph } = await capture(() => {
      const { app, vault, provider } = makeGround();
      const container = { image, command: ["/bin/once"], resources: someResources };
      return new HardenedJob("once", { namespace: app, container, vault }, { provider });
    });
    const { metadata } = find(graph, "Job", "once").inputs["spec"].template;
    assert.equal(metadata.annotations[`${prefix}agent-pre-populate-only`], "true");
    assert.equal(metadata.annotations[`${prefix}agent-revoke-on-shutdown`], "false");
  });

  it("comes after the injector and after its role stands", async () => {
    const pending = new Promise<string>(() => undefined);
    for (const late of [{ injector: { ready: pending } }, { access: pending }]) {
      const { made } = await raceOf(late);
      assert.equal(made, false);
    }
  });
});

/** Whether the role's annotation is known while something that it waits for is not. */
async function raceOf(late: Partial<VaultAccess>): Promise<{ made: boolean }> {
  const { planAgent } = await import("../../components/workload/vault");
  const vault: VaultAccess = {
    injector: { ready: "up" },
    endpoint: vaultEndpoint({ label: "vault", name: "vault" } as any),
    role: "web",
    files: { x: { template: "x" } },
    access: "configured",
    ...late,
  };
  const authority = { volume: "v", path: "/p", file: "f" };
  const plan = planAgent(vault, { identity: { uid: 1, gid: 1 }, gracePeriod: 30, authority, ends: false });
  let made = false;
  pulumi.all(Object.values(plan)).apply(() => (made = true));
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { made };
}
