import { isLocalDriver, type LocalDriver } from "../../components/host/choice";
import { Container, inspect, labels, listContainers } from "../../components/host/docker/engine";
import { containerName } from "../../components/host/docker/plan";
import { dockerHindrance } from "../../components/host/docker/preflight";
import { describe as describeInstance, listAll, listOurs } from "../../components/host/multipass/instance";
import { multipassSilence } from "../../components/host/multipass/preflight";
import { describe as describeMachine } from "../../components/host/nspawn/machine";
import { listMachines } from "../../components/host/nspawn/store";
import { nspawnHindrance } from "../../components/host/preflight";
import type { Settings } from "../../stacks/settings";
import { keptChoice } from "../target";
import { broken, Finding, reason, well } from "./finding";

const runbook = "docs/runbooks/drivers.md";

/** A machine as its driver sees it. */
interface Seen {
  id: string;
  running: boolean;
}

const hindranceOf: Record<LocalDriver, () => string | undefined> = {
  nspawn: nspawnHindrance,
  docker: dockerHindrance,
  multipass: multipassSilence,
};

const machinesOf: Record<LocalDriver, (stack: string) => Seen[]> = {
  nspawn: (stack) => listMachines(stack).map(describeMachine),
  docker: (stack) =>
    listContainers(stack).map((has) => {
      const name = has[labels.machine] ?? "?";
      const state = inspect<Container>("container", containerName({ stack, name }))?.State;
      return { id: `${stack}/${name}`, running: state?.Running ?? false };
    }),
  multipass: (stack) => {
    const ours = listOurs(stack);
    const all = ours.length > 0 ? listAll() : [];
    return ours.map((spec) => describeInstance(spec, all));
  },
};

/** What makes the stack's machines on this computer, whether it works, and whether they run. */
export function checkMachines(stack: string, { target }: Pick<Settings, "target">): Finding[] {
  const { driver } = target;
  if (!isLocalDriver(driver)) return [];
  const kept = keptChoice(stack);
  const how = kept?.publish ? ", by ports of this computer" : "";
  return findings(`${driver}${how}${kept ? ", as the stack was made" : ""}`, hindranceOf[driver](), () =>
    machinesOf[driver](stack),
  );
}

/** The findings about a driver; apart from what asks it, so that each can be tested. */
export function findings(driver: string, hindrance: string | undefined, machines: () => Seen[]): Finding[] {
  const check = "driver";
  if (hindrance !== undefined) {
    return [broken(check, `${driver}: ${hindrance}`, "Mend that, or choose another driver for a new stack.", runbook)];
  }
  try {
    const dead = machines().filter(({ running }) => !running);
    const remedy = "Run `npm run up`, which starts it; where it ends again, look at what it said last.";
    return [well(check, driver), ...dead.map(({ id }) => broken(`machine ${id}`, "does not run", remedy, runbook))];
  } catch (error) {
    return [broken(check, reason(error), "Mend that, or choose another driver for a new stack.", runbook)];
  }
}
