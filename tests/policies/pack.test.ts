import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { catalogue } from "../../artifacts/catalogue";
import { toPolicies } from "../../policies/pack";
import { rules } from "../../policies/rules";
import { fullName, registries } from "../../policies/rules/allowed-registries";
import { facts, factsFile, page, table } from "../../policies/table";

const folder = path.join(__dirname, "..", "..", "policies");
const files = fs
  .readdirSync(path.join(folder, "rules"))
  .filter((file) => file !== "index.ts")
  .map((file) => file.replace(/\.ts$/, ""));

describe("the policy pack", () => {
  it("has one rule a file, named like the file, and every file in its list", () => {
    assert.deepEqual(rules.map(({ id }) => id).sort(), files.sort());
    assert.equal(new Set(rules.map(({ id }) => id)).size, rules.length);
  });

  for (const rule of rules) {
    it(`${rule.id} says what it is`, () => {
      assert.match(rule.id, /^[a-z0-9]+(-[a-z0-9]+)*$/);
      assert.match(rule.title, /^[A-Z].*[^.]$/);
      assert.match(rule.remediation, /^[A-Z].*\.$/s);
      assert.ok(["low", "medium", "high", "critical"].includes(rule.severity));
      assert.ok(rule.controls.length > 0, "has no control");
      for (const { framework, id } of rule.controls) {
        if (framework.startsWith("CIS")) assert.match(id, /^5\.[1-6]\.\d{1,2}$/);
        if (framework === "Trivy") assert.match(id, /^KSV-\d{4}$/);
        if (framework === "CVE") assert.match(id, /^\d{4}-\d+$/);
        assert.notEqual(id, "");
      }
      const source = fs.readFileSync(path.join(folder, "rules", `${rule.id}.ts`), "utf8");
      assert.match(source, /\/\*\*[\s\S]*?\*\/\nexport const/, "has no doc comment");
      assert.ok(source.split("\n").length <= 70, "is longer than 70 lines");
    });
  }

  it("is mandatory, names itself to the engine, and checks its exemptions last", () => {
    const policies = toPolicies({ rules, exemptions: [] });
    assert.deepEqual(
      policies.map(({ name }) => name),
      ["secret-marks", ...rules.map(({ id }) => id), "valid-exemptions"],
    );
    for (const one of policies.slice(1)) {
      assert.equal(one.enforcementLevel, "mandatory");
      assert.ok(one.description && one.displayName && one.severity && one.remediationSteps, one.name);
    }
  });

  it("starts a server in index.ts only, and loads neither the Kubernetes SDK nor the program", () => {
    const sources = (fs.readdirSync(folder, { recursive: true }) as string[])
      // What is in these folders looks at the pack from outside and is not loaded by it.
      .filter((file) => file.endsWith(".ts") && !/^(capture|report|witnesses)\//.test(file))
      .map((file) => ({ file, text: fs.readFileSync(path.join(folder, file), "utf8") }));
    const serving = sources.filter(({ text }) => /new PolicyPack\(/.test(text)).map(({ file }) => file);
    assert.deepEqual(serving, ["index.ts"]);
    for (const { file, text } of sources) {
      const imports = [...text.matchAll(/from "([^"]+)"/g)].map((match) => match[1]!);
      const allowed = /^(node:|@pulumi\/policy$|\.\.?\/)/;
      assert.deepEqual(
        imports.filter((name) => !allowed.test(name)),
        [],
        file,
      );
    }
  });

  it("allows every registry of the artefact catalogue, and reads short names as the runtime does", () => {
    const images = catalogue.flatMap(({ image }) => (image ? [image.name] : []));
    assert.ok(images.length > 0);
    for (const image of images) {
      assert.ok(
        registries.some((registry) => fullName(image).startsWith(registry)),
        image,
      );
    }
    assert.equal(fullName("traefik:v3"), "docker.io/library/traefik:v3");
    assert.equal(fullName("rancher/pause"), "docker.io/rancher/pause");
    assert.equal(fullName("localhost/api"), "localhost/api");
  });

  it("has a page in the documentation that is up to date", () => {
    assert.equal(fs.readFileSync(page, "utf8"), table(), "run: npx ts-node policies/table.ts");
  });

  it("has the facts that settings need of its rules in a file that is up to date", () => {
    assert.equal(fs.readFileSync(factsFile, "utf8"), facts(), "run: npx ts-node policies/table.ts");
  });
});
