import * as assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { readSettings } from "../../../stacks/settings";

/** What the engine hands to a program: every value as text. */
const smallest = { "groundwork:domain": "local", "groundwork:target": '{"driver":"nspawn","agents":2}' };

describe("settings from the engine", () => {
  const before = pulumi.runtime.allConfig();
  afterEach(() => pulumi.runtime.setAllConfig(before));

  function refusal(config: Record<string, string>, secretKeys: string[] = []): string {
    pulumi.runtime.setAllConfig(config, secretKeys);
    try {
      readSettings();
    } catch (error) {
      assert.ok(pulumi.RunError.isInstance(error), "the engine shows a RunError without its stack");
      return error.message;
    }
    return assert.fail("the settings were taken");
  }

  it("are read from texts, and keep texts that look like numbers", () => {
    pulumi.runtime.setAllConfig({
      ...smallest,
      "groundwork:localNames": "true",
      "groundwork:api": '{"replicas":3}',
      "groundwork:cluster": '{"version":"1.36"}',
      "pulumi:tags": "{}",
    });
    const settings = readSettings();
    assert.equal(settings.domain, "local");
    assert.equal(settings.localNames, true);
    assert.equal(settings.api.replicas, 3);
    assert.equal(settings.cluster.version, "1.36");
    assert.equal(settings.target.driver === "nspawn" && settings.target.agents, 2);
  });

  it("are refused with all that is wrong", () => {
    const text = refusal({ ...smallest, "groundwork:api": '{"replicas":0}', "groundwork:domain": "7" });
    assert.match(text, /^the settings cannot be used:\n/);
    assert.match(text, /groundwork:domain is "7": it must be a domain name/);
    assert.match(text, /groundwork:api\.replicas is 0: it must be a number from 1 to 50/);
    assert.equal(text.split("\n").length, 3);
  });

  it("never show a decrypted value", () => {
    const text = refusal({ ...smallest, "groundwork:api": '{"replicas":"canary"}' }, ["groundwork:api"]);
    assert.doesNotMatch(text, /canary/);
    assert.match(text, /groundwork:api is encrypted: no setting takes a secret/);
  });
});
