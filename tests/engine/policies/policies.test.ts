import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { packConfig } from "../../../policies/config";
import { settingsSchema } from "../../../stacks/settings";
import { engineEnv, pulumiHome } from "../contract/subjects";

const root = path.resolve(__dirname, "..", "..", "..");
const pack = path.join(root, "policies");

interface Ended {
  code: number;
  text: string;
}

describe("the policy pack in the engine", function () {
  this.timeout(300_000);
  let folder: string;
  let env: NodeJS.ProcessEnv;

  const pulumi = (...args: string[]): Ended => {
    const done = spawnSync("pulumi", args, { cwd: folder, env, encoding: "utf8" });
    return { code: done.status ?? 1, text: `${done.stdout}\n${done.stderr}` };
  };

  /** Runs the sample program with one change. */
  const run = (verb: "preview" | "up", settings: Record<string, unknown> = {}, ...flags: string[]): Ended => {
    const lines = Object.entries(settings).map(([key, value]) => `  policies:${key}: '${JSON.stringify(value)}'`);
    const file = path.join(folder, "settings.yaml");
    const salt = fs.readFileSync(path.join(folder, "Pulumi.it.yaml"), "utf8");
    fs.writeFileSync(file, `${salt}\n${lines.length > 0 ? ["config:", ...lines].join("\n") : ""}\n`);
    const yes = verb === "up" ? ["--yes", "--skip-preview"] : [];
    return pulumi(verb, "--policy-pack", pack, "--config-file", file, "--non-interactive", ...yes, ...flags);
  };

  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-policies-"));
    env = { ...process.env, ...engineEnv(pulumiHome(), path.join(folder, "state")) };
    const project = [
      "name: policed",
      "runtime: {name: nodejs, options: {typescript: true}}",
      "config: {'pulumi:disable-default-providers': {value: [kubernetes]}}",
    ];
    fs.writeFileSync(path.join(folder, "Pulumi.yaml"), project.join("\n"));
    fs.writeFileSync(path.join(folder, "package.json"), '{"name":"policed","version":"0.0.0","main":"index.js"}\n');
    fs.writeFileSync(
      path.join(folder, "index.js"),
      `require(${JSON.stringify(path.join(__dirname, "program.ts"))});\n`,
    );
    fs.symlinkSync(path.join(root, "node_modules"), path.join(folder, "node_modules"));
    const made = pulumi("stack", "init", "it", "--non-interactive");
    assert.equal(made.code, 0, made.text);
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  it("accepts a sound program in silence, values that are not known yet included", () => {
    const { code, text } = run("preview");
    assert.equal(code, 0, text);
    assert.match(text, /groundwork@v\d+\.\d+\.\d+/);
    assert.doesNotMatch(text, /\[mandatory\]|\[advisory\]|can't run policy|Policy Violation/);
  });

  it("stops the preview of a privileged container, and names the rule, the place and the control", () => {
    const change = {
      target: "deployment",
      path: "spec.template.spec.containers.0.securityContext.privileged",
      value: true,
    };
    const { code, text } = run("preview", { change });
    assert.notEqual(code, 0);
    assert.match(text, /\[mandatory\].*no-privileged-containers/);
    assert.match(text, /Container "api" of Deployment app\/api runs privileged\./);
    assert.match(text, /CIS Kubernetes 1\.11\.1 5\.2\.2; PSS Baseline Privileged Containers/);
    assert.equal(text.match(/\[mandatory\]/g)?.length, 1, text);
  });

  it("sees the marks of secret values, and does not show the values", () => {
    const change = { target: "configMap", path: "data.motto", value: "known secret" };
    const { code, text } = run("preview", { change });
    assert.notEqual(code, 0);
    assert.match(text, /ConfigMap app\/api has a secret value in data\.motto\./);
    assert.doesNotMatch(text, /known-to-the-program/);
  });

  it("stops an update before a generated password reaches the cluster", () => {
    const change = { target: "configMap", path: "data.motto", value: "generated" };
    const { code, text } = run("up", { change, only: ["configMap"] });
    assert.notEqual(code, 0);
    assert.match(text, /ConfigMap app\/api has a secret value in data\.motto\./);
    const destroyed = pulumi("destroy", "--yes", "--non-interactive");
    assert.equal(destroyed.code, 0, destroyed.text);
  });

  it("checks the stack as a whole", () => {
    const { code, text } = run("preview", { only: ["namespace", "limitRange", "quota", "configMap"] });
    assert.notEqual(code, 0);
    assert.match(text, /Namespace "app" has no NetworkPolicy of type Egress that selects every pod\./);
  });

  it("takes other levels and settings from a configuration file", () => {
    const file = path.join(folder, "policy-config.json");
    fs.writeFileSync(
      file,
      JSON.stringify({ "allowed-registries": { registries: ["ghcr.io/"] }, "image-digests": "advisory" }),
    );
    const change = { target: "deployment", path: "spec.template.spec.containers.0.image", value: "ghcr.io/any/api:1" };
    const only = ["namespace", "networkPolicy", "limitRange", "quota", "defaultAccount", "deployment", "budget"];
    const { code, text } = run("preview", { change, only }, "--policy-pack-config", file);
    assert.equal(code, 0, text);
    assert.match(text, /\[advisory\].*image-digests/);
    assert.doesNotMatch(text, /allowed-registries/);
  });

  it("takes the levels and values that the stack's settings make of it", () => {
    const file = path.join(folder, "stack-config.json");
    const settings = settingsSchema.shape.policies.parse({ enforcement: { "image-digests": "advisory" } });
    fs.writeFileSync(file, JSON.stringify(packConfig({ ...settings, environment: "production" })));
    const change = {
      target: "deployment",
      path: "spec.template.spec.containers.0.image",
      value: "docker.io/library/api",
    };
    const { code, text } = run("preview", { change }, "--policy-pack-config", file);
    assert.notEqual(code, 0);
    assert.match(text, /\[advisory\].*image-digests/);
    // Production: the sample's claim is protected in the tests without an engine only.
    assert.match(text, /\[mandatory\].*protected-data/);
    assert.equal(text.match(/\[mandatory\]/g)?.length, 1, text);
  });

  it("mends what was left open where the level is remediate", () => {
    const file = path.join(folder, "mending-config.json");
    fs.writeFileSync(file, JSON.stringify({ "no-service-account-token": "remediate" }));
    const change = { target: "deployment", path: "spec.template.spec.automountServiceAccountToken", value: null };
    const { code, text } = run("preview", { change }, "--policy-pack-config", file, "--diff");
    assert.equal(code, 0, text);
    assert.match(text, /\[remediate\].*no-service-account-token/);
    assert.match(text, /automountServiceAccountToken: false/);
  });
});
