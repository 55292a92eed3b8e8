#!/usr/bin/env node
"use strict";
// Stand-in of the `multipass` command for tests: keeps instances as JSON in $MULTIPASS_STATE and answers as documented. It makes no
// machine. $MULTIPASS_FAIL makes the named verb fail.
const fs = require("node:fs");
const file = process.env.MULTIPASS_STATE;
const state = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, "utf8")) : { instances: {}, calls: [] };
const save = () => fs.writeFileSync(file, JSON.stringify(state, null, 2));
const [verb, ...args] = process.argv.slice(2);
state.calls.push([verb, ...args].join(" "));
const fail = (text, code = 2) => {
  save();
  process.stderr.write(`${text}\n`);
  process.exit(code);
};
const option = (name) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
const instance = (name) => state.instances[name] ?? fail(`${verb} failed: instance "${name}" does not exist`);
if (process.env.MULTIPASS_FAIL === verb) fail(`${verb} failed: cannot connect to the multipass socket`);

switch (verb) {
  case "list": {
    if (option("--format") !== "json") fail("the stand-in lists as JSON only");
    const list = Object.entries(state.instances).map(([name, { state: now, address, image }]) => ({
      ipv4: now === "Running" ? [address, "10.42.0.1"] : [],
      name,
      release: `Ubuntu ${image} LTS`,
      state: now,
    }));
    process.stdout.write(JSON.stringify({ list }));
    break;
  }
  case "launch": {
    const name = option("--name");
    if (state.instances[name]) fail(`launch failed: instance "${name}" already exists`);
    if (option("--cloud-init") !== "-") fail("the stand-in takes user data by standard input only");
    const userData = fs.readFileSync(0, "utf8");
    const address = process.env.MULTIPASS_ADDRESS;
    const sizes = { cpus: option("--cpus"), memory: option("--memory"), disk: option("--disk") };
    state.instances[name] = { state: "Running", address, image: args[0], userData, ...sizes };
    process.stdout.write(`Launched: ${name}\n`);
    break;
  }
  case "start":
    if (instance(args[0]).state === "Deleted") fail(`start failed: instance "${args[0]}" is deleted`);
    instance(args[0]).state = "Running";
    break;
  case "recover":
    if (instance(args[0]).state !== "Deleted") fail(`recover failed: instance "${args[0]}" is not deleted`);
    instance(args[0]).state = "Stopped";
    break;
  case "delete": {
    const [name] = args.filter((arg) => !arg.startsWith("-"));
    instance(name);
    if (args.includes("--purge")) delete state.instances[name];
    else state.instances[name].state = "Deleted";
    break;
  }
  case "exec":
    if (instance(args[0]).state !== "Running") fail(`exec failed: instance "${args[0]}" is not running`);
    if (args.at(-1) === "/etc/ssh/ssh_host_ed25519_key.pub") process.stdout.write("ssh-ed25519 AAAAkey root@x\n");
    break;
  default:
    fail(`the stand-in knows no ${verb}`);
}
save();
