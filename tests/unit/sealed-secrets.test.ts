import { strict as assert } from "node:assert";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { stringify } from "yaml";
import { readSealed } from "../../components/secrets/sealed-files";
import { SealedSecrets } from "../../components/secrets";
import { capture } from "./fixtures/capture";
import { makeFoundation, makeNamespace } from "./fixtures/platform";
import { captureProgram } from "./graph/capture";
import { Graph } from "./graph/graph";
import { policyViolations } from "./graph/policies";
import * as properties from "./graph/properties";

/** A value of the form that kubeseal makes with a key of 2048 bits; nobody can open it. */
function sealedValue(bits = 2048): string {
  const key = bits / 8;
  const bytes = Buffer.alloc(2 + key + 24, 7);
  bytes.writeUInt16BE(key, 0);
  return bytes.toString("base64");
}

const object = (change: object = {}) => ({
  apiVersion: "bitnami.com/v1alpha1",
  kind: "SealedSecret",
  metadata: { name: "mail", namespace: "app" },
  spec: { encryptedData: { password: sealedValue() }, template: { metadata: { name: "mail", namespace: "app" } } },
  ...change,
});

/** A folder with these files for the time of a test. */
function folderWith(files: Record<string, string>): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-sealed-"));
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
  folders.push(folder);
  return folder;
}
const folders: string[] = [];
after(() => folders.forEach((folder) => fs.rmSync(folder, { recursive: true, force: true })));

describe("a folder of sealed secrets", () => {
  it("is read file by file, with several objects in one, and other files left alone", () => {
    const second = object({ metadata: { name: "other", namespace: "app" } });
    const folder = folderWith({
      "b.yaml": `---\n${stringify(object())}---\n${stringify(second)}`,
      "a.yml": stringify(object({ metadata: { name: "first", namespace: "app" } })),
      "README.md": "kind: Secret\n",
      "empty.yaml": "# nothing yet\n",
    });
    assert.deepEqual(
      readSealed(folder, ["app"]).map(({ metadata }) => metadata.name),
      ["first", "mail", "other"],
    );
  });

  it("may be missing", () => assert.deepEqual(readSealed("/no/such/folder", ["app"]), []));

  const plain = "hunter2-in-plain";
  const refused: Record<string, [unknown, RegExp]> = {
    "a Secret that is not sealed": [
      { apiVersion: "v1", kind: "Secret", metadata: { name: "mail" }, stringData: { password: plain } },
      /has a Secret that is not sealed: take it out, change its values/,
    ],
    "another kind": [{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" } }, /of kind ConfigMap/],
    "a text": [plain, /is no Kubernetes object/],
    "a list": [[object()], /is no Kubernetes object/],
    "no name": [object({ metadata: { namespace: "app" } }), /without a name/],
    "a namespace that is not served": [
      object({ metadata: { name: "mail", namespace: "kube-system" } }),
      /kube-system\/mail: the controller serves app, other/,
    ],
    "no values": [object({ spec: { encryptedData: {} } }), /without encryptedData/],
    "a value in plain": [
      object({ spec: { encryptedData: { password: plain } } }),
      /value of password that is not sealed/,
    ],
    "a value in base64": [
      object({ spec: { encryptedData: { password: Buffer.from(plain.repeat(40)).toString("base64") } } }),
      /value of password that is not sealed/,
    ],
    "plain values beside the sealed ones": [
      object({ spec: { encryptedData: { a: sealedValue() }, template: { data: { b: plain } } } }),
      /plain values in its template/,
    ],
  };
  for (const [what, [value, finding]] of Object.entries(refused)) {
    it(`is refused with ${what}, and never says a value`, () => {
      const folder = folderWith({ "mail.yaml": stringify(value) });
      assert.throws(
        () => readSealed(folder, ["app", "other"]),
        (error: Error) =>
          finding.test(error.message) && !error.message.includes(plain) && /mail\.yaml /.test(error.message),
      );
    });
  }

  it("is refused with everything that is wrong at once, and without quoting a broken file", () => {
    const folder = folderWith({
      "a.yaml": `password: [${plain}\nnext: {`,
      "b.yaml": stringify(object()),
      "c.yaml": stringify(object()),
    });
    assert.throws(
      () => readSealed(folder, ["app"]),
      (error: Error) =>
        /a\.yaml is not YAML \(line \d\)/.test(error.message) &&
        /c\.yaml has app\/mail, which b\.yaml has already/.test(error.message) &&
        !error.message.includes(plain),
    );
  });
});

const wholeStack = ["valid-exemptions", "no-orphans", "no-empty-namespaces"];

describe("Sealed Secrets", () => {
  let graph: Graph;
  const folder = folderWith({ "mail.yaml": stringify(object()) });
  const program = (more: { renewBefore?: string } = {}) => {
    const ground = makeFoundation();
    const app = makeNamespace("app", ground);
    const { foundation, provider } = ground;
    return new SealedSecrets(
      "sealed-secrets",
      { foundation, serves: [app], renewalDays: 7, files: folder, ...more },
      { provider },
    );
  };
  before(async () => {
    graph = await captureProgram(async () => void program(), { project: "groundwork", stack: "sealed" });
  });
  const deployment = () => graph.objects("Deployment", "sealed-secrets")[0]!;

  it("breaks no policy and is hardened", async () => {
    // Rules that judge a stack as a whole are for whole stacks.
    const found = (await policyViolations(graph)).filter(({ rule }) => !wholeStack.includes(rule));
    assert.deepEqual(
      found.map(({ message }) => message),
      [],
    );
    properties.assertHardened(graph);
    properties.assertNoLeaks(graph);
    properties.assertNames(graph);
    properties.assertNamespacesFirst(graph);
  });

  it("renews its key and looks at the served namespaces alone", () => {
    const { args } = deployment().inputs["spec"].template.spec.containers[0];
    assert.ok(args.includes("--key-renew-period=168h"));
    assert.ok(args.includes("--all-namespaces=false"));
    assert.ok(args.includes("--additional-namespaces=app"));
    assert.deepEqual(graph.objects("ClusterRole"), []);
    const roles = graph.objects("Role").map(({ inputs }) => inputs["metadata"].namespace);
    assert.deepEqual(roles.sort(), ["app", "sealed-secrets"]);
  });

  it("makes a new key at once when told since when the old ones are not good", async () => {
    const renewed = await captureProgram(async () => void program({ renewBefore: "2027-01-31T12:00:00Z" }), {
      project: "groundwork",
      stack: "renewed",
    });
    const { args } = renewed.objects("Deployment", "sealed-secrets")[0]!.inputs["spec"].template.spec.containers[0];
    assert.ok(args.includes("--key-cutoff-time=Sun, 31 Jan 2027 12:00:00 +0000"));
  });

  it("can neither change nor delete its own keys", () => {
    const own = graph.objects("Role", "sealed-secrets")[0]!.inputs["rules"] as {
      resources: string[];
      verbs: string[];
    }[];
    const verbs = own.filter(({ resources }) => resources.includes("secrets")).flatMap((rule) => rule.verbs);
    assert.deepEqual(verbs.sort(), ["create", "get", "list", "watch"]);
  });

  it("gives its certificate to the API server alone, and talks to it alone", () => {
    const policies = graph.objects("NetworkPolicy", "sealed-secrets").map(({ inputs }) => inputs);
    const ingress = policies.flatMap(
      ({ spec }) => (spec.ingress ?? []) as { from?: unknown[]; ports: { port: number }[] }[],
    );
    assert.equal(ingress.length, 1);
    assert.ok(JSON.stringify(ingress[0]!.from).includes("10.41.0.10/32"));
    assert.deepEqual(
      ingress[0]!.ports.map(({ port }) => port),
      [8080],
    );
    const names = policies.map(({ metadata }) => metadata.name as string).sort();
    assert.deepEqual(names, ["allow-dns", "certificate-from-api-server", "default-deny", "sealed-secrets-to-kube-api"]);
  });

  it("starts after its definition, and applies sealed files after that", () => {
    const sealed = graph.objects("SealedSecret", "app")[0]!;
    const definition = graph.nodes.find(({ name }) => name === "sealed-secrets-crds")!;
    assert.ok(graph.isAfter(deployment(), definition));
    assert.ok(graph.isAfter(sealed, deployment()));
    assert.equal(sealed.inputs["metadata"].annotations["pulumi.com/waitFor"], "condition=Synced");
    assert.equal(sealed.inputs["spec"].encryptedData.password, sealedValue());
  });

  it("tells the name of each Secret that it makes", async () => {
    let names: string[] = [];
    await capture(() => {
      names = Object.keys(program().secrets);
    });
    assert.deepEqual(names, ["app/mail"]);
  });
});
