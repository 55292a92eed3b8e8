import { strict as assert } from "node:assert";
import * as pulumi from "@pulumi/pulumi";
import { Api } from "../../components/apps";
import { leasedUser, makeLeasingRole, Postgres, PostgresOperator, Valkey } from "../../components/data";
import { planUsers } from "../../components/data/valkey-files";
import type { Issuer } from "../../components/pki";
import { Endpoint } from "../../components/workload";
import { capture, find, valueOf } from "./fixtures/capture";
import { makeFoundation, makeNamespace, someResources } from "./fixtures/platform";
import { Graph } from "./graph/graph";
import { canary } from "./graph/mocks";

/** An issuer by reference only: nothing signs here. */
const issuerCalled = (name: string): Issuer => ({
  kind: "ClusterIssuer",
  name: pulumi.output(name),
  ca: pulumi.output("-----BEGIN CERTIFICATE-----\nroot\n-----END CERTIFICATE-----\n"),
});

/** Vault as an endpoint only. */
const vaultEndpoint: Endpoint = {
  name: "vault",
  namespace: { label: "vault", name: "vault" },
  service: "vault",
  port: 8200,
  backend: { pods: { "app.kubernetes.io/name": "vault" }, port: 8200 },
  authority: { from: { secret: "vault-tls" }, key: "ca.crt", pem: pulumi.output("pem") },
  ready: "uid-of-vault",
};

function makeCertified() {
  const ground = makeFoundation();
  const { provider, foundation } = ground;
  const namespace = makeNamespace("app", ground);
  const [issuer, clients] = [issuerCalled("vault"), issuerCalled("vault-clients")];
  const operator = new PostgresOperator("cnpg", { foundation, serves: [namespace] }, { provider });
  const postgres = { operator, namespace, storage: "1Gi", resources: someResources } as const;
  const database = new Postgres(
    "app-db",
    { ...postgres, certificates: { issuer, clients }, vaultRole: true },
    { provider },
  );
  const cache = new Valkey("cache", { namespace, issuer, clients, memory: "100Mi" }, { provider });
  const shared = { namespace, database: database.endpoint, cache: cache.endpoint };
  const vault = {
    injector: { ready: "uid-of-injector" },
    endpoint: vaultEndpoint,
    role: "api",
    access: "configured",
    databaseRole: "api",
  };
  new Api("api", { ...shared, vault, clients }, { provider });
  new Api("plain", { ...shared, clients }, { provider });
  return { database, cache };
}

describe("data with certificates of an issuer", () => {
  let graph: Graph;
  let made: ReturnType<typeof makeCertified>;
  before(async () => {
    const captured = await capture(makeCertified);
    [graph, made] = [captured.graph, captured.result];
  });
  const certificate = (name: string) => find(graph, "Certificate", `${name}-certificate`).inputs.spec;
  const deployment = (name: string) => find(graph, "Deployment", name);
  const pod = (name: string) => deployment(name).inputs.spec.template.spec;
  const env = (name: string): Record<string, string> =>
    Object.fromEntries(pod(name).containers[0].env.map((one: any) => [one.name, one.value]));

  describe("PostgreSQL", () => {
    const cluster = () => find(graph, "Cluster", "app-db").inputs.spec;

    it("gets a server certificate for its services and one for replicas, which the operator reloads", () => {
      const server = certificate("app-db-server");
      assert.deepEqual([server.issuerRef.name, server.usages], ["vault", ["digital signature", "server auth"]]);
      assert.deepEqual(server.dnsNames.slice(0, 2), ["app-db-rw.app.svc", "app-db-rw.app.svc.cluster.local"]);
      assert.equal(server.dnsNames.length, 6);
      const replica = certificate("app-db-replication");
      assert.deepEqual([replica.issuerRef.name, replica.commonName], ["vault-clients", "streaming_replica"]);
      assert.deepEqual(replica.usages, ["digital signature", "client auth"]);
      for (const one of [server, replica]) assert.equal(one.secretTemplate.labels["cnpg.io/reload"], "true");
      assert.deepEqual(cluster().certificates, {
        serverTLSSecret: "app-db-server-tls",
        serverCASecret: "app-db-server-tls",
        clientCASecret: "app-db-replication-tls",
        replicationTLSSecret: "app-db-replication-tls",
      });
    });

    it("takes nobody without TLS, and nobody but Vault without a certificate", () => {
      assert.deepEqual(cluster().postgresql.pg_hba, [
        "hostssl all vault all scram-sha-256",
        "hostssl all all all scram-sha-256 clientcert=verify-ca",
        "hostnossl all all all reject",
      ]);
    });

    it("has a role for Vault out of a Secret, and not one that CloudNativePG manages", () => {
      assert.equal(cluster().managed, undefined);
      assert.deepEqual(cluster().bootstrap.initdb.postInitApplicationSQLRefs, {
        secretRefs: [{ name: "app-db-vault-login", key: "role.sql" }],
      });
      const secret = find(graph, "Secret", "app-db-vault-login");
      assert.deepEqual(secret.secrets, ["stringData"]);
      assert.match(
        secret.inputs.stringData["role.sql"],
        /^CREATE ROLE vault LOGIN CREATEROLE .*;\nGRANT "app" TO vault/,
      );
      assert.deepEqual(made.database.vaultCredential?.keys, ["username", "password"]);
    });

    it("gives out the issuer's authority, by reference and by value", async () => {
      const { authority } = made.database.endpoint;
      assert.deepEqual(
        [authority?.key, await valueOf(authority?.pem)],
        ["ca.crt", await valueOf(issuerCalled("x").ca)],
      );
      assert.equal(await valueOf((authority?.from as { secret: pulumi.Output<string> }).secret), "app-db-server-tls");
    });

    it("refuses names and passwords that would have to be escaped", () => {
      assert.throws(() => leasedUser('app"; DROP'), /no name of a PostgreSQL role/);
      assert.throws(() => makeLeasingRole("app", "it's"), /letters, digits/);
    });
  });

  describe("Valkey", () => {
    const config = () => find(graph, "ConfigMap", "cache-config").inputs.data;

    it("speaks TLS with clients that have a certificate, and nothing else", () => {
      const lines = config()["valkey.conf"].split("\n");
      for (const line of ["port 0", "tls-port 6379", "tls-auth-clients yes", "protected-mode yes"]) {
        assert.ok(lines.includes(line), line);
      }
      assert.deepEqual(made.cache.endpoint.backend, { pods: { "app.kubernetes.io/name": "cache" }, port: 6379 });
      const server = certificate("cache-server");
      assert.deepEqual([server.issuerRef.name, server.dnsNames[0]], ["vault", "cache.app.svc"]);
      const probe = certificate("cache-probe");
      assert.deepEqual([probe.issuerRef.name, probe.commonName], ["vault-clients", "cache-probe"]);
    });

    it("keeps nothing and leaves two fifths of its memory to everything but values", () => {
      const text: string = config()["valkey.conf"];
      assert.match(text, /^save ""$/m);
      assert.match(text, /^appendonly no$/m);
      assert.match(text, /^maxmemory-policy allkeys-lru$/m);
      assert.equal(Number(/^maxmemory (\d+)$/m.exec(text)![1]), 60 * 2 ** 20);
      assert.equal(pod("cache").containers[0].resources.limits.memory, "100Mi");
    });

    it("has no user without a password but one that can only ping, and none that may do everything", () => {
      const users = planUsers("app", { client: "aa", reloader: "bb" }).trim().split("\n");
      assert.equal(users[0], "user default reset");
      assert.deepEqual(
        users.filter((line) => line.includes("nopass")),
        ["user probe reset on nopass +ping"],
      );
      assert.ok(users.every((line) => !line.includes("+@all") && !line.includes("allcommands")));
    });

    it("has its passwords in Secrets, and in neither its configuration nor its environment", () => {
      const secrets = ["cache-login", "cache-users", "cache-reloader"].map((name) => find(graph, "Secret", name));
      for (const secret of secrets) assert.deepEqual(secret.secrets, ["stringData"]);
      assert.ok(!JSON.stringify([config(), deployment("cache").inputs]).includes(canary));
    });

    it("is probed over TLS, and so is what reloads its certificate", () => {
      const [server, reloader] = pod("cache").containers;
      assert.deepEqual(server.readinessProbe.exec.command, ["/bin/sh", "/etc/valkey/probe.sh"]);
      assert.match(config()["probe.sh"], /--tls --cacert \S+ca\.crt --cert \S+tls\.crt --key \S+tls\.key/);
      assert.deepEqual(reloader.livenessProbe.exec.command, ["/bin/sh", "/etc/valkey/beat.sh"]);
      assert.ok(!server.volumeMounts.some((mount: any) => mount.mountPath.includes("reloader")));
    });

    it("is one pod at a time", () => {
      const { replicas, strategy } = deployment("cache").inputs.spec;
      assert.deepEqual([replicas, strategy], [1, { type: "Recreate" }]);
    });
  });

  describe("the API", () => {
    it("gets a login with a lease and a certificate from Vault, and not the owner's password", () => {
      const { annotations } = deployment("api").inputs.spec.template.metadata;
      const template = (file: string) => annotations[`vault.hashicorp.com/agent-inject-template-${file}`];
      assert.match(template("db.json"), /secret "database\/creds\/api"/);
      assert.match(template("client.pem"), /pkiCert "pki\/issue\/client" "common_name=api" "ttl=24h"/);
      const { DB_LOGIN, CLIENT_CERT, CLIENT_KEY } = env("api");
      assert.deepEqual(
        [DB_LOGIN, CLIENT_CERT, CLIENT_KEY],
        ["/vault/secrets/db.json", "/vault/secrets/client.pem", undefined],
      );
      const login = pod("api").volumes.find((volume: any) => volume.secret?.secretName === "app-db-login");
      assert.deepEqual(
        login.secret.items.map((item: any) => item.key),
        ["host", "port", "dbname"],
      );
    });

    it("shows a certificate that cert-manager renews, where there is no Vault", () => {
      assert.deepEqual(
        [certificate("plain-client").commonName, certificate("plain-client").issuerRef.name],
        ["plain", "vault-clients"],
      );
      assert.equal(env("plain")["CLIENT_KEY"], "/etc/groundwork/client-tls/tls.key");
      assert.throws(() => certificate("api-client"), /0 resources/);
    });

    it("knows the cache's place, and has a way there", () => {
      assert.equal(env("api")["CACHE_DIR"], "/etc/groundwork/cache");
      assert.ok(graph.isAfter(deployment("api"), deployment("cache")));
      assert.ok(graph.isAfter(deployment("api"), find(graph, "NetworkPolicy", "cache-from-api")));
    });

    it("is probed where no route of the edge leads", () => {
      const [container] = pod("api").containers;
      for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
        assert.equal(container[probe].httpGet.port, 9464);
      }
      assert.ok(container.command.includes("--max-old-space-size=64"));
    });
  });
});
