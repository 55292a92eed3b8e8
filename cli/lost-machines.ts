import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { isLocalDriver } from "../components/host/choice";
import type { Engine } from "./engine";
import { root } from "./paths";
import { say, UserError } from "./ui";

/** A machine's command in the state: the graph makes machines of this computer by one each. */
const machineUrn = /[:$]groundwork:host:\w+Host\$command:local:Command::(\S+)-machine$/;

/** URNs of the machines that the state knows and this computer does not have any more. */
export function lostMachines(urns: string[], stack: string, there: string[]): { name: string; urn: string }[] {
  return urns.flatMap((urn) => {
    const name = machineUrn.exec(urn)?.[1];
    return name === undefined || there.includes(`${stack}/${name}`) ? [] : [{ name, urn }];
  });
}

/**
 * Arguments for `up` that make machines anew which are gone from this computer: the engine itself takes for granted what its
 * state says. Throws where no server is left, since with them the cluster is gone.
 */
export async function replaceLostMachines(engine: Engine, stack: string, driver: string): Promise<string[]> {
  if (!isLocalDriver(driver)) return [];
  const exported = await engine.run(["stack", "export", "--stack", stack]);
  if (exported.code !== 0) return [];
  const { deployment } = JSON.parse(exported.stdout) as { deployment?: { resources?: { urn: string }[] } };
  const tool = path.join(root, "components", "host", driver, "tool.cjs");
  const listed = spawnSync(process.execPath, [tool, "ls", "--json"], { cwd: root, encoding: "utf8" });
  if (listed.status !== 0) return [];
  const there = (JSON.parse(listed.stdout) as { id: string }[]).map(({ id }) => id);
  const urns = (deployment?.resources ?? []).map(({ urn }) => urn);
  const servers = lostMachines(urns, stack, []).filter(({ name }) => name.startsWith("server-"));
  const lost = lostMachines(urns, stack, there);
  if (servers.length > 0 && servers.every(({ name }) => lost.some((one) => one.name === name))) {
    throw new UserError(
      `the machines of all servers of ${stack} are gone from this computer, and the cluster with them: npm run restore -- --stack ${stack} --lost, from a backup; without one, npm run destroy and up (docs/runbooks/disaster-recovery.md)`,
    );
  }
  for (const { name } of lost) say(`machine ${name} is gone from this computer: this run makes it anew`);
  return lost.flatMap(({ urn }) => ["--replace", urn]);
}
