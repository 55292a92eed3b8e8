import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { openArtifacts } from "../../artifacts";
import { seal } from "../../cli/seal";
import { readSealed } from "../../components/secrets/sealed-files";

/** kubeseal itself, with a key of this test's own in the controller's place. */
describe("a sealed secret", function () {
  this.timeout(120_000);
  let folder: string;
  let cert: string;
  let key: string;
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-sealing-"));
    [cert, key] = [path.join(folder, "cert.pem"), path.join(folder, "key.pem")];
    const subject = ["-x509", "-newkey", "rsa:4096", "-nodes", "-days", "30", "-subj", "/CN=test"];
    execFileSync("openssl", ["req", ...subject, "-keyout", key, "-out", cert], { stdio: "ignore" });
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** Seals and gives the YAML. */
  async function sealed(input: string, ...more: string[]): Promise<string> {
    let text = "";
    const stdin = (async function* () {
      yield Buffer.from(input);
    })();
    const argv = ["--name", "mail", "--namespace", "app", "--cert", cert, ...more];
    assert.equal(await seal(argv, { stdin, out: (part) => void (text += part) }), 0);
    return text;
  }

  /** Opens it again with the key, as after the loss of a cluster; throws where that can't be. */
  function opened(yaml: string): Record<string, string> {
    const command = openArtifacts().file("kubeseal").path;
    const argv = ["--recovery-unseal", "--recovery-private-key", key];
    const options = { input: yaml, stdio: "pipe", env: { PATH: "/bin" } } as const;
    const secret = JSON.parse(execFileSync(command, argv, options).toString()) as { data: Record<string, string> };
    return Object.fromEntries(
      Object.entries(secret.data).map(([name, value]) => [name, Buffer.from(value, "base64").toString()]),
    );
  }

  it("holds the values of standard input and of files, and shows none", async () => {
    const file = path.join(folder, "token");
    fs.writeFileSync(file, "token-in-plain\n");
    const pairs = await sealed("user=alice\n# a remark\n\npassword=a=b c$\n");
    assert.deepEqual(opened(pairs), { user: "alice", password: "a=b c$" });
    const files = await sealed("from-stdin", "--from-file", `token=${file}`, "--from-file", "other=-");
    assert.deepEqual(opened(files), { token: "token-in-plain\n", other: "from-stdin" });
    for (const text of [pairs, files]) assert.doesNotMatch(text, /alice|in-plain|from-stdin|cGxhaW4/);
  });

  it("is one that the graph takes", async () => {
    const sealing = path.join(folder, "sealed");
    fs.mkdirSync(sealing);
    fs.writeFileSync(path.join(sealing, "app-mail.yaml"), await sealed("a=b\n", "--type", "example.org/login"));
    const [object, ...others] = readSealed(sealing, ["app"]);
    assert.equal(others.length, 0);
    assert.deepEqual([object?.metadata.namespace, object?.metadata.name], ["app", "mail"]);
    assert.equal(object?.spec.template?.["type"], "example.org/login");
  });

  it("opens under its own name and namespace alone, unless its scope is wider", async () => {
    const moved = (yaml: string) => yaml.replaceAll("namespace: app", "namespace: other");
    const renamed = (yaml: string) => yaml.replaceAll("name: mail", "name: letter");
    const strict = await sealed("a=b\n");
    assert.throws(() => opened(moved(strict)), /no key could decrypt/);
    assert.throws(() => opened(renamed(strict)), /no key could decrypt/);
    const wide = await sealed("a=b\n", "--scope", "namespace-wide");
    assert.deepEqual(opened(renamed(wide)), { a: "b" });
    assert.throws(() => opened(moved(wide)), /no key could decrypt/);
    assert.deepEqual(opened(moved(await sealed("a=b\n", "--scope", "cluster-wide"))), { a: "b" });
  });

  it("says which scope it has", async () => {
    const { metadata } = parse(await sealed("a=b\n", "--scope", "namespace-wide")) as {
      metadata: { annotations: Record<string, string> };
    };
    assert.equal(metadata.annotations["sealedsecrets.bitnami.com/namespace-wide"], "true");
  });
});
