import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { settingsSchema } from "../../../stacks/settings";
import { schemaFile, schemaText, stackFileSchema } from "../../../stacks/settings/json-schema";

/** Every property of a JSON schema with its path. */
function* properties(schema: unknown, at: string): Generator<[string, { description?: string }]> {
  if (typeof schema !== "object" || schema === null) return;
  const { properties: own = {}, ...rest } = schema as { properties?: Record<string, object> };
  for (const [key, inner] of Object.entries(own)) {
    yield [`${at}.${key}`, inner];
    yield* properties(inner, `${at}.${key}`);
  }
  for (const inner of Object.values(rest)) {
    for (const one of [inner].flat()) yield* properties(one, at);
  }
}

describe("the JSON Schema of the settings", () => {
  it("in the checkout is the one that the settings make", () => {
    const kept = fs.existsSync(schemaFile) ? fs.readFileSync(schemaFile, "utf8") : "";
    const made = schemaText();
    if (kept !== made) {
      fs.writeFileSync(schemaFile, made);
      assert.fail("stacks/settings/schema.json was out of date and has been written anew: review it and run again");
    }
  });

  it("knows every setting and says what each is for", () => {
    const config = (stackFileSchema() as { properties: { config: { properties: object; required: string[] } } })
      .properties.config;
    const keys = Object.keys(settingsSchema.shape).map((key) => `groundwork:${key}`);
    assert.deepEqual(Object.keys(config.properties), keys);
    assert.deepEqual(config.required, ["groundwork:domain", "groundwork:target"]);
    const mute = [...properties(config, "")].filter(
      ([key, { description }]) => !description && !/\.(driver|network|name|snapshots)$/.test(key),
    );
    assert.deepEqual(
      mute.map(([key]) => key),
      [],
    );
  });

  it("is named by every stack's file, for editors", () => {
    const root = path.resolve(__dirname, "../../..");
    for (const file of fs.readdirSync(root).filter((name) => /^Pulumi\..+\.yaml$/.test(name))) {
      const text = fs.readFileSync(path.join(root, file), "utf8");
      const [, target] = /^# yaml-language-server: \$schema=(\S+)$/m.exec(text) ?? [];
      assert.ok(target, `${file} does not say # yaml-language-server: $schema=stacks/settings/schema.json`);
      assert.equal(path.resolve(root, target), schemaFile, file);
    }
  });
});
