import { strict as assert } from "node:assert";
import * as pulumi from "@pulumi/pulumi";
import { Vault, VaultConfiguration } from "../../components/secrets";
import type { Issuer } from "../../components/pki/issuer";
import type { Endpoint } from "../../components/workload";
import { capture, find } from "./fixtures/capture";
import { makeFoundation, makeNamespace } from "./fixtures/platform";
import { Graph } from "./graph/graph";

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
      secret: "app-db-vault",
      keys: ["username", "password"],
      values: pulumi.secret({ username: "vault", password: "x" }),
    },
    ready: "database-uid",
  };
  const document = { policies: { api: `path "kv/data/api" { capabilities = ["read"] }` } };
  const access = new VaultConfiguration("api-access", { vault, document, uses: [database] }, { provider });
  return { vault, access };
}

describe("Vault", () => {
  let graph: Graph;
  before(async () => {
    graph = (await capture(() => makeVault(3))).graph;
  });

  it("stands", () => {
    assert.equal(find(graph, "StatefulSet", "vault").inputs.spec.replicas, 3);
  });
});
