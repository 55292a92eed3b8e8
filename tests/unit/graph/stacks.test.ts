import * as assert from "node:assert/strict";
import * as path from "node:path";
import { packConfig } from "../../../policies/config";
import { checkStackFile, packSettings } from "../../../stacks/settings";
import { assertGolden } from "./golden";
import { Graph, GraphNode } from "./graph";
import { policyViolations } from "./policies";
import * as properties from "./properties";
import { captureStack } from "./stacks";

interface Expected {
  /** Components and resources that the program's root makes itself. */
  roots: string[];
  /** Name of the first server. */
  server: string;
  /** Pods that can't be hardened like the others: what mounts volumes for a node. */
  except?: string[];
}

const stacks: Record<string, Expected> = {
  dev: { roots: ["hosts-key", "server-1", "k3s", "platform", "local-names"], server: "server-1" },
  prod: {
    roots: [
      ...["hosts-key", "hcloud", "depot", "k3s", "platform", "prod-gateway"],
      ...["prod-server-1", "prod-server-2", "prod-server-3", "prod-work-1", "prod-work-2"],
    ],
    server: "prod-server-1",
    except: ['DaemonSet "hcloud-csi-node"'],
  },
};

/** What the pack is told of the stack, as `up` tells it. */
function packConfigOf(stack: string) {
  const { settings } = checkStackFile(path.resolve(__dirname, "..", "..", "..", `Pulumi.${stack}.yaml`));
  return packConfig(packSettings(settings!));
}

for (const [stack, { roots, server, except }] of Object.entries(stacks)) {
  describe(`the graph of the stack ${stack}`, function () {
    this.timeout(180_000);
    let graph: Graph;
    before(async () => {
      graph = await captureStack(stack);
    });

    const named = (name: string): GraphNode => {
      const found = graph.nodes.find((node) => node.name === name);
      return found ?? assert.fail(`no ${name} in the graph`);
    };
    const inOrder = (...nodes: GraphNode[]): void => {
      for (const [index, later] of nodes.entries()) {
        for (const earlier of nodes.slice(0, index)) {
          assert.ok(graph.isAfter(later, earlier), `${later.name} does not come after ${earlier.name}`);
        }
      }
    };

    it("breaks no policy", async () => {
      assert.deepEqual(
        (await policyViolations(graph, { config: packConfigOf(stack) })).map(({ message }) => message),
        [],
      );
    });

    it("gives every Kubernetes resource the cluster's provider, and every resource a parent", () => {
      assert.equal(graph.ofType("pulumi:providers:kubernetes").length, 1);
      properties.assertExplicitProviders(graph);
      properties.assertParents(graph, roots);
      properties.assertNames(graph, ["platform", "trust", "application", "secret-stores", "ca", "cloud"]);
    });

    it("goes from the host to the cluster, the operator, the database, the API and the edge", () => {
      const object = (kind: string, namespace: string, name?: string) =>
        graph.objects(kind, namespace).find((node) => name === undefined || node.name === name) ??
        assert.fail(`no ${kind} in ${namespace}`);
      const trust = [
        object("Deployment", "cert-manager", "cert-manager"),
        object("StatefulSet", "vault-bootstrap"),
        object("StatefulSet", "vault"),
      ];
      inOrder(named("hosts-key"), named(server), named(`k3s-${server}-install`), named("k3s-provider"), ...trust);
      inOrder(
        named("k3s-provider"),
        named("cnpg-system-namespace"),
        object("Deployment", "cnpg-system"),
        object("Cluster", "app"),
        object("Deployment", "app", "api"),
      );
    });

    it("brings the database's certificates, its leased logins and their permission before the API", () => {
      const job = (name: string) => graph.objects("Job", "vault").find((node) => node.name === name)!;
      const api = graph.objects("Deployment", "app").find((node) => node.name === "api")!;
      inOrder(
        graph.objects("StatefulSet", "vault")[0]!,
        job("vault-configure"),
        job("issuer-access"),
        named("vault-cluster-issuer"),
        named("app-db-server-certificate"),
        graph.objects("Cluster", "app")[0]!,
        job("api-access"),
        api,
      );
      inOrder(
        graph.objects("Deployment", "vault").find((node) => node.name === "vault-injector")!,
        api,
      );
      inOrder(
        graph.objects("Deployment", "app").find((node) => node.name === "cache")!,
        api,
      );
    });

    it("puts namespaces before what is in them, and definitions before their custom resources", () => {
      properties.assertNamespacesFirst(graph);
      properties.assertAfterDefinitions(graph, {
        "postgresql.cnpg.io": "cnpg",
        "cert-manager.io": "cert-manager",
        "external-secrets.io": "external-secrets",
        "bitnami.com": "sealed-secrets",
      });
    });

    it("makes nothing in apply, and the same resources in a preview", async () => {
      properties.assertNothingInApply(graph);
      const preview = await captureStack(stack, { preview: true });
      assert.deepEqual(preview.toGolden(), graph.toGolden());
    });

    it("hardens every pod", () => {
      properties.assertHardened(graph, except);
      assert.ok(graph.objects("Deployment").length >= 3);
    });

    it("shows no secret", () => {
      properties.assertNoLeaks(graph);
      assert.ok(graph.nodes.filter(({ secrets }) => secrets.length > 0).length >= 5);
    });

    it("is the one that was reviewed", () => assertGolden(graph, stack));
  });
}
