import * as assert from "node:assert/strict";
import * as fc from "fast-check";
import { distance, nearest } from "../../../stacks/settings/nearest";
import { either, keyName, show } from "../../../stacks/settings/problem";
import { bytes, cores, formatBytes } from "../../../stacks/settings/quantity";

describe("the nearest spelling", () => {
  const word = fc.string({ maxLength: 8 });

  it("distance is zero for the same word only, the same both ways, and never above the longer word", () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        assert.equal(distance(a, b) === 0, a === b);
        assert.equal(distance(a, b), distance(b, a));
        assert.ok(distance(a, b) <= Math.max(a.length, b.length));
      }),
    );
  });

  it("counts a letter added, dropped, changed or swapped as one", () => {
    for (const typed of ["serverss", "severs", "sarvers", "sevrers"]) {
      assert.equal(distance(typed, "servers"), 1, typed);
    }
  });

  it("is found for typing mistakes and not for other words", () => {
    const keys = ["driver", "servers", "agents", "network"];
    assert.equal(nearest("Servers", keys), "servers");
    assert.equal(nearest("agnets", keys), "agents");
    assert.equal(nearest("colour", keys), undefined);
    assert.equal(nearest("ssj", ["nspawn", "ssh"]), "ssh");
    assert.equal(nearest("abc", ["nspawn", "ssh"]), undefined);
  });
});

describe("values in messages", () => {
  it("are short and on one line", () => {
    assert.equal(show("a\nb", ["domain"]), '"a\\nb"');
    assert.ok(show("x".repeat(500), ["domain"]).length < 70);
    assert.equal(show({}, ["api"]), "an empty map");
    assert.equal(show([1, 2], ["api"]), "a list of 2");
    assert.equal(show(null, ["api"]), "empty");
  });

  it("are hidden when key or value look like a secret", () => {
    for (const key of [
      "password",
      "adminPassword",
      "clientSecret",
      "apiKey",
      "private_key",
      "sshPassphrase",
      "token",
    ]) {
      assert.equal(show("canary", ["vault", key]), "(not shown)", key);
    }
    for (const value of ["-----BEGIN RSA PRIVATE KEY-----", "v1:abc", "ghp_abc", "AKIAIOSFODNN7"]) {
      assert.equal(show(value, ["domain"]), "(not shown)", value);
    }
    assert.equal(show("local", ["domain"]), '"local"');
  });

  it("have keys as Pulumi writes them", () => {
    assert.equal(keyName(["target", "hosts", 0, "name"]), "groundwork:target.hosts[0].name");
    assert.equal(either(["a"]), "a");
    assert.equal(either(["a", "b", "c"]), "a, b or c");
  });
});

describe("quantities", () => {
  it("are read in Kubernetes' units", () => {
    assert.equal(bytes("512Mi"), 512 * 2 ** 20);
    assert.equal(bytes("4Gi"), 4 * 2 ** 30);
    for (const text of ["5GB", "4", "Gi", "1.5Gi", "-1Gi"]) assert.ok(Number.isNaN(bytes(text)), text);
    assert.equal(cores("250m"), 0.25);
    assert.equal(cores("2"), 2);
    assert.ok(Number.isNaN(cores("half")));
  });

  it("are written so that what is read back is never less", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1023 * 2 ** 20 }), (count) => {
        assert.ok(bytes(formatBytes(count)) >= count);
      }),
    );
    assert.equal(formatBytes(1.96 * 2 ** 30), "2Gi");
  });
});
