import assert from "node:assert/strict";
import { openArtifacts } from "../../../artifacts";
import { admissionPolicies } from "../../../policies/admission";
import { exemptions } from "../../../policies/exemption-list";
import { rules } from "../../../policies/rules";
import { additions, cases } from "../../policies/cases";
import { set } from "../../policies/paths";
import { sample, SampleName } from "../../policies/sample";
import { ApiServer, KubeApi, KubeApiError, startApiServer, until } from "../apiserver";
import { ApiObject, asPod, certificateDefinition, collection, decoded, kubernetesObjects, ownedBy } from "./objects";

const binary = (): string => process.env["GROUNDWORK_K3S_BINARY"] ?? openArtifacts().file("k3s").path;
const inCluster = rules.filter(({ cluster }) => cluster).map(({ id }) => id);
const isInCluster = ({ rule }: { rule: string }) => inCluster.includes(rule);
const isObject = ({ target }: { target: SampleName }) => sample()[target].type.startsWith("kubernetes:");

/** Label of objects that a test wants judged by one rule alone: of several refusals the API server tells the first. */
const alone = "tests/judged-by";
/** Accounts whose requests the exemptions tell apart, with every right. */
const accounts = { operator: "cnpg-system/cnpg-manager", controller: "kube-system/replicaset-controller" };
const admission = "/apis/admissionregistration.k8s.io/v1";

/**
 * The rules' second form against a real API server: what CrossGuard's own fixtures say is right is accepted, and each
 * of their mutations is refused by the policy of the same rule.
 */
describe("the rules as the cluster's own admission", function () {
  this.timeout(120_000);
  let server: ApiServer;
  const as = {} as Record<keyof typeof accounts, KubeApi>;

  /** What the API server says to an object; nothing when it takes it. Nothing is stored. */
  const said = async (object: ApiObject, api: KubeApi = server.api): Promise<string> => {
    try {
      await api.post(`${collection(object)}?dryRun=All`, object);
      return "";
    } catch (error) {
      if (error instanceof KubeApiError) return error.message;
      throw error;
    }
  };
  const judgedBy = (rule: string, object: ApiObject): ApiObject => {
    const { labels } = object.metadata as { labels?: object };
    return { ...object, metadata: { ...object.metadata, labels: { ...labels, [alone]: rule } } };
  };
  const assertRefused = (answer: string, rule: string) =>
    assert.ok(
      answer.includes(": 403 ") && answer.includes(`(groundwork: ${rule})`),
      `${rule}: ${answer || "accepted"}`,
    );

  before(async () => {
    server = await startApiServer(binary());
    const make = (path: string, body: object) => server.api.post(path, body);
    for (const name of ["app", "cnpg-system"]) await make("/api/v1/namespaces", { metadata: { name } });
    const priority = { metadata: { name: "groundwork-application" }, value: 1 };
    await make("/apis/scheduling.k8s.io/v1/priorityclasses", priority);
    await make("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", certificateDefinition);
    for (const [key, account] of Object.entries(accounts)) {
      const [namespace, name] = account.split("/") as [string, string];
      const subject = { kind: "ServiceAccount", namespace, name };
      const folder = `/api/v1/namespaces/${namespace}/serviceaccounts`;
      if (!(await server.api.find(`${folder}/${name}`))) await make(folder, { metadata: { name } });
      await make("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
        metadata: { name: `tests-${key}` },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
        subjects: [subject],
      });
      const { status } = await server.api.post<{ status: { token: string } }>(`${folder}/${name}/token`, { spec: {} });
      as[key as keyof typeof accounts] = new KubeApi({ ...server, token: status.token });
    }
    // Made before there were policies.
    const old = asPod(decoded(sample().deployment));
    await make("/api/v1/namespaces/app/pods", {
      ...old,
      metadata: { name: "old", finalizers: ["tests/holds"] },
      spec: { ...old["spec"], automountServiceAccountToken: true },
    });
    for (const { rule, policy, binding } of admissionPolicies(rules, { mode: "Deny", exemptions })) {
      const select = (operator: string, values?: string[]) => ({
        objectSelector: { matchExpressions: [{ key: alone, operator, ...(values && { values }) }] },
      });
      const { name } = binding.metadata;
      const bound = (suffix: string, matchResources: object) =>
        make(`${admission}/validatingadmissionpolicybindings`, {
          metadata: { name: `${name}${suffix}` },
          spec: { ...binding.spec, matchResources },
        });
      await make(`${admission}/validatingadmissionpolicies`, policy);
      await bound("", select("DoesNotExist"));
      await bound("-alone", select("In", [rule]));
    }
    // The server reads its policies every now and then: the last ones are in force once they refuse something.
    const last = judgedBy(inCluster.at(-1)!, decoded(sample().certificate));
    set(last, "spec.duration", "10000h");
    await until(async () => (await said(last)) !== "", 30_000, "the policies are not in force");
  });
  after(async () => {
    for (const api of Object.values(as)) api.close();
    await server?.stop();
  });

  it("are taken by the API server, one for each rule", async () => {
    const list = await server.api.list(`${admission}/validatingadmissionpolicies`);
    assert.equal(list.length, inCluster.length);
  });

  it("accept the sample", async () => {
    for (const [name, object] of kubernetesObjects(sample())) {
      assert.equal(
        await said({ ...object, metadata: { ...object.metadata, name: `${name.toLowerCase()}-2` } }),
        "",
        name,
      );
    }
    assert.equal(await said(asPod(decoded(sample().deployment))), "");
  });

  for (const { rule, target, path, value, with: more = {}, invalid, templateOnly } of cases
    .filter(isInCluster)
    .filter(isObject)) {
    it(`${rule} refuses ${path} = ${JSON.stringify(value)?.slice(0, 60)} in ${target}`, async () => {
      const resource = sample()[target];
      for (const [other, needed] of Object.entries(more)) set(resource.props, other, needed);
      set(resource.props, path, value);
      const object = decoded(resource);
      if (invalid) {
        assert.match(await said(judgedBy(rule, object)), /: 422 /);
        return;
      }
      assertRefused(await said(judgedBy(rule, object)), rule);
      assert.match(await said(object), /: 403 .*\(groundwork: /, "all rules together");
      if (target === "deployment" && path.startsWith("spec.template.") && !templateOnly) {
        assertRefused(await said(judgedBy(rule, asPod(object))), rule);
      }
    });
  }

  it("try each rule that has a form for the cluster", () => {
    const tried = new Set([...cases, ...additions].map(({ rule }) => rule));
    assert.deepEqual(
      inCluster.filter((rule) => !tried.has(rule)),
      [],
    );
    assert.ok(inCluster.length > 40, String(inCluster.length));
  });

  it("leave the system's namespaces alone", async () => {
    const pod = asPod(decoded(sample().deployment));
    delete pod["spec"].automountServiceAccountToken;
    assertRefused(await said(pod), "no-service-account-token");
    assert.equal(await said({ ...pod, metadata: { ...pod.metadata, namespace: "kube-system" } }), "");
  });

  it("let what is there be changed in all but its content", async () => {
    const path = "/api/v1/namespaces/app/pods/old";
    const changed = await server.api.patch(path, { metadata: { labels: { a: "b" }, finalizers: null } });
    assert.equal(changed.metadata.labels?.["a"], "b");
    const change = { spec: { activeDeadlineSeconds: 60 } };
    await assert.rejects(server.api.patch(path, change), /groundwork: no-service-account-token/);
  });

  it("hold an exemption's object and what Kubernetes makes of it, and nobody's imitation", async () => {
    const name = "cnpg-controller-manager";
    const deployment = decoded(sample().deployment);
    deployment.metadata = { name, namespace: "cnpg-system" };
    delete deployment["spec"].template.spec.automountServiceAccountToken;
    assert.equal(await said(deployment), "");
    const pod = ownedBy("ReplicaSet", `${name}-7d9f8c6b5d`, asPod(deployment));
    assert.equal(await said(pod, as.controller), "");
    assertRefused(await said(pod), "no-service-account-token");
    const other = ownedBy("ReplicaSet", `${name}-7d9f8c6b5d-other`, asPod(deployment));
    assertRefused(await said(other, as.controller), "no-service-account-token");
  });

  it("hold an operator's pods for the operator alone", async () => {
    const pod = asPod(decoded(sample().deployment));
    delete pod["spec"].automountServiceAccountToken;
    set(pod["spec"], "securityContext.runAsUser", 26);
    assert.match(await said(pod, as.operator), /groundwork: /, "without the label");
    pod.metadata = { ...pod.metadata, labels: { "cnpg.io/cluster": "app-db" } };
    assert.equal(await said(pod, as.operator), "");
    assert.equal(await said(pod, as.controller), "");
    assert.match(await said(pod), /groundwork: /, "made by hand");
  });

  it("let cert-manager answer its challenges", async () => {
    const ingress = decoded(sample().ingress);
    delete ingress["spec"].tls;
    assertRefused(await said(ingress), "ingress-tls");
    ingress.metadata = { ...ingress.metadata, name: "cm-acme-http-solver-x7k2p" };
    assert.equal(await said(ingress), "");
  });

  it("accept a pod as the Vault agent's injector leaves it", async () => {
    const pod = ownedBy("ReplicaSet", "api-7d9f8c6b5d", asPod(decoded(sample().deployment)));
    const [container] = pod["spec"].containers as [Record<string, unknown>];
    const agent: Record<string, unknown> = { ...container, name: "vault-agent" };
    delete agent["livenessProbe"];
    delete agent["readinessProbe"];
    const context = {
      ...(agent["securityContext"] as object),
      runAsUser: 10_100,
      runAsGroup: 10_100,
      runAsNonRoot: true,
    };
    const command = { command: ["/bin/sh", "-ec"], args: ["vault agent -config=/home/vault/config.json"] };
    const made = {
      ...agent,
      ...command,
      securityContext: context,
      env: [{ name: "VAULT_CONFIG", value: "eyJhIjoxfQ==" }],
    };
    pod["spec"].containers.push(made);
    pod["spec"].initContainers = [{ ...made, name: "vault-agent-init" }];
    assert.equal(await said(pod, as.controller), "");
  });
});
