import * as os from "node:os";
import { run } from "../nspawn/process";
import type { MultipassSettings } from "./settings";
import { planMachines, bytes } from "../nspawn/plan";
import { listAll, readRecord } from "./instance";
import { instanceName } from "./plan";

/** What was found out about Multipass. The probes fill it in; the checks only read it. */
export interface MultipassFacts {
  /** Why Multipass does not answer; unset when it does. */
  silent?: string;
  /** Bytes of memory that this computer has. */
  memory: number;
  /** Instances of the machines' names that are not ours. */
  strangers: string[];
}

const gib = (size: number): string => `${(size / 2 ** 30).toFixed(1)} GiB`;

/** What stands in the way, each in one message; pure, so that each can be tested. */
export function multipassProblems(settings: MultipassSettings, facts: MultipassFacts): string[] {
  if (facts.silent !== undefined) {
    return [
      `Multipass does not answer: ${facts.silent}; start it, or choose another target.driver (docs/runbooks/drivers.md)`,
    ];
  }
  const machines = settings.servers + settings.agents;
  const needed = machines * bytes(settings.memory);
  return [
    ...(needed > facts.memory
      ? [
          `${machines} machine(s) of ${settings.memory} need more than the ${gib(facts.memory)} of memory that this computer has: ` +
            "set target.memory to less",
        ]
      : []),
    ...facts.strangers.map(
      (name) =>
        `the instance ${name} exists and is not of this state directory: \`multipass delete --purge ${name}\`, or rename the stack`,
    ),
  ];
}

/** Asks Multipass; never throws. Its version is answered without its service, its list is not. */
export function multipassSilence(): string | undefined {
  try {
    run("multipass", "list", "--format", "json");
    return undefined;
  } catch (error) {
    return (error as Error).message.split("\n")[0]!;
  }
}

/** Looks what the checks need. */
export function probeMultipass(settings: MultipassSettings, { stack }: { stack: string }): MultipassFacts {
  const silent = multipassSilence();
  const memory = os.totalmem();
  if (silent !== undefined) return { silent, memory, strangers: [] };
  const planned = planMachines({ ...settings, network: { cidr: "0.0.0.0/24" } });
  const all = new Set(listAll().map(({ name }) => name));
  const strangers = planned
    .map(({ name }) => ({ stack, name }))
    .filter((of) => all.has(instanceName(of)) && readRecord(of) === undefined)
    .map(instanceName);
  return { memory, strangers };
}
