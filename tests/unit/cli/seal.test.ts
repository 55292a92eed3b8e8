import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { seal, SealStreams } from "../../../cli/seal";
import { parseSealLine } from "../../../cli/seal-line";

const plain = "hunter2-in-plain";

/** Standard input with this text, and what came out. */
function streams(input = ""): SealStreams & { said: () => string } {
  let said = "";
  return {
    stdin: (async function* () {
      yield Buffer.from(input);
    })(),
    out: (text) => void (said += text),
    said: () => said,
  };
}

describe("the command line of seal", () => {
  const line = (...more: string[]) => parseSealLine(["--name", "mail", "--namespace", "app", ...more]);

  it("takes a name, a namespace, files and a scope", () => {
    assert.deepEqual(line("--from-file", "a=x=y.txt", "--from-file", "b=-", "--scope", "namespace-wide", "--write"), {
      name: "mail",
      namespace: "app",
      fromFile: [
        { key: "a", file: "x=y.txt" },
        { key: "b", file: "-" },
      ],
      scope: "namespace-wide",
      type: "Opaque",
      stack: undefined,
      cert: undefined,
      fetchCert: false,
      write: true,
    });
    assert.equal(line().scope, "strict");
  });

  it("needs no name for the certificate alone", () => assert.equal(parseSealLine(["--fetch-cert"]).fetchCert, true));

  const refused: [string[], RegExp][] = [
    [["--name", "Mail", "--namespace", "app"], /--name Mail: must be a name/],
    [["--name", "mail"], /--namespace is missing: must be a namespace/],
    [["--name", "mail", "--namespace", "a.b"], /--namespace a\.b: must be/],
    [
      ["--name", "mail", "--namespace", "app", "--scope", "wide"],
      /--scope wide: must be one of strict, namespace-wide/,
    ],
    [["--name", "mail", "--namespace", "app", "--from-file", "x"], /--from-file number 1: must be KEY=FILE/],
    [["--name", "mail", "--namespace", "app", "--from-file", "a b=x"], /--from-file number 1/],
    [["--name", "mail", "--namespace", "app", "--from-file", "a=x", "--from-file", "a=y"], /a is there twice/],
    [
      ["--name", "mail", "--namespace", "app", "--from-file", "a=-", "--from-file", "b=-"],
      /only one can be standard input/,
    ],
  ];
  for (const [argv, finding] of refused) {
    it(`refuses ${argv.join(" ")}`, () => assert.throws(() => parseSealLine(argv), finding));
  }

  it("says everything that is wrong at once", () => {
    assert.throws(() => parseSealLine(["--scope", "x"]), /--name[^]*--namespace[^]*--scope/);
  });

  it("takes no value as an argument, and never repeats one", () => {
    for (const argv of [[plain], ["--password", plain], [`--from-literal=a=${plain}`], ["--from-file", plain]]) {
      assert.throws(
        () => line(...argv),
        (error: Error) => !error.message.includes(plain) && error.message.includes("usage: npm run"),
      );
    }
  });
});

describe("sealing", function () {
  this.timeout(120_000);
  let folder: string;
  let cert: string;
  const file = (name: string, content: string): string => {
    fs.writeFileSync(path.join(folder, name), content);
    return path.join(folder, name);
  };
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "groundwork-seal-test-"));
    cert = path.join(folder, "cert.pem");
    const subject = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=test"];
    execFileSync("openssl", ["req", ...subject, "-keyout", path.join(folder, "key.pem"), "-out", cert], {
      stdio: "ignore",
    });
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  const line = (...more: string[]) => ["--name", "mail", "--namespace", "app", "--cert", cert, ...more];

  const refused: [string, () => string[], string, RegExp][] = [
    ["nothing on standard input", () => line(), "", /there is no value/],
    ["a line that is no pair", () => line(), `a=b\n${plain}\n`, /line 2 of standard input is no KEY=VALUE/],
    ["a key twice", () => line(), "a=b\na=c\n", /line 2 of standard input has a again/],
    ["an empty value", () => line(), "a=\n", /the value of a is empty/],
    ["a file that is not there", () => line("--from-file", "a=/no/such"), "", /the file of a can't be read: ENOENT/],
    ["an empty file", () => line("--from-file", `a=${file("empty", "")}`), "", /the value of a is empty/],
    [
      "a certificate that is not there",
      () => [...line(), "--cert", "/no/such"],
      "a=b\n",
      /--cert \/no\/such: there is no/,
    ],
    [
      "a key as certificate",
      () => [...line(), "--cert", path.join(folder, "key.pem")],
      "a=b",
      /has a private key in it/,
    ],
    ["a text as certificate", () => [...line(), "--cert", file("text", "hello")], "a=b", /is no certificate in PEM/],
  ];
  for (const [what, argv, input, finding] of refused) {
    it(`refuses ${what}, and shows no value`, async () => {
      const io = streams(input);
      await assert.rejects(
        seal(argv(), io),
        (error: Error) => finding.test(error.message) && !error.message.includes(plain),
      );
      assert.equal(io.said(), "");
    });
  }

  it("shows how it is used when asked", async () => {
    const io = streams();
    assert.equal(await seal(["--help"], io), 0);
    assert.match(io.said(), /usage: npm run --silent seal/);
  });

  it("names the stack that is not up, and the way without it", async () => {
    const before = process.env["GROUNDWORK_STATE_DIR"];
    process.env["GROUNDWORK_STATE_DIR"] = path.join(folder, "state");
    try {
      const without = ["--name", "mail", "--namespace", "app", "--stack", "dev"];
      await assert.rejects(seal(without, streams("a=b\n")), /stack dev is not up: run npm run up.* --cert FILE/);
    } finally {
      if (before === undefined) delete process.env["GROUNDWORK_STATE_DIR"];
      else process.env["GROUNDWORK_STATE_DIR"] = before;
    }
  });
});
