import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { writeAtomically } from "../../../cli/paths";
import { isRunning, poll, readIfThere, signal } from "../../../components/host/nspawn/process";
import { CloudError, LoadBalancerSpec, TargetHealth } from "../backend";
import { files, Report } from "./balancer/main";
import { connect } from "./internet";
import { makeNamespace, namespacePath, removeNamespace } from "./namespaces";
import { join, leave } from "./networks";
import { folderOf, forgetObject, listObjects, readObject, removeObject, Site, writeObject } from "./site";

const namespaceOf = (site: Site, id: number): string => `${site.mark}-b${id}`;
const ownerName = (id: number): string => `b${id}`;

const program = path.join(__dirname, "balancer", "balancer.cjs");

/** Process id of the balancer's program, or undefined when it does not run. */
function processOf(site: Site, id: number): number | undefined {
  const folder = folderOf(site, "balancer", id);
  const pid = Number(readIfThere(files(folder).pid) ?? 0);
  if (pid <= 0 || !isRunning(pid)) return undefined;
  // The number may have gone to another process since. Arguments read as empty while a process becomes another program.
  const words = readIfThere(`/proc/${pid}/cmdline`);
  return words === "" || words?.split("\0").includes(folder) ? pid : undefined;
}

/**
 * Makes a balancer what it is told to be: a program of ours in a network namespace with the balancer's addresses, so that targets see
 * its private address, and clients reach it as they would the real one.
 */
export async function setBalancer(site: Site, balancer: LoadBalancerSpec): Promise<void> {
  const unknown = balancer.services.find(({ protocol }) => protocol === "https");
  if (unknown) {
    throw new CloudError(
      "unsupported_error",
      `the emulator's balancers end no TLS: port ${unknown.listenPort} is https`,
    );
  }
  const [owner, namespace] = [ownerName(balancer.id), namespaceOf(site, balancer.id)];
  const folder = folderOf(site, "balancer", balancer.id);
  const before = readObject<LoadBalancerSpec>(site, "balancer", balancer.id);
  writeObject(site, "balancer", balancer.id, balancer);
  makeNamespace(namespace);
  const at = { ipv4: balancer.publicIpv4, ipv6: balancer.publicIpv6 };
  // Another address is another interface: the old one must not answer any more.
  if (before && (before.publicIpv4 !== at.ipv4 || before.publicIpv6 !== at.ipv6)) connect(site, owner, namespace, {});
  connect(site, owner, namespace, at);
  const mac = (index: number): string =>
    `86:00:00:${[balancer.id >> 8, balancer.id, index].map((byte) => (byte & 255).toString(16).padStart(2, "0")).join(":")}`;
  join(
    site,
    owner,
    namespace,
    balancer.privateIps.map((net, index) => ({ ...net, aliasIps: [], mac: mac(index) })),
  );
  writeAtomically(files(folder).told, JSON.stringify(balancer), 0o600);
  // Its first word says that it listens to signals; before that, one would end it.
  const running = await poll(20_000, 50, () => {
    const pid = processOf(site, balancer.id);
    return pid === undefined ? "none" : fs.existsSync(files(folder).health) && pid;
  });
  if (typeof running === "number") signal(running, "SIGHUP");
  else await start(site, balancer.id);
}

/** Starts balancers again whose program has ended: a provider's balancer does not stay down. */
export async function reviveBalancers(site: Site): Promise<void> {
  for (const id of listObjects(site, "balancer")) {
    const told = fs.existsSync(files(folderOf(site, "balancer", id)).told);
    if (told && readObject(site, "balancer", id) && processOf(site, id) === undefined) await start(site, id);
  }
}

async function start(site: Site, id: number): Promise<void> {
  const folder = folderOf(site, "balancer", id);
  const { pid, log, health } = files(folder);
  fs.rmSync(health, { force: true });
  const output = fs.openSync(log, "w", 0o600);
  const child = spawn("nsenter", [`--net=${namespacePath(namespaceOf(site, id))}`, process.execPath, program, folder], {
    detached: true,
    stdio: ["ignore", output, output],
    env: { PATH: process.env["PATH"], NODE_OPTIONS: "--max-old-space-size=96" },
  });
  child.unref();
  fs.closeSync(output);
  writeAtomically(pid, String(child.pid), 0o600);
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  if ((await poll(20_000, 50, () => fs.existsSync(health) || ended())) && !ended()) return;
  const words = (readIfThere(log) ?? "").trim().split("\n").slice(-10).join("\n");
  throw new CloudError("action_failed", `load balancer ${id} does not start; the end of ${log}:\n${words}`);
}

export async function deleteBalancer(site: Site, id: number): Promise<void> {
  // First, so that nobody starts it again meanwhile.
  forgetObject(site, "balancer", id);
  const pid = processOf(site, id);
  if (pid !== undefined) {
    signal(pid, "SIGKILL");
    await poll(5000, 20, () => !isRunning(pid));
  }
  leave(site, ownerName(id));
  connect(site, ownerName(id), namespaceOf(site, id), {});
  removeNamespace(namespaceOf(site, id));
  removeObject(site, "balancer", id);
}

/** What the balancer last said of its targets; all unknown while it does not run. */
export function healthOf(site: Site, id: number): TargetHealth[] {
  const balancer = readObject<LoadBalancerSpec>(site, "balancer", id);
  if (!balancer) return [];
  const text =
    processOf(site, id) === undefined ? undefined : readIfThere(files(folderOf(site, "balancer", id)).health);
  const { targets } = text === undefined ? { targets: [] } : (JSON.parse(text) as Report);
  return balancer.services.flatMap(({ listenPort }) =>
    balancer.targets.map(
      ({ address }) =>
        targets.find((one) => one.address === address && one.listenPort === listenPort) ?? {
          address,
          listenPort,
          status: "unknown" as const,
        },
    ),
  );
}
