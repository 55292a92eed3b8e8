import { strict as assert } from "node:assert";
import * as pulumi from "@pulumi/pulumi";
import { Vault, VaultConfiguration } from "../../components/secrets";
import { planServerConfig, planServerEnvironment, VaultNames } from "../../components/secrets/vault-config";
import { vaultSchema } from "../../components/secrets/settings";
import type { Issuer } from "../../components/pki/issuer";
import type { Endpoint } from "../../components/workload";
import { capture, find } from "./fixtures/capture";
import { makeFoundation, makeNamespace } from "./fixtures/platform";
import { Graph } from "./graph/graph";
import { policyViolations } from "./graph/policies";

/** A certificate authority by reference: what the graph knows of one that cert-manager has. */
const issuer = (): Issuer => ({
  kind: "ClusterIssuer",
  name: pulumi.output("local-ca"),
  ca: pulumi.output("the root certificate"),
});

function makeVault(replicas: 1 | 3) {
  const ground = makeFoundation();
  const { foundation, provider } = ground;
  const vault = new Vault("vault", { foundation, issuer: issuer(), replicas }, { provider });
  const app = makeNamespace("app", ground);
  const database: Endpoint = {
    name: "app-db",
    mount: "db",
    namespace: app,
    service: "app-db-rw",
    port: 5432,
    backend: { pods: { "cnpg.io/cluster": "app-db" }, port: 5432 },
    credential: {
      secret: "app-db-vault-login",
      keys: ["username", "password"],
      values: pulumi.secret({ username: "vault", password: "not in the graph" }),
    },
    ready: "database-uid",
  };
  const document = { policies: { api: `path "kv/data/api" { capabilities = ["read"] }` } };
  new VaultConfiguration("api-access", { vault, document, uses: [database] }, { provider });
}

describe("Vault", () => {
  let graph: Graph;
  let lone: Graph;
  before(async () => {
    graph = (await capture(() => makeVault(3))).graph;
    lone = (await capture(() => makeVault(1))).graph;
  });

  const set = (name: string, of = graph) => find(of, "StatefulSet", name).inputs.spec;
  const pod = (name: string, of = graph) => set(name, of).template.spec;
  const container = (spec: any, name: string) =>
    [...spec.containers, ...(spec.initContainers ?? [])].find((one: { name: string }) => one.name === name);
  const mounts = (spec: any, name: string): string[] =>
    container(spec, name).volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
  const job = (name: string) => find(graph, "Job", name).inputs.spec.template.spec;

  it("comes after the Vault that unseals it, and its configuration after it", () => {
    const before = (later: string, earlier: RegExp) =>
      assert.ok(
        [...graph.before(graph.one(/:(StatefulSet|Job)$/, later))].some((urn) => earlier.test(urn)),
        `${later} does not come after ${earlier.source}`,
      );
    before("vault", /StatefulSet::vault-bootstrap$/);
    before("vault-configure", /StatefulSet::vault$/);
    before("api-access", /Job::vault-configure$/);
    before("api-access", /NetworkPolicy::app-db-from-api-access$/);
  });

  it("waits for the Transit key before the server starts", () => {
    const [wait] = pod("vault").initContainers;
    assert.deepEqual([wait.name, wait.args[0]], ["wait", "wait"]);
    assert.ok(mounts(pod("vault"), "wait").includes("/etc/vault-seal"));
  });

  it("has its seal's token in a file and nowhere else", () => {
    const all = JSON.stringify(
      [pod("vault").containers, pod("vault").initContainers].map((some: any[]) =>
        some.map(({ env, args, command }) => [env, args, command]),
      ),
    );
    assert.doesNotMatch(all, /VAULT_TOKEN|hvs\./);
    const seal = pod("vault").volumes.find((volume: any) => volume.secret?.secretName === "vault-unseal");
    assert.equal(seal.secret.defaultMode, 0o440);
  });

  it("gives the account's token to the containers that call the API server, and to no others", () => {
    const token = "/var/run/secrets/kubernetes.io/serviceaccount";
    const holders = (spec: any) =>
      [...spec.containers, ...(spec.initContainers ?? [])]
        .map(({ name }: { name: string }) => name)
        .filter((name: string) => mounts(spec, name).includes(token));
    assert.deepEqual(holders(pod("vault")), ["vault"]);
    assert.deepEqual(holders(pod("vault-bootstrap")), ["keeper"]);
    assert.deepEqual(holders(job("vault-configure")), ["vault-configure"]);
    assert.deepEqual(holders(job("api-access")), []);
    for (const spec of [pod("vault"), pod("vault-bootstrap"), job("vault-configure"), job("api-access")]) {
      assert.equal(spec.automountServiceAccountToken, false);
    }
  });

  it("lets configurations log in with a token that only Vault accepts", () => {
    const spec = job("api-access");
    assert.equal(spec.serviceAccountName, "vault-keeper");
    const { sources } = spec.volumes.find(({ name }: { name: string }) => name === "login-token").projected;
    assert.deepEqual(sources[0].serviceAccountToken, {
      path: "token",
      audience: "vault-keeper",
      expirationSeconds: 600,
    });
  });

  it("lets the keepers read the Secrets that they name, and no others", () => {
    const rules = (name: string) => find(graph, "Role", name).inputs.rules;
    const readable = (name: string) =>
      rules(name)
        .filter(({ verbs }: { verbs: string[] }) => verbs.includes("get"))
        .flatMap(({ resourceNames }: { resourceNames?: string[] }) => resourceNames ?? ["everything"]);
    assert.deepEqual(readable("vault-bootstrap-in-vault-bootstrap"), ["vault-bootstrap-keys", "vault-bootstrap-copy"]);
    assert.deepEqual(readable("vault-bootstrap-in-vault"), ["vault-unseal"]);
    assert.deepEqual(readable("vault-configure-in-vault"), ["vault-recovery", "vault-state", "vault-authority"]);
    assert.deepEqual(find(graph, "ClusterRole", "vault-token-review").inputs.rules, [
      { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
    ]);
  });

  it("makes none of the Secrets that the keepers make", () => {
    const made = graph.ofType(/:Secret$/).map(({ inputs }) => inputs.metadata.name as string);
    for (const kept of ["vault-unseal", "vault-recovery", "vault-bootstrap-keys", "vault-bootstrap-copy"]) {
      assert.ok(!made.includes(kept), `${kept} would be in the state`);
    }
  });

  it("has peers only where there are several servers", () => {
    assert.equal(graph.ofType(/:NetworkPolicy$/).filter(({ name }) => /^vault-peers-/.test(name)).length, 2);
    assert.equal(lone.ofType(/:NetworkPolicy$/).filter(({ name }) => /^vault-peers-/.test(name)).length, 0);
    assert.equal(set("vault").podManagementPolicy, "Parallel");
    assert.equal(find(graph, "PodDisruptionBudget", "vault-budget").inputs.spec.minAvailable, 2);
  });

  it("lives while it is sealed, and is not ready then", () => {
    const { livenessProbe, readinessProbe } = container(pod("vault"), "vault");
    assert.match(livenessProbe.httpGet.path, /sealedcode=200&uninitcode=200/);
    assert.doesNotMatch(readinessProbe.httpGet.path, /sealedcode/);
    assert.equal(livenessProbe.httpGet.scheme, "HTTPS");
  });

  it("fills in the pod's name before the addresses that carry it", () => {
    const env = container(pod("vault"), "vault").env.map(({ name }: { name: string }) => name);
    assert.equal(env[0], "POD_NAME");
    assert.ok(env.includes("VAULT_CLUSTER_ADDR"));
  });

  it("lets its servers into the databases that it makes logins in, and not the job", () => {
    const policy = find(graph, "NetworkPolicy", "api-access-to-app-db").inputs.spec;
    assert.deepEqual(policy.podSelector.matchLabels, { "app.kubernetes.io/name": "vault" });
    assert.ok(mounts(job("api-access"), "api-access").includes("/etc/groundwork/db"));
  });

  it("says for the rules of backups where its data is kept besides", () => {
    const annotations = find(graph, "CronJob", "vault-snapshots").inputs.metadata.annotations;
    assert.equal(annotations["groundwork/backup-of"], "StatefulSet/vault");
    assert.equal(annotations["groundwork/backup-retention"], "28 copies");
    assert.equal(
      find(graph, "StatefulSet", "vault-bootstrap").inputs.metadata.annotations["groundwork/backup-of"],
      "self",
    );
  });

  it("is protected with everything that holds its data", () => {
    for (const [kind, name] of [
      ["StatefulSet", "vault"],
      ["StatefulSet", "vault-bootstrap"],
      ["PersistentVolumeClaim", "vault-snapshots"],
    ] as const) {
      assert.equal(find(graph, kind, name).protect, true, `${kind} ${name}`);
    }
    assert.equal(find(graph, "ConfigMap", "vault-config").protect, false, "what has no data can be replaced");
  });

  it("breaks no policy", async () => {
    // The namespace of the database is empty here, and the injector, which has an exemption, is not here at all.
    const elsewhere = ["no-empty-namespaces", "valid-exemptions"];
    const violations = (await policyViolations(graph)).filter(({ rule }) => !elsewhere.includes(rule));
    assert.deepEqual(violations, []);
  });

  const names: VaultNames = { set: "vault", peers: "vault-peers", service: "vault", namespace: "vault" };

  it("tells servers of each other, and of themselves by their own name", () => {
    const config = planServerConfig(names, 3);
    assert.equal(config.match(/retry_join/g)?.length, 3);
    assert.match(config, /leader_api_addr\s+= "https:\/\/vault-2\.vault-peers\.vault\.svc:8200"/);
    assert.doesNotMatch(planServerConfig(names, 1), /retry_join/);
    assert.equal(planServerEnvironment(names)["VAULT_API_ADDR"], "https://$(POD_NAME).vault-peers.vault.svc:8200");
  });

  it("has the sizes of its settings", () => {
    assert.equal(vaultSchema.parse({}).enabled, false);
    assert.deepEqual(vaultSchema.parse({ size: "large" }).resources.limits.memory, "4Gi");
    assert.throws(() => vaultSchema.parse({ replicas: 2 }));
  });
});
