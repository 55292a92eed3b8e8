import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { type Case, bare, contract, output } from "./contract";
import { root, scratch } from "./scenario";
import { sshServerBinary } from "./subjects";

let server: ChildProcess;
let connection: { host: string; port: number; user: string; privateKey: string; hostKey: string };
let dir = "";

before(async function () {
  this.timeout(300_000);
  server = spawn(sshServerBinary(root), ["0", "GREETING"], { stdio: ["pipe", "pipe", "inherit"] });
  const line = await new Promise<string>((done) => server.stdout!.once("data", (b: Buffer) => done(b.toString())));
  connection = {
    host: "127.0.0.1",
    user: "root",
    ...(JSON.parse(line) as { port: number; privateKey: string; hostKey: string }),
  };
});
after(() => server.stdin?.end());

const scrub = (t: string): string => {
  const hex = t.replaceAll(dir, "<dir>").replace(/^([a-z-]*)[0-9a-f]{8}$/, "$1<hex>");
  return hex.replaceAll(connection.privateKey, "<key>").replaceAll(connection.hostKey, "<host>");
};

const remote: Case = {
  scrub,
  scenario: () => {
    dir = scratch();
    const log = path.join(dir, "log");
    const make = (greeting: string, trigger: string) => () => {
      new command.remote.Command("c", {
        connection,
        create: `cat; echo "$GREETING"; echo create >> ${log}`,
        update: `echo updated`,
        delete: `echo delete >> ${log}`,
        stdin: "in\n",
        environment: { GREETING: greeting },
        triggers: [trigger],
        addPreviousOutputInEnv: false,
      });
    };
    return {
      name: "create, no-op, update, trigger, destroy of a remote command",
      steps: [
        { verb: "preview", program: make("hello", "1") },
        { verb: "up", program: make("hello", "1") },
        { verb: "up", program: make("hello", "1") },
        { verb: "up", program: make("bye", "1") },
        { verb: "up", program: make("bye", "2") },
        { verb: "destroy", program: make("bye", "2") },
      ],
    };
  },
  expect: (s) => {
    assert.deepEqual(
      s.map((o) => o.ops["c"]),
      ["create", "create", "same", "update", "replace", "delete"],
    );
    assert.equal(bare(output(s[1]!, "c", "stdout")), "in\nhello");
    assert.equal(bare(output(s[3]!, "c", "stdout")), "updated");
    assert.ok("secret" in (output(s[1]!, "c", "connection") as object), "the connection holds the key");
    assert.equal(fs.readFileSync(path.join(dir, "log"), "utf8"), "create\ncreate\ndelete\ndelete\n");
  },
};

const copies: Case = {
  scrub,
  scenario: () => {
    dir = scratch();
    fs.mkdirSync(path.join(dir, "tree/sub"), { recursive: true });
    fs.writeFileSync(path.join(dir, "tree/sub/leaf"), "leaf");
    fs.writeFileSync(path.join(dir, "file"), "one");
    const make =
      (to = "copy") =>
      () => {
        new command.remote.CopyToRemote("file", {
          connection,
          source: new pulumi.asset.FileAsset(path.join(dir, "file")),
          remotePath: path.join(dir, "new", to),
        });
        new command.remote.CopyToRemote("tree", {
          connection,
          source: new pulumi.asset.FileArchive(path.join(dir, "tree")),
          remotePath: path.join(dir, "into"),
        });
      };
    const edit = (): void => fs.writeFileSync(path.join(dir, "file"), "two");
    return {
      name: "copies of a file and a folder, a changed file, another path",
      steps: [
        { verb: "up", program: make() },
        { verb: "up", program: make() },
        { verb: "up", program: make(), before: edit },
        { verb: "up", program: make("moved") },
        { verb: "destroy", program: make() },
      ],
    };
  },
  expect: (s) => {
    assert.deepEqual(
      s.map((o) => o.ops["file"]),
      ["create", "same", "update", "update", "delete"],
    );
    assert.equal(fs.readFileSync(path.join(dir, "new/copy"), "utf8"), "two");
    assert.equal(fs.readFileSync(path.join(dir, "new/moved"), "utf8"), "two");
    assert.equal(fs.readFileSync(path.join(dir, "into/tree/sub/leaf"), "utf8"), "leaf");
  },
};

const refusals: Case = {
  scrub,
  scenario: () => ({
    name: "what can't work fails: wrong host key, a variable the server does not accept, a failing script",
    steps: [
      {
        verb: "up",
        program: () =>
          void new command.remote.Command("c", {
            connection: { ...connection, hostKey: otherKey, dialErrorLimit: 0 },
            create: "true",
          }),
      },
      {
        verb: "up",
        program: () =>
          void new command.remote.Command("c", { connection, create: "true", environment: { OTHER: "x" } }),
      },
      {
        verb: "up",
        program: () => void new command.remote.Command("c", { connection, create: "echo reason >&2; exit 7" }),
      },
    ],
  }),
  expect: (s) => {
    assert.match(s[0]!.errors.join("\n"), /host key/);
    assert.match(s[1]!.errors.join("\n"), /"OTHER"/);
    assert.match(s[2]!.errors.join("\n"), /status 7.*reason/s);
    for (const o of s) assert.deepEqual(o.resources, {});
  },
};

/** A valid public key of nobody. */
const otherKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDG2V7ECBGEdk3R5gMYHFK1lEoVyMGd+4lYYcxNnZSWH";

contract("command", [remote, copies, refusals]);
