import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { checkStackFile, settingsSchema } from "../../../stacks/settings";

const root = path.resolve(__dirname, "../../..");
const yamlIn = (folder: string): string[] => fs.readdirSync(folder).filter((file) => file.endsWith(".yaml"));

describe("a stack's file that is wrong", () => {
  const folder = path.join(__dirname, "invalid");

  for (const file of yamlIn(folder)) {
    it(`${path.basename(file, ".yaml")}: is refused with its exact message`, () => {
      const { problems, settings } = checkStackFile(path.join(folder, file));
      assert.equal(settings, undefined);
      const expected = path.join(folder, file.replace(/\.yaml$/, ".txt"));
      const text = `${problems.join("\n")}\n`;
      // A wanted change is made by deleting the file: it is written anew, the run fails once, and git shows the difference.
      if (!fs.existsSync(expected)) {
        fs.writeFileSync(expected, text);
        assert.fail(`${path.basename(expected)} was missing and has been written: review it and run again`);
      }
      assert.equal(text, fs.readFileSync(expected, "utf8"));
    });
  }

  it("is told with every message on a line of its own, with file and key", () => {
    for (const file of yamlIn(folder)) {
      for (const line of checkStackFile(path.join(folder, file)).problems) {
        assert.match(line, /^[a-z-]+\.yaml(:\d+)?: \S/);
        assert.ok(!line.includes("\n") && line.length < 250, line);
      }
    }
  });

  it("shows nothing that may be secret", () => {
    for (const file of ["secret-in-setting.yaml", "private-key-pasted.yaml"]) {
      const text = checkStackFile(path.join(folder, file)).problems.join("\n");
      assert.doesNotMatch(text, /canary|PRIVATE|v1:|c2VjcmV0/);
    }
  });

  it("may be missing", () => {
    const { problems } = checkStackFile(path.join(root, "Pulumi.no-such-stack.yaml"));
    assert.deepEqual(problems, ["Pulumi.no-such-stack.yaml: there is no such file"]);
  });
});

describe("a stack's file that is right", () => {
  const folder = path.join(__dirname, "valid");
  const stacks = fs.readdirSync(root).filter((file) => /^Pulumi\..+\.yaml$/.test(file));

  for (const file of [
    ...yamlIn(folder).map((name) => path.join(folder, name)),
    ...stacks.map((name) => path.join(root, name)),
  ]) {
    it(`${path.relative(root, file)} is taken`, () => {
      const { problems, settings } = checkStackFile(file);
      assert.deepEqual(problems, []);
      assert.ok(settings);
    });
  }

  it("gets every default", () => {
    const { settings } = checkStackFile(path.join(folder, "smallest.yaml"));
    assert.ok(settings);
    assert.deepEqual(
      { ...settings, target: undefined, database: undefined },
      {
        domain: "local",
        localNames: false,
        protect: true,
        target: undefined,
        certificates: { enabled: false, issuer: "local" },
        vault: settingsSchema.shape.vault.parse(undefined),
        cluster: settingsSchema.shape.cluster.parse(undefined),
        database: undefined,
        cache: { enabled: false, memory: "64Mi" },
        api: { replicas: 1 },
        edge: { replicas: 1 },
        access: settingsSchema.shape.access.parse(undefined),
        policies: settingsSchema.shape.policies.parse(undefined),
        admission: { enabled: false, mode: "Deny" },
        sealedSecrets: { enabled: false, renewalDays: 30 },
        externalSecrets: { enabled: false, refresh: "5m" },
        cloud: settingsSchema.shape.cloud.parse(undefined),
        cost: settingsSchema.shape.cost.parse(undefined),
        backup: settingsSchema.shape.backup.parse(undefined),
      },
    );
    assert.equal(settings.database.instances, 1);
    assert.deepEqual(settings.database.resources.requests, {
      cpu: "100m",
      memory: "256Mi",
      "ephemeral-storage": "64Mi",
    });
  });

  it("may leave the namespace out, as Pulumi allows", () => {
    assert.equal(checkStackFile(path.join(folder, "without-namespace.yaml")).settings?.domain, "local");
  });
});
