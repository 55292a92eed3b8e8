import { strict as assert } from "node:assert";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { readArguments } from "../src/arguments";
import { isFresh } from "../src/bootstrap/token";
import { tokenPeriod } from "../src/bootstrap/set-up";
import { documentSchema, parseJson } from "../src/configure/document";
import { generate } from "../src/configure/generated";
import { ensureInitialised, FatalError, NotYetError } from "../src/configure/initialise";
import type { Kube } from "../src/kube/client";
import { VaultClient } from "../src/vault/client";
import { CertificateWatch, followGeneration, rotateAudit } from "../src/guard";
import { blank, hide } from "../src/log";
import { readStanza, writeStanza } from "../src/seal";
import { surplus } from "../src/snapshot";
import { generationOf, isEmpty, prepareStore } from "../src/store";

describe("the keeper's parts", () => {
  let folder: string;
  const file = (name: string): string => path.join(folder, name);
  beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-keeper-"))));
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  it("read the seal stanza that they write, whatever is in it", () => {
    const seal = { address: "https://a.b.svc:8200", token: 'hvs.a"b\\c', key: "k", mount: "transit", caFile: "/ca" };
    assert.deepEqual(readStanza(writeStanza(seal)), seal);
    assert.throws(() => readStanza('seal "transit" {}'), /no address/);
  });

  it("take a token for fresh only in the first half of its life", () => {
    const now = 1_800_000_000;
    assert.equal(isFresh({ creation_time: now - 60, ttl: tokenPeriod - 60 }, now), true);
    assert.equal(isFresh({ creation_time: now - tokenPeriod / 2 - 1, ttl: tokenPeriod }, now), false);
    assert.equal(isFresh({ creation_time: now - 60, ttl: tokenPeriod / 2 }, now), false);
    // A clock that jumped back: the token seems to be of tomorrow, and serves.
    assert.equal(isFresh({ creation_time: now + 86_400, ttl: tokenPeriod }, now), true);
  });

  it("leave an empty Vault alone while a snapshot is being restored into it", async () => {
    const platform = { recovery: "vault-recovery", state: "vault-state", namespace: "vault" } as never;
    const asked: string[] = [];
    const empty = new VaultClient((path) => {
      asked.push(path);
      const body = { initialized: false, sealed: true, standby: true, version: "1" };
      return Promise.resolve({ status: 200, body: Buffer.from(JSON.stringify(body)) });
    });
    const kube = (recovery: Record<string, string>): Kube => ({
      readSecret: () => Promise.resolve(recovery),
      readConfigMap: () => Promise.resolve({ phase: "initialised" }),
      writeSecret: () => Promise.reject(new Error("a Secret was written")),
      writeConfigMap: () => Promise.reject(new Error("a ConfigMap was written")),
    });
    const keys = JSON.stringify(["one", "two", "three"]);
    const waiting = ensureInitialised([empty], kube({ keys, restoring: "20260131T120000Z" }), platform);
    await assert.rejects(waiting, (error) => error instanceof NotYetError && /20260131T120000Z/.test(error.message));
    assert.deepEqual(asked, []);
    await assert.rejects(ensureInitialised([empty], kube({ keys }), platform), FatalError);
  });

  it("blank what is secret wherever it stands", () => {
    hide("s3cret-canary-value");
    hide("short");
    assert.equal(blank("password s3cret-canary-value is short"), "password [hidden] is short");
  });

  it("say which argument is missing or unknown", () => {
    assert.throws(() => readArguments(["--ca", "x"], { needed: ["ca", "login"] }), /missing --login/);
    assert.throws(() => readArguments(["--x", "y"], { needed: ["ca"] }), /unknown argument --x: expected --ca/);
    assert.throws(() => readArguments(["--ca"], { needed: ["ca"] }), /--ca needs a value/);
  });

  it("tell every mistake of a document by its place", () => {
    const document = { pkiRoles: { web: { allowedDomains: [], ttl: "forever", maxTtl: "1h" } }, policy: {} };
    assert.throws(
      () => parseJson(documentSchema, JSON.stringify(document), "document.json"),
      /pkiRoles\.web\.allowedDomains[^]*pkiRoles\.web\.ttl: must be a duration[^]*policy/,
    );
    const path_ = { policies: { "../sys": "x" } };
    assert.throws(() => parseJson(documentSchema, JSON.stringify(path_), "d"), /policies\.\.\.\/sys: Invalid key/);
  });

  it("generate values of the wanted length and alphabet", () => {
    assert.match(generate({ length: 48, characters: "alphanumeric" }), /^[A-Za-z0-9]{48}$/);
    assert.match(generate({ length: 40, characters: "hex" }), /^[0-9a-f]{40}$/);
    assert.match(generate({ length: 33, characters: "base64url" }), /^[\w-]{33}$/);
  });

  it("notice a new certificate, and not the first one", () => {
    const watch = new CertificateWatch(file("tls.crt"));
    assert.equal(watch.changed(), false);
    fs.writeFileSync(file("tls.crt"), "one");
    assert.equal(watch.changed(), false);
    assert.equal(watch.changed(), false);
    fs.writeFileSync(file("tls.crt"), "two");
    assert.equal(watch.changed(), true);
  });

  it("set an audit log aside when it is large, and keep a few", () => {
    for (let round = 1; round <= 4; round += 1) {
      fs.writeFileSync(file("audit.log"), "x".repeat(round));
      assert.equal(rotateAudit(file("audit.log"), 1, 2), true);
    }
    assert.deepEqual(fs.readdirSync(folder).sort(), ["audit.log.1", "audit.log.2"]);
    assert.equal(fs.readFileSync(file("audit.log.1"), "utf8"), "xxxx");
    fs.writeFileSync(file("audit.log"), "");
    assert.equal(rotateAudit(file("audit.log"), 1, 2), false);
  });

  it("set data aside only when an initialisation was given up after it was begun", () => {
    const store = path.join(folder, "data", "store");
    prepareStore(store);
    const signals: string[] = [];
    const follow = () => followGeneration(store, file("generation"), (signal) => signals.push(signal) > 0);
    fs.writeFileSync(path.join(store, "vault.db"), "x");
    follow();
    fs.writeFileSync(file("generation"), "0");
    follow();
    assert.equal(isEmpty(store), false);
    fs.writeFileSync(file("generation"), "1");
    follow();
    assert.deepEqual([isEmpty(store), generationOf(store), signals], [true, 1, ["SIGKILL"]]);
    fs.writeFileSync(path.join(store, "vault.db"), "y");
    follow();
    assert.equal(isEmpty(store), false);
  });

  it("drop the oldest snapshots, and no other files", () => {
    const files = [
      "vault-20270103T000000Z.snap",
      "vault-20270101T000000Z.snap",
      "notes.txt",
      "vault-20270102T000000Z.snap",
    ];
    assert.deepEqual(surplus(files, 2), ["vault-20270101T000000Z.snap"]);
    assert.deepEqual(surplus(files, 5), []);
  });
});
