import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { type Case, bare, contract, output } from "./contract";
import { scratch } from "./scenario";

let dir = "";
const scrub = (t: string): string => t.replaceAll(dir, "<dir>").replace(/^([a-z-]*)[0-9a-f]{8}$/, "$1<hex>");

const lifecycle: Case = {
  scrub,
  scenario: () => {
    dir = scratch();
    const log = path.join(dir, "log");
    const make = (args: Partial<command.local.CommandArgs>) => () => {
      new command.local.Command("c", {
        create: `echo created; echo create >> ${log}`,
        update: `echo "updated after $PULUMI_COMMAND_STDOUT"; echo update >> ${log}`,
        delete: `echo "delete after $PULUMI_COMMAND_STDOUT" >> ${log}`,
        ...args,
      });
    };
    return {
      name: "create, no-op, update, trigger, destroy of a local command",
      steps: [
        { verb: "preview", program: make({}) },
        { verb: "up", program: make({}) },
        { verb: "up", program: make({}) },
        { verb: "refresh", program: make({}) },
        { verb: "up", program: make({ environment: { A: "b" } }) },
        { verb: "up", program: make({ environment: { A: "b" }, triggers: ["one"] }) },
        { verb: "up", program: make({ environment: { A: "b" }, triggers: ["two"] }) },
        { verb: "destroy", program: make({}) },
      ],
    };
  },
  expect: (s) => {
    assert.deepEqual(
      s.map((o) => o.ops["c"]),
      ["create", "create", "same", "refresh", "update", "replace", "replace", "delete"],
    );
    assert.equal(output(s[1]!, "c", "stdout"), "created");
    assert.equal(output(s[4]!, "c", "stdout"), "updated after created");
    assert.deepEqual(s[6]!.diffs["c"], ["triggers"]);
    assert.deepEqual(s[7]!.resources, {});
    const log = fs.readFileSync(path.join(dir, "log"), "utf8").trim().split("\n");
    assert.deepEqual(log, [
      "create",
      "update",
      "create",
      "delete after updated after created",
      "create",
      "delete after created",
      "delete after created",
    ]);
  },
};

const details: Case = {
  scrub,
  scenario: () => {
    dir = scratch();
    fs.writeFileSync(path.join(dir, "a.txt"), "a");
    fs.writeFileSync(path.join(dir, "b.txt"), "b");
    return {
      name: "stdin, environment, interpreter, folder, files, logging and line ends of a local command",
      steps: [
        {
          verb: "up",
          program: () => {
            new command.local.Command("stdin", { create: "cat", stdin: "line\n\n", logging: "none" });
            new command.local.Command("shell", { create: "puts", interpreter: ["/bin/echo", "-n", "words"] });
            new command.local.Command("files", {
              create: "pwd",
              dir,
              assetPaths: ["*.txt", "!b*"],
              archivePaths: ["*"],
            });
            new command.local.Command("nothing", { delete: "true" });
            new command.local.Command("streams", { create: "echo out; echo err >&2", logging: "stderr" });
            new command.local.Command("env", {
              create: "echo $A",
              environment: { A: "value" },
              addPreviousOutputInEnv: false,
            });
          },
        },
      ],
    };
  },
  expect: ([s]) => {
    assert.equal(output(s!, "stdin", "stdout"), "line\n");
    assert.equal(output(s!, "shell", "stdout"), "words puts");
    assert.equal(output(s!, "files", "stdout"), "<dir>");
    assert.deepEqual(Object.keys(output(s!, "files", "assets") as object), ["a.txt"]);
    assert.equal(output(s!, "nothing", "stdout"), "");
    assert.equal(output(s!, "streams", "stderr"), "err");
    assert.equal(output(s!, "env", "stdout"), "value");
  },
};

const secrecy: Case = {
  scrub,
  scenario: () => ({
    name: "secret inputs stay secret; output is secret only where the program says so",
    steps: [
      {
        verb: "up",
        program: () => {
          const environment = { A: pulumi.secret("hidden") };
          new command.local.Command("open", { create: "echo $A", environment });
          new command.local.Command(
            "said",
            { create: "echo $A", environment },
            { additionalSecretOutputs: ["stdout"] },
          );
          new command.local.Command("script", { create: pulumi.secret("echo word") });
        },
      },
    ],
  }),
  expect: ([s]) => {
    assert.deepEqual(output(s!, "open", "environment"), { A: { secret: "hidden" } });
    assert.equal(output(s!, "open", "stdout"), "hidden");
    assert.deepEqual(output(s!, "said", "stdout"), { secret: "hidden" });
    assert.deepEqual(output(s!, "script", "create"), { secret: "echo word" });
  },
};

const failures: Case = {
  scrub,
  scenario: () => {
    dir = scratch();
    const make = (create: string, update?: string) => () => void new command.local.Command("c", { create, update });
    return {
      name: "failures leave the state as it was",
      steps: [
        { verb: "up", program: make("echo words of the command >&2; exit 3") },
        { verb: "up", program: make("echo good") },
        { verb: "up", program: make("echo good", "exit 4") },
        { verb: "up", program: make("echo good") },
        {
          verb: "up",
          program: () => void new command.local.Command("c", { create: "true", dir: path.join(dir, "absent") }),
        },
      ],
    };
  },
  expect: (s) => {
    assert.match(s[0]!.errors.join("\n"), /exit status 3.*\n?.*words of the command/s);
    assert.deepEqual(s[0]!.resources, {});
    assert.equal(output(s[1]!, "c", "stdout"), "good");
    assert.match(s[2]!.errors.join("\n"), /exit status 4/);
    assert.equal(output(s[2]!, "c", "stdout"), "good");
    assert.deepEqual(s[3]!.ops, { c: "same" });
    assert.match(s[4]!.errors.join("\n"), /no such file or directory/);
  },
};

const invoke: Case = {
  scrub,
  scenario: () => ({
    name: "local.run runs at once and gives its output",
    steps: [
      {
        verb: "up",
        program: () => {
          const r = command.local.runOutput({ command: "cat; echo $A", stdin: "in ", environment: { A: "env" } });
          new command.local.Command("c", { create: pulumi.interpolate`echo '${r.stdout}'` });
        },
      },
    ],
  }),
  expect: ([s]) => assert.equal(bare(output(s!, "c", "stdout")), "in env"),
};

contract("command", [lifecycle, details, secrecy, failures, invoke]);
