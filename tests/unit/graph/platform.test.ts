import * as assert from "node:assert/strict";
import { makePlatform } from "../fixtures/platform";
import { captureProgram } from "./capture";
import { Graph } from "./graph";
import { policyViolations } from "./policies";
import * as properties from "./properties";

describe("the graph of the first platform", () => {
  let graph: Graph;
  before(async () => {
    graph = await captureProgram(async () => void makePlatform(), { project: "groundwork", stack: "platform" });
  });

  it("breaks no policy", async () => {
    assert.deepEqual(
      (await policyViolations(graph)).map(({ message }) => message),
      [],
    );
  });

  it("is wired as the engine needs it", () => {
    properties.assertExplicitProviders(graph);
    properties.assertParents(graph, ["cluster", "foundation", "app", "ca", "cnpg", "app-db", "api", "traefik"]);
    properties.assertNames(graph);
    properties.assertNamespacesFirst(graph);
    properties.assertAfterDefinitions(graph, { "postgresql.cnpg.io": "cnpg" });
    properties.assertNothingInApply(graph);
  });

  it("hardens every pod and shows no secret", () => {
    properties.assertHardened(graph);
    properties.assertNoLeaks(graph);
  });

  it("starts the database after its operator, and the API after the database", () => {
    const operator = graph.objects("Deployment", "cnpg-system")[0]!;
    const database = graph.objects("Cluster", "app")[0]!;
    const api = graph.objects("Deployment", "app")[0]!;
    assert.ok(graph.isAfter(database, operator));
    assert.ok(graph.isAfter(api, database));
  });
});
