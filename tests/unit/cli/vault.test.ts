import { strict as assert } from "node:assert";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { vault } from "../../../cli/vault";
import { keepOld, writeSecretFile } from "../../../cli/vault/files";

describe("npm run vault", () => {
  const home = process.env["GROUNDWORK_STATE_DIR"];
  let folder: string;
  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-vault-cli-"));
    process.env["GROUNDWORK_STATE_DIR"] = folder;
  });
  afterEach(() => {
    if (home === undefined) delete process.env["GROUNDWORK_STATE_DIR"];
    else process.env["GROUNDWORK_STATE_DIR"] = home;
    fs.rmSync(folder, { recursive: true });
  });

  const mistakes: [string[], RegExp][] = [
    [["frob"], /no verb "frob"[^]*usage:/],
    [["status", "now"], /no verb "status now"/],
    [["status", "--loud"], /--loud[^]*usage:/],
    [["root-ca"], /say which: npm run vault -- root-ca offline, or online/],
    [["root-ca", "burn"], /say which/],
    [["status", "--stack", "nope"], /there is no stack "nope"/],
    [["hand-over", "--stack", "dev"], /stack dev is not up: run `npm run up/],
  ];
  for (const [argv, message] of mistakes) {
    it(`answers \`${argv.join(" ")}\` with one clear message`, async () => {
      await assert.rejects(
        vault(argv),
        (error: Error) => error.constructor.name === "UserError" && message.test(error.message),
      );
    });
  }

  it("writes secrets for their owner only, and keeps what was there", () => {
    const file = path.join(folder, "vault", "recovery-keys.json");
    writeSecretFile(file, "one");
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    keepOld(file);
    writeSecretFile(file, "two");
    const files = fs.readdirSync(path.dirname(file)).sort();
    assert.equal(files.length, 2);
    const contents = files.map((name) => fs.readFileSync(path.join(path.dirname(file), name), "utf8"));
    assert.deepEqual(contents.sort(), ["one", "two"]);
    assert.ok(files.every((name) => (fs.statSync(path.join(path.dirname(file), name)).mode & 0o077) === 0));
  });
});
