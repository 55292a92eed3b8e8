import * as os from "node:os";
import { cacheDir, stateDir } from "../../../cli/paths";
import { hasDefaultRoute } from "../nspawn/changes";
import { artifactMount, type ReadyMachine } from "../nspawn/machine";
import { MachineError, poll, sshBanner } from "../nspawn/process";
import { resolvers } from "../nspawn/seed";
import { Container, docker, dockerInput, dockerSucceeds, inspect, labels, listContainers } from "./engine";
import { importImage } from "./image";
import { ensureNetwork, removeNetwork } from "./network";
import { ContainerSpec, containerName, networkName, volumesOf } from "./plan";
import { kernelFolder, kernelVolume, restoreKernel, seedArchive } from "./seed";

/** Milliseconds: a start takes 2 to 8 s, on a busy computer several times that. */
const startLimit = 120_000;

/** What a container can't be given anew: with another value of these it is another machine. */
export const fixedOf = (spec: ContainerSpec): string =>
  JSON.stringify([spec.address, spec.cidr, spec.publicKey.trim(), spec.published ?? null]);

/** Name servers that pods can ask, too: the engine's own for machines is one that only they reach. */
function resolversFor(spec: ContainerSpec, image: string): string {
  if (spec.published === undefined) return resolvers(process.platform === "linux" && hasDefaultRoute());
  // A container on the engine's default network gets the name servers of the engine's computer (docs.docker.com, Networking).
  const asked = ["run", "--rm", "--network", "bridge", image, "grep", "^nameserver", "/etc/resolv.conf"];
  try {
    return `${docker(...asked)}\n`;
  } catch {
    return resolvers(false);
  }
}

/** The command line that makes the container; it does not start it. */
export function createArgs(spec: ContainerSpec, image: string, owner: string, artifacts: string): string[] {
  const name = containerName(spec);
  const label = (key: string, value: string): string[] => ["--label", `${key}=${value}`];
  const { address = "", ports = {} } = spec.published ?? {};
  return [
    ...["create", "--name", name, "--hostname", spec.name, "--pull", "never"],
    ...label(labels.stack, spec.stack),
    ...label(labels.machine, spec.name),
    ...label(labels.owner, owner),
    ...label(labels.fixed, fixedOf(spec)),
    // A kubelet and containerd need what a container normally lacks: mounts, devices, BPF, keyrings, the kernel log.
    ...["--privileged", "--cgroupns", "private", "--env", "container=docker"],
    ...["--tmpfs", "/run", "--tmpfs", "/tmp:exec,mode=1777"],
    // systemd's signal for an orderly halt; it comes up again with the engine.
    ...["--stop-signal", "SIGRTMIN+3", "--stop-timeout", "15", "--restart", "unless-stopped"],
    ...["--network", networkName(spec.stack), "--ip", spec.address],
    ...Object.entries(ports).flatMap(([inside, outside]) => ["--publish", `${address}:${outside}:${inside}`]),
    ...Object.entries(volumesOf(spec)).flatMap(([folder, volume]) => ["--volume", `${volume}:${folder}`]),
    ...["--volume", `${kernelVolume}:${kernelFolder}`],
    ...["--volume", "/lib/modules:/lib/modules:ro"],
    ...["--mount", `type=bind,source=${artifacts},target=${artifactMount},readonly`],
    ...limits(spec),
    ...[image, "/sbin/init"],
  ];
}

const limits = ({ memory, cpus }: Pick<ContainerSpec, "memory" | "cpus">): string[] => [
  ...(memory === undefined ? [] : ["--memory", String(memory), "--memory-swap", String(memory)]),
  ...(cpus === undefined ? [] : ["--cpus", String(cpus)]),
];

/** Throws where the container is not this state directory's, or was made for what can't be changed. */
export function checkContainer(spec: ContainerSpec, found: Container, owner: string): void {
  const has = found.Config.Labels ?? {};
  const name = containerName(spec);
  if (has[labels.stack] !== spec.stack || has[labels.machine] !== spec.name) {
    throw new MachineError(`the container ${name} exists and is not ours: remove it, or give the stack another name`);
  }
  if (has[labels.owner] !== owner) {
    throw new MachineError(
      `the container ${name} belongs to the stack ${spec.stack} of ${has[labels.owner]}: destroy that one, or give this stack another name`,
    );
  }
  if (has[labels.fixed] !== fixedOf(spec)) {
    throw new MachineError(
      `the container ${name} was made with another address, key or port, which can't be changed while it exists: ` +
        `go back to the former target, or take it away with "node components/host/docker/tool.cjs delete ${spec.stack}/${spec.name}"`,
    );
  }
}

/** Makes the volumes with their labels: the engine would make them without. */
function ensureVolumes(spec: ContainerSpec, owner: string): void {
  for (const volume of Object.values(volumesOf(spec))) {
    docker(
      "volume",
      "create",
      "--label",
      `${labels.stack}=${spec.stack}`,
      "--label",
      `${labels.owner}=${owner}`,
      volume,
    );
  }
  docker("volume", "create", kernelVolume);
}

/**
 * Makes the machine, or repairs it: whatever an earlier run left half-made or dead is completed or started again. A machine
 * that runs as wanted is not touched. What there is, the engine itself knows by labels; no record is kept besides.
 */
export async function ensure(spec: ContainerSpec): Promise<ReadyMachine> {
  const [name, owner] = [containerName(spec), stateDir()];
  let found = inspect<Container>("container", name);
  if (found) checkContainer(spec, found, owner);
  if (!found) {
    const image = await importImage(spec);
    ensureNetwork(spec, owner);
    ensureVolumes(spec, owner);
    const seeds = (isNew: boolean) => seedArchive(spec, resolversFor(spec, image), isNew);
    // Under another name until it has its files: a container of the right name is a whole one.
    dockerSucceeds("rm", "--force", `${name}-unfinished`);
    const args = createArgs(spec, image, owner, cacheDir());
    docker(...args.map((arg) => (arg === name ? `${name}-unfinished` : arg)));
    await dockerInput(seeds(true), "cp", "-", `${name}-unfinished:/`);
    docker("rename", `${name}-unfinished`, name);
    found = inspect<Container>("container", name)!;
  }
  const { Memory, NanoCpus } = found.HostConfig;
  const wantedCpus = Math.round((spec.cpus ?? 0) * 1e9);
  if ((spec.memory !== undefined && Memory !== spec.memory) || (spec.cpus !== undefined && NanoCpus !== wantedCpus)) {
    docker("update", ...limits(spec), name);
  }
  if (!found.State.Running) start(name, spec);
  return { name: spec.name, address: spec.address, hostKey: await untilReady(spec) };
}

function start(name: string, spec: ContainerSpec): void {
  try {
    docker("start", name);
  } catch (error) {
    const text = (error as Error).message;
    if (!/port is already allocated|address already in use|ports are not available/i.test(text)) throw error;
    throw new MachineError(
      `a port of machine ${spec.stack}/${spec.name} is taken on this computer: end what has it, or set target.publish ` +
        `(address, sshPort) to others: ${text}`,
    );
  }
}

/** Where this computer reaches the machine's SSH. */
export const sshPlace = (spec: Pick<ContainerSpec, "address" | "published">): { host: string; port: number } => ({
  host: spec.published?.address ?? spec.address,
  port: spec.published?.ports[22] ?? 22,
});

/** Waits for the machine's SSH server and gives its host key. */
async function untilReady(spec: ContainerSpec): Promise<string> {
  const name = containerName(spec);
  const { host, port } = sshPlace(spec);
  let looked = 0;
  const answer = await poll(startLimit, 200, () => {
    // Asking the engine costs more than a connection: each tenth time will do.
    if (looked++ % 10 === 9 && !inspect<Container>("container", name)?.State.Running) return "dead";
    return sshBanner(host, port);
  });
  if (answer?.startsWith("SSH-")) {
    const key = docker("exec", name, "cat", "/etc/ssh/ssh_host_ed25519_key.pub");
    return key.split(" ").slice(0, 2).join(" ");
  }
  const what =
    answer === "dead"
      ? "stopped while it started"
      : `has no SSH server at ${host}:${port} after ${startLimit / 1000} s`;
  throw new MachineError(
    `machine ${spec.stack}/${spec.name} ${what}; what it said last:\n${docker("logs", "--tail", "15", name)}`,
  );
}

/** Whether this computer is the one that the engine's containers run on, so that their addresses can be reached. */
export function reachesAddresses(gateway: string): boolean {
  return Object.values(os.networkInterfaces()).some((link) => link?.some(({ address }) => address === gateway));
}

/**
 * Takes the machine away with everything that was made for it; the last one of a stack takes its network, the last one of all
 * what the engine was given. Without such a machine it does nothing.
 */
export function remove(of: { stack: string; name: string }): void {
  const [name, owner] = [containerName(of), stateDir()];
  const found = inspect<Container>("container", name);
  const has = found?.Config.Labels ?? {};
  if (found && (has[labels.stack] !== of.stack || has[labels.owner] !== owner)) {
    throw new MachineError(`the container ${name} is not of this stack: nothing was removed`);
  }
  const image = found?.Image;
  for (const each of [name, `${name}-unfinished`]) dockerSucceeds("rm", "--force", each);
  for (const volume of Object.values(volumesOf(of))) dockerSucceeds("volume", "rm", volume);
  removeNetwork(of.stack);
  if (listContainers().length > 0 || !inspect("volume", kernelVolume)) return;
  if (image !== undefined) {
    const alone = ["run", "--rm", "--privileged", "--network", "none", "--pull", "never"];
    docker(...alone, "--volume", `${kernelVolume}:${kernelFolder}`, image, "sh", "-c", restoreKernel);
    dockerSucceeds("image", "rm", image);
  }
  dockerSucceeds("volume", "rm", kernelVolume);
}
