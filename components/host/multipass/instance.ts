import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { stateDir, writeAtomically } from "../../../cli/paths";
import { MachineError, poll, readIfThere, run, sshBanner } from "../nspawn/process";
import { InstanceSpec, instanceName, launchArgs, userData } from "./plan";

/** Milliseconds that an instance which runs has until its SSH answers. */
const startLimit = 180_000;

/** What `multipass list --format json` tells of an instance. */
export interface Listed {
  name: string;
  state: string;
  ipv4: string[];
}

/** A machine that is up: what the graph goes on with. */
export interface ReadyInstance {
  name: string;
  address: string;
  /** Its host public key, `ssh-ed25519 AAAA...`. */
  hostKey: string;
}

const multipass = (...args: string[]): string => run("multipass", ...args);

/** Every instance that Multipass has, ours or not. */
export const listAll = (): Listed[] => (JSON.parse(multipass("list", "--format", "json")) as { list: Listed[] }).list;

const find = (name: string): Listed | undefined => listAll().find((one) => one.name === name);

/**
 * Multipass knows no labels, so what is ours is recorded: before it is made, so that a death in between leaves no instance without
 * its record.
 */
const recordFile = (of: { stack: string; name: string }): string =>
  path.join(stateDir(), "multipass", of.stack, `${of.name}.json`);

/** What the instance was made from, or undefined when it is not ours. */
export function readRecord(of: { stack: string; name: string }): InstanceSpec | undefined {
  const text = readIfThere(recordFile(of));
  return text === undefined ? undefined : (JSON.parse(text) as InstanceSpec);
}

const names = (folder: string): string[] => (fs.existsSync(folder) ? fs.readdirSync(folder).sort() : []);

/** Our instances of a stack, or of all. */
export function listOurs(stack?: string): InstanceSpec[] {
  const folder = path.join(stateDir(), "multipass");
  return (stack === undefined ? names(folder) : [stack]).flatMap((one) =>
    names(path.join(folder, one)).flatMap(
      (file) => readRecord({ stack: one, name: path.basename(file, ".json") }) ?? [],
    ),
  );
}

/** What can't be changed of an instance that exists. */
const fixedOf = ({ image, publicKey }: InstanceSpec): string => JSON.stringify([image, publicKey.trim()]);

/** Makes the instance, or brings it back: stopped, suspended and deleted ones run again. One that runs is not touched. */
export async function ensure(spec: InstanceSpec): Promise<ReadyInstance> {
  const name = instanceName(spec);
  const [known, found] = [readRecord(spec), find(name)];
  if (found && !known) {
    throw new MachineError(
      `the instance ${name} exists and is not of this state directory: \`multipass delete --purge ${name}\`, or give the stack another name`,
    );
  }
  if (found && known && fixedOf(known) !== fixedOf(spec)) {
    throw new MachineError(
      `the instance ${name} was made from another image or key, which can't be changed while it exists: go back to the former ` +
        `target, or take it away with "node components/host/multipass/tool.cjs delete ${spec.stack}/${spec.name}"`,
    );
  }
  writeAtomically(recordFile(spec), JSON.stringify(spec, null, 2) + "\n", 0o600);
  if (!found) launch(spec);
  else if (found.state === "Deleted") multipass("recover", name);
  if (found && found.state !== "Running") multipass("start", name);
  return untilReady(spec);
}

function launch(spec: InstanceSpec): void {
  try {
    execFileSync("multipass", launchArgs(spec), {
      input: userData(spec),
      stdio: ["pipe", "ignore", "pipe"],
      encoding: "utf8",
    });
  } catch (error) {
    const { code, stderr, message } = error as { code?: string; stderr?: string; message: string };
    if (code === "ENOENT") throw new MachineError("multipass is not installed: see docs/runbooks/drivers.md");
    throw new MachineError(`multipass launch ${instanceName(spec)}: ${stderr?.trim() || message}`);
  }
}

/** Waits for the instance's SSH server and gives its address and host key, which Multipass's own way in tells. */
async function untilReady(spec: InstanceSpec): Promise<ReadyInstance> {
  const name = instanceName(spec);
  let last: Listed | undefined;
  const address = await poll(startLimit, 500, async () => {
    last = find(name);
    // The first one is the address of the default network; further ones are of bridges and containers inside.
    const [first] = last?.state === "Running" ? last.ipv4 : [];
    return first && (await sshBanner(first)) ? first : undefined;
  });
  if (address === undefined) {
    throw new MachineError(
      `the instance ${name} is ${last?.state ?? "gone"}, and has no SSH server at ${last?.ipv4[0] ?? "any address"} after ` +
        `${startLimit / 1000} s: look at \`multipass info ${name}\``,
    );
  }
  const key = multipass("exec", name, "--", "cat", "/etc/ssh/ssh_host_ed25519_key.pub");
  return { name: spec.name, address, hostKey: key.trim().split(" ").slice(0, 2).join(" ") };
}

/** Takes the instance away with its disk. Without such an instance it does nothing, and it touches none but ours. */
export function remove(of: { stack: string; name: string }): void {
  if (!readRecord(of)) return;
  const name = instanceName(of);
  if (find(name)) multipass("delete", "--purge", name);
  const file = recordFile(of);
  fs.rmSync(file, { force: true });
  for (const folder of [path.dirname(file), path.dirname(path.dirname(file))]) {
    if (names(folder).length === 0) fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** What `ls` tells of an instance. */
export function describe(spec: InstanceSpec, all: Listed[]) {
  const found = all.find(({ name }) => name === instanceName(spec));
  return {
    id: `${spec.stack}/${spec.name}`,
    address: found?.ipv4[0],
    running: found?.state === "Running",
    instance: instanceName(spec),
  };
}
