import * as assert from "node:assert/strict";
import { openArtifacts } from "../../artifacts";
import { canINamespaces, canITable, planAccess, wrongAnswers } from "../../components/identity";
import { ApiServer, startApiServer } from "./apiserver";

/** The groups' rights, by the authorizer of a real API server: nothing of it is simulated but that nobody logs in. */
describe("the groups of the cluster, asked of a real API server", function () {
  this.timeout(2 * 60_000);
  let server: ApiServer;

  const make = async (settings: Parameters<typeof planAccess>[0]) => {
    for (const object of planAccess(settings)) {
      const { kind, metadata } = object;
      const place = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
      await server.api.post(`/apis/rbac.authorization.k8s.io/v1${place}/${kind.toLowerCase()}s`, object);
    }
  };
  const review = (body: unknown) =>
    server.api.post<{ status?: { allowed?: boolean } }>("/apis/authorization.k8s.io/v1/subjectaccessreviews", body);

  before(async () => {
    server = await startApiServer(openArtifacts().file("k3s").path);
    for (const name of Object.values(canINamespaces)) {
      await server.api.post("/api/v1/namespaces", { metadata: { name } });
    }
  });
  after(() => server?.stop());

  it("may do nothing before their roles are there", async () => {
    const granted = (await wrongAnswers(review)).length;
    assert.equal(granted, canITable.filter(({ allowed }) => allowed).length);
  });

  it("may do exactly what the table says", async () => {
    await make({ namespaces: [canINamespaces.own], oidcGroupsPrefix: "oidc:" });
    assert.deepEqual(await wrongAnswers(review), []);
  });

  it("have the same rights by an identity provider", async () => {
    const member = (group: string) => (body: Parameters<Parameters<typeof wrongAnswers>[0]>[0]) =>
      review({
        ...body,
        spec: { ...body.spec, groups: body.spec.groups.map((name) => name.replace(/^groundwork:/, group)) },
      });
    assert.deepEqual(await wrongAnswers(member("oidc:groundwork:")), []);
    const strangers = await wrongAnswers(member("other:groundwork:"));
    assert.equal(strangers.length, canITable.filter(({ allowed }) => allowed).length);
  });

  it("would be told from others by the table: a wrong role is found", async () => {
    const role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/groundwork-viewer";
    const { rules } = await server.api.get<{ rules: object[] }>(role);
    await server.api.patch(role, { rules: [...rules, { apiGroups: [""], resources: ["secrets"], verbs: ["get"] }] });
    assert.deepEqual(await wrongAnswers(review), [
      "groundwork:developers may get secrets in app",
      "groundwork:viewers may get secrets in app",
    ]);
  });
});
